/** @file Markup, repeats and boilerplate of people's texts are noticed, and sound texts are left in peace. */
import { describe, expect, it } from 'vitest';
import { textNotices } from '../../../src/method/corpus/text-notices.ts';
import type { Example } from '../../../src/method/data/example.ts';

let count = 0;
const example = (user: string, response: string, texts: readonly string[]): Example => ({
  id: `e${++count}`,
  user,
  query: 'q',
  response,
  history: texts.map((text, i) => ({ id: `h${i}`, query: '', text })),
});
const codes = (...examples: Example[]) => textNotices(examples).map(({ code }) => code);

describe('texts as they are', () => {
  it('say nothing where there is nothing to say', () => {
    const history = ['I <3 it, a < b and AT&T too.', 'Rattles a little, keeps warm all the same.'];
    expect(codes(example('u', 'Quiet.', history), example('u', 'Loud.', history))).toEqual([]);
  });

  it('with tags or entities are counted once each, however many examples show them', () => {
    const history = ['Great<br />mug', 'Tom &amp; I like it', 'plain'];
    const [notice] = textNotices([example('u', 'one', history), example('u', 'two', history)]);
    expect(notice).toMatchObject({ code: 'data/html', count: 2 });
  });

  it('that a user wrote before are counted: within a history, as a response again, as the response of a history', () => {
    expect(codes(example('u', 'new', ['same', 'same']))).toEqual(['data/repeated-texts']);
    expect(codes(example('u', 'again', []), example('u', 'again', []))).toEqual(['data/repeated-texts']);
    expect(codes(example('u', 'old', ['old']))).toEqual(['data/repeated-texts']);
    expect(codes(example('u', 'shared', []), example('v', 'shared', []))).toEqual([]);
  });

  it('of a user that all begin or end alike are boilerplate, from four texts on', () => {
    const end = (text: string) => `${text}, and that is it. Yours as ever, the old cook.`;
    const texts = ['Soup today', 'Bread today', 'Cake today'];
    const notices = textNotices([example('cook', end('Fish'), texts.map(end)), example('v', 'a', ['b'])]);
    expect(notices).toEqual([{ code: 'data/boilerplate', count: 1, total: 2, user: 'cook' }]);
    expect(codes(example('cook', end('Fish'), texts.slice(1).map(end)))).toEqual([]);
    const begin = (text: string) => `For immediate release from Washington: ${text}`;
    expect(codes(example('senator', begin('Four'), texts.map(begin)))).toEqual(['data/boilerplate']);
  });
});
