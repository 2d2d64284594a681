/** @file Copying is held back by the length of the run that a token would make, counted as a search through the sources counts it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/base/errors.ts';
import { checkCopyOptions, copyGuard, FREE_COPIED_TOKENS } from '../../../src/engine/generate/copy-guard.ts';

const WORDS = 4;

/** The longest run that ends with `token` after `text`, and stands in a source: found by trying every length. */
function longestRun(text: readonly number[], token: number, sources: readonly (readonly number[])[]): number {
  const whole = [...text, token];
  for (let length = whole.length; length > 0; length--) {
    const run = whole.slice(-length).join();
    const stands = (source: readonly number[]) =>
      source.some((_, at) => at + length <= source.length && source.slice(at, at + length).join() === run);
    if (sources.some(stands)) return length;
  }
  return 0;
}

const tokens = (maxLength: number) => fc.array(fc.nat(WORDS - 1), { maxLength });

describe('copy guard', () => {
  it('lowers each token by the run that it would make beyond the free ones', () => {
    fc.assert(
      fc.property(fc.array(tokens(30), { maxLength: 3 }), tokens(20), (sources, text) => {
        const guard = copyGuard(sources, { copyPenalty: 0.5 });
        for (const token of text) guard.push(token);
        const logits = new Float32Array(WORDS);
        guard.apply(logits);
        for (let token = 0; token < WORDS; token++) {
          const run = longestRun(text, token, sources);
          // A run of one token extends none.
          const beyond = run > 1 ? Math.max(0, run - FREE_COPIED_TOKENS) : 0;
          expect(logits[token]).toBeCloseTo(-0.5 * beyond, 6);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('never draws a token beyond the longest run that is allowed', () => {
    const source = [0, 1, 2, 3, 0, 1];
    const guard = copyGuard([source], { maxCopiedTokens: 2 });
    guard.push(0);
    guard.push(1);
    const logits = new Float32Array(WORDS);
    guard.apply(logits);
    expect([...logits]).toEqual([0, 0, Number.NEGATIVE_INFINITY, 0]);
  });

  it('changes nothing without options, and refuses numbers that have no meaning', () => {
    const guard = copyGuard([[0, 1]], {});
    guard.push(0);
    const logits = Float32Array.of(1, 2);
    guard.apply(logits);
    expect([...logits]).toEqual([1, 2]);
    for (const options of [{ copyPenalty: -1 }, { copyPenalty: Number.NaN }, { maxCopiedTokens: 0 }])
      expect(() => checkCopyOptions(options)).toThrow(ConfigError);
  });
});
