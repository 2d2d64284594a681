/** @file Judges of written texts: scripted ones, each with the preference that its name says. */
import { describe, expect, it } from 'vitest';
import {
  type JudgedPair,
  judgePairs,
  judgePrompt,
  readJudgement,
} from '../../../src/method/benchmark/judge.ts';

const example = (user: string) => ({
  id: user,
  user,
  query: 'A mug',
  history: [{ id: 'h1', query: 'A pan', text: `I, ${user}, adore pans.` }],
});
const pairs: JudgedPair[] = Array.from({ length: 6 }, (_, i) => ({
  example: example(`u${i}`),
  text: `own ${i}`,
  other: `other ${i}`,
}));
/** The texts of a message, in their order. */
const textsOf = (message: string) =>
  /Text 1:\n(.*)\n\nText 2:\n(.*)\n/.exec(message)!.slice(1) as [string, string];

describe('a judge', () => {
  it('that prefers a text in both orders counts whole', async () => {
    const { preferred, ...rest } = await judgePairs(pairs, async (message) =>
      textsOf(message)[0].startsWith('own') ? '1' : '2',
    );
    expect(preferred).toEqual({ value: 1, low: 1, high: 1 });
    expect(rest).toEqual({ consistent: 1, pairs: 6, unanswered: 0, equal: 0 });
  });

  it('of positions prefers nothing, and shows as inconsistent', async () => {
    const judged = await judgePairs(pairs, async () => 'Text 1.');
    expect(judged.preferred!.value).toBe(0.5);
    expect(judged.consistent).toBe(0);
  });

  it('is not asked about one text twice, and left out where it says nothing', async () => {
    let asked = 0;
    const same = { ...pairs[0]!, other: ` ${pairs[0]!.text} ` };
    const judged = await judgePairs([same, ...pairs.slice(1, 3)], async (message) => {
      asked += 1;
      return message.includes('own 1') ? 'Both are fine.' : textsOf(message)[0].startsWith('own') ? '1' : '2';
    });
    expect(asked).toBe(4);
    expect(judged).toMatchObject({ pairs: 1, unanswered: 1, equal: 1, preferred: { value: 0.75 } });
    expect(await judgePairs([pairs[1]!], async () => '')).toEqual({ pairs: 0, unanswered: 1, equal: 0 });
  });

  it('sees the history and the request, and nothing that names a system', () => {
    const message = judgePrompt(example('u1'), 'first', 'second');
    for (const part of ['I, u1, adore pans.', 'A mug', 'Text 1:\nfirst', 'Text 2:\nsecond'])
      expect(message).toContain(part);
    expect(message).not.toMatch(/baseline|system|placebo|stranger/i);
  });
});

it.each([
  ['1', 1],
  ['**2**', 2],
  ['Text 2 is likelier.', 2],
  ['<think>Text 1 or Text 2?</think>\n2', 2],
  ['1 or 2', undefined],
  ['12', undefined],
  ['1.5', undefined],
  ['neither', undefined],
])('the answer %j is read as %s', (answer, read) => {
  expect(readJudgement(answer)).toBe(read);
});
