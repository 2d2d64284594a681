/** @file `nextquill evaluate --choices`: the labels of LaMP's tasks and the options of questions, from the file to the numbers. */
import { writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Estimate } from '../../../../src/base/statistics/estimate.ts';
import { simulate } from '../../../../src/method/simulation/simulate.ts';
import { runCli } from '../../../support/run-cli.ts';

interface Document {
  readonly items: number;
  readonly users: number;
  readonly accuracy: Readonly<Record<'withHistory' | 'withoutHistory' | 'difference', Estimate>>;
  readonly metrics: Readonly<Record<string, Readonly<Record<'withHistory' | 'withoutHistory', Estimate>>>>;
  readonly leftOut: { readonly tooLong: number };
}

const cwd = await mkdtemp(join(tmpdir(), 'nextquill-evaluate-choices-'));
const write = (name: string, rows: readonly unknown[]) =>
  writeFileSync(join(cwd, name), `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
const evaluate = (...words: string[]) =>
  runCli(['evaluate', '--model', 'embedded', '--quiet', ...words], { cwd });

const users = simulate({ users: 6, seed: 41, historyItems: 2 }).map(({ causes: _, ...row }) => row);
// Each user's text among those of the next two: the embedded model has learnt to read such histories.
write(
  'options.jsonl',
  users.map((row, i) => {
    const options = [0, 2, 4].map((n) => users[(i + n) % users.length]!.response);
    return { ...row, query: 'Write a review.', meta: { options, correct: 0 } };
  }),
);
write(
  'ratings.jsonl',
  users.map((row, i) => ({ ...row, response: String(1 + (i % 5)), meta: { task: 'LaMP_3' } })),
);
write('texts.jsonl', users);

describe('evaluate --choices', () => {
  it('chooses among the options of each question, better with the history', async () => {
    const { code, stdout, stderr } = await evaluate(
      '--data',
      'options.jsonl',
      '--choices',
      'effect',
      '--json',
    );
    expect(code, stderr).toBe(0);
    const { items, accuracy, metrics, leftOut } = JSON.parse(stdout) as Document;
    expect(items).toBe(6);
    expect(leftOut.tooLong).toBe(0);
    expect(metrics).toEqual({});
    expect(accuracy.withHistory.value).toBeGreaterThan(0.6);
    expect(accuracy.difference.value).toBeCloseTo(
      accuracy.withHistory.value - accuracy.withoutHistory.value,
      12,
    );
  });

  it('scores LaMP’s ratings by its own metrics', async () => {
    const words = ['--data', 'ratings.jsonl', '--choices', 'likelihood'];
    const { code, stdout, stderr } = await evaluate(...words, '--json');
    expect(code, stderr).toBe(0);
    const { metrics, accuracy } = JSON.parse(stdout) as Document;
    expect(Object.keys(metrics)).toEqual(['macroF1', 'mae', 'rmse']);
    expect(metrics.mae!.withHistory.value).toBeGreaterThanOrEqual(1 - accuracy.withHistory.value);
    const table = await evaluate(...words);
    expect(table.stdout).toMatch(/^accuracy +0\.\d{3}/m);
  });

  it('takes labels from the command line, and refuses a response that is none of them', async () => {
    const refused = await evaluate('--data', 'texts.jsonl', '--choices', 'likelihood');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('--labels');
    const other = await evaluate(
      '--data',
      'ratings.jsonl',
      '--choices',
      'likelihood',
      '--labels',
      'good,bad',
    );
    expect(other.code).toBe(2);
    expect(other.stderr).toContain('expected one of 2 choices');
  });

  it('refuses flags that say nothing about choices', async () => {
    const { code, stderr } = await evaluate(
      '--data',
      'options.jsonl',
      '--choices',
      'effect',
      '--generate',
      '2',
    );
    expect(code).toBe(2);
    expect(stderr).toContain('--choices');
    expect((await evaluate('--data', 'ratings.jsonl', '--labels', 'lamp-3')).code).toBe(2);
  });
});
