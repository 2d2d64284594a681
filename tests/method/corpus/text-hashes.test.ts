/** @file Tests of the set of hashes against the platform's set. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textHashes } from '../../../src/method/corpus/text-hashes.ts';

describe('textHashes', () => {
  it('holds what a set of the texts holds', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 2 }), { maxLength: 200 }), (texts) => {
        const hashes = textHashes();
        const set = new Set<string>();
        for (const text of texts) {
          expect(hashes.add(text)).toBe(set.has(text));
          set.add(text);
        }
        expect(hashes.size).toBe(set.size);
      }),
    );
  });

  it('grows without losing one', () => {
    const hashes = textHashes();
    for (let i = 0; i < 5000; i++) hashes.add(`text ${i}`);
    expect(hashes.size).toBe(5000);
    for (let i = 0; i < 5000; i++) expect(hashes.has(`text ${i}`)).toBe(true);
    expect(hashes.has('text 5000')).toBe(false);
  });
});
