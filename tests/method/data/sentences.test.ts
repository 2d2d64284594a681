/** @file Tests of sentences: where they end, and how texts are shortened. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countWords, firstSentences, sentencesOf } from '../../../src/method/data/sentences.ts';

describe('sentencesOf', () => {
  it.each([
    ['One. Two! Three? Four', ['One.', 'Two!', 'Three?', 'Four']],
    [
      'Mr. Speaker and Dr. Lee met at St. Louis. They left.',
      ['Mr. Speaker and Dr. Lee met at St. Louis.', 'They left.'],
    ],
    [
      'The U.S. Government paid W. H. Taft. Then it rested.',
      ['The U.S. Government paid W. H. Taft.', 'Then it rested.'],
    ],
    ['He said: "Go." She went.', ['He said: "Go."', 'She went.']],
    [
      'It cost $3.50 in 1862. 5 years later it did not.',
      ['It cost $3.50 in 1862.', '5 years later it did not.'],
    ],
    ['Bonds at 4 per cent. Sold out.', ['Bonds at 4 per cent. Sold out.']],
    ['it ended. and went on in lower case', ['it ended. and went on in lower case']],
    ['  ', []],
  ])('cuts %j', (text, sentences) => {
    expect(sentencesOf(text)).toEqual(sentences);
  });

  it('loses no word', () => {
    const word = fc.constantFrom('Mr.', 'went', 'home.', 'She', '"Now!"', 'U.S.', '5', 'why?', 'no.');
    fc.assert(
      fc.property(fc.array(word), (words) => {
        expect(sentencesOf(words.join(' ')).join(' ')).toBe(words.join(' '));
      }),
    );
  });
});

describe('firstSentences', () => {
  it('keeps whole sentences up to the number of words', () => {
    const text = 'One two three. Four five. Six seven eight nine.';
    expect(firstSentences(text, 5)).toBe('One two three. Four five.');
    expect(firstSentences(text, 8)).toBe('One two three. Four five.');
    expect(firstSentences(text, 9)).toBe(text);
  });

  it('cuts a first sentence that is too long after its last clause, or after the words', () => {
    expect(firstSentences('We came, we saw the town, we conquered it all.', 7)).toBe(
      'We came, we saw the town,',
    );
    expect(firstSentences('We came and saw and conquered.', 4)).toBe('We came and saw');
  });

  it('never has more words than asked, and never none of a text that has some', () => {
    fc.assert(
      fc.property(fc.lorem({ maxCount: 40 }), fc.integer({ min: 1, max: 30 }), (text, words) => {
        const count = countWords(firstSentences(text, words));
        expect(count).toBeGreaterThan(0);
        expect(count).toBeLessThanOrEqual(words);
      }),
    );
  });
});
