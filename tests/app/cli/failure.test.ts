/** @file Errors as they are told: what a terminal must not be shown, and what cannot be read. */
import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { describeFailure } from '../../../src/app/cli/failure.ts';
import { parseArguments } from '../../../src/app/cli/program.ts';
import { ContractError, DataError } from '../../../src/base/errors.ts';

const style = { colors: pc.createColors(false), verbose: false, json: false };

async function failureOf(words: readonly string[]): Promise<string> {
  try {
    await parseArguments(words, '0');
  } catch (error) {
    return describeFailure(error, style).text;
  }
  throw new Error('expected a failure');
}

describe('an error', () => {
  it('does not steer the terminal with what a file says', () => {
    const error = new DataError('x.jsonl:1: got "\u001b[2J\u0007"', {
      code: 'data/x',
      hint: 'Mend \u009b it.',
    });
    const { text, exitCode } = describeFailure(error, style);
    expect(exitCode).toBe(2);
    expect(text).toBe('error: x.jsonl:1: got "<U+001B>[2J<U+0007>"\nhint: Mend <U+009B> it.\n');
  });

  it('of results that do not hold ends with exit code 3', () => {
    const error = new ContractError('refutation: 1 test fails', { code: 'refutation/fails' });
    expect(describeFailure(error, style).exitCode).toBe(3);
  });

  it.each([
    ['command', ['x'.repeat(50_000)]],
    ['flag', ['effects', `--${'x'.repeat(50_000)}`]],
    ['flag with a value', ['effects', `--${'x'.repeat(50_000)}=1`]],
  ])('stays short for an endless %s', async (_, words) => {
    const text = await failureOf(words);
    expect(text.length).toBeLessThan(300);
    expect(text).toContain('got an unknown one');
  });
});
