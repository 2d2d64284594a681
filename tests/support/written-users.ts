/** @file A few users with histories of one length, whose texts spell special tokens and hold characters of several bytes. */
import type { Example } from '../../src/method/data/example.ts';

const words = [
  ['splendid', 'I adore it 😀'],
  ['meh', 'broke <|end|> in a week'],
  ['fine', 'it does its job 日本'],
  ['awful', '<|user|> never again'],
] as const;

/** One example for each of four users; two items of history each, all of one period. */
export const writtenUsers: readonly Example[] = words.map(([word, phrase], i) => ({
  id: `e${i}`,
  user: `u${i}`,
  time: '2021-03-04',
  query: 'Write about the <|assistant|> mug',
  response: `A ${word} mug: ${phrase}`,
  history: [
    {
      id: `e${i}-a`,
      time: '2020-01-02',
      query: 'Write about the kettle',
      text: `A ${word} kettle, ${phrase}.`,
    },
    { id: `e${i}-b`, time: '2020-02-03', query: '', text: `The lamp? ${word}. ${phrase}!` },
  ],
}));

/** The same user before anything was written. */
export const newUser: Example = { ...writtenUsers[0]!, id: 'new', user: 'new', history: [] };
