import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copiedRuns } from '../../../src/method/texts/copied-runs.ts';
import { wordSpans, wordsOf } from '../../../src/method/texts/words.ts';

/** What {@link copiedRuns} should find, by trying every stretch: for each word whether it is covered, and the run ending there. */
function byHand(text: string, history: readonly string[], fewest: number): boolean[] {
  const words = wordsOf(text);
  const texts = history.map((item) => ` ${wordsOf(item).join(' ')} `);
  const covered = words.map(() => false);
  for (let from = 0; from < words.length; from++)
    for (let to = from + fewest; to <= words.length; to++)
      if (texts.some((item) => item.includes(` ${words.slice(from, to).join(' ')} `)))
        covered.fill(true, from, to);
  return covered;
}

const few = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 25 }).map((words) => words.join(' '));

describe('copied runs', () => {
  it('are the stretches of five words and more that an item holds, with their places and the item', () => {
    const text = 'Well: «The Cat sat, on the MAT» today. Nothing else is copied here.';
    const { share, runs } = copiedRuns(text, ['A dog.', 'Yes, the cat sat on the mat!']);
    expect(runs).toEqual([{ start: 7, end: 30, item: 1 }]);
    expect(text.slice(7, 30)).toBe('The Cat sat, on the MAT');
    expect(share).toBeCloseTo(6 / 13, 12);
  });

  it('are none of four words, over the border of two items, or in a text without words', () => {
    expect(copiedRuns('one two three four', ['one two three four'])).toEqual({ share: 0, runs: [] });
    expect(copiedRuns('one two three four five', ['one two three', 'four five'])).toEqual({
      share: 0,
      runs: [],
    });
    expect(copiedRuns(' … ', ['…', ''])).toEqual({ share: 0, runs: [] });
    expect(copiedRuns('one two three four five', [])).toEqual({ share: 0, runs: [] });
  });

  it('name the first item that holds the whole run, not one that holds its beginning', () => {
    const { runs } = copiedRuns('a b c d e f g', ['a b c d e x', 'a b c d e f g', 'a b c d e f g']);
    expect(runs.map(({ item }) => item)).toEqual([1]);
  });

  it('begin after the run before where two overlap, and cover the words of both', () => {
    const { share, runs } = copiedRuns('a b c d e f g h', ['a b c d e f', 'd e f g h']);
    expect(share).toBe(1);
    expect(runs).toEqual([
      { start: 0, end: 11, item: 0 },
      { start: 12, end: 15, item: 1 },
    ]);
  });

  it('count UTF-16 code units, whatever the script and form', () => {
    const text = '😀 Éa été la première fois 中文';
    const { runs, share } = copiedRuns(text, ['E\u0301a e\u0301te\u0301 la premie\u0300re fois']);
    expect(runs).toEqual([{ start: 3, end: 26, item: 0 }]);
    expect(share).toBeCloseTo(5 / 7, 12);
  });

  it('cover what trying every stretch covers, and each run stands in its item', () => {
    fc.assert(
      fc.property(
        few,
        fc.array(few, { maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        (text, history, fewest) => {
          const { share, runs } = copiedRuns(text, history, fewest);
          const spans = wordSpans(text);
          const covered = spans.map(({ start, end }) =>
            runs.some((run) => run.start <= start && end <= run.end),
          );
          expect(covered).toEqual(byHand(text, history, fewest));
          expect(share).toBeCloseTo(covered.filter(Boolean).length / Math.max(1, spans.length), 12);
          for (const { start, end, item } of runs) {
            const words = ` ${wordsOf(text.slice(start, end)).join(' ')} `;
            const holds = (other: string) => ` ${wordsOf(other).join(' ')} `.includes(words);
            expect(holds(history[item]!)).toBe(true);
          }
          for (const [place, { start }] of runs.entries())
            expect(start).toBeGreaterThanOrEqual(runs[place - 1]?.end ?? 0);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('take linear time where every word is the same', () => {
    // Bug guarded against: comparing each place of the text with each of the history took minutes on a text that loops.
    const loop = 'ha '.repeat(20_000);
    expect(copiedRuns(loop, [loop, loop])).toEqual({
      share: 1,
      runs: [{ start: 0, end: loop.length - 1, item: 0 }],
    });
  });
});

describe('words', () => {
  it('are runs of letters and digits with inner apostrophes, in one form', () => {
    expect(wordsOf("Don’t stop; it's 3.5 km — O'Neill's “co-op”… ﬁn")).toEqual([
      ...["don't", 'stop', "it's", '3', '5', 'km', "o'neill's", 'co', 'op', 'fin'],
    ]);
  });

  it('are single characters in scripts without spaces', () => {
    expect(wordsOf('GPT模型です')).toEqual(['gpt', '模', '型', 'で', 'す']);
  });
});
