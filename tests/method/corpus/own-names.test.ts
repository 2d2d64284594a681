/** @file Tests of authors' own names in their texts: found whole and in part, masked, and nothing else. */
import { describe, expect, it } from 'vitest';
import { holdsName, maskNames } from '../../../src/method/corpus/own-names.ts';

describe('maskNames', () => {
  it.each([
    ['Yours, Ada  Lovelace', ['Ada Lovelace'], 'Yours, [name]'],
    ['ADA LOVELACE wrote it; Ada, too. LOVELACE!', ['Ada Lovelace'], '[name] wrote it; [name], too. [name]!'],
    ['adamant Adam', ['Ada Lovelace'], 'adamant Adam'],
    ['Émile and émile zola', ['Émile Zola'], '[name] and [name]'],
    ['Will it be? Ask Will.', ['Will'], '[name] it be? Ask [name].'],
    ['a will', ['Will Smith'], 'a will'],
    ['the user AE2ZX7 again', ['AE2ZX7'], 'the user [name] again'],
    ['u1 and me', ['u1'], 'u1 and me'],
    ['a (x) b', ['(x).*'], 'a (x) b'],
    ['van Gogh of the van', ['Vincent van Gogh'], 'van [name] of the van'],
  ])('of %j by %j is %j', (text, names, masked) => {
    expect(maskNames(text, names)).toBe(masked);
    expect(holdsName(text, names)).toBe(masked !== text);
  });
});
