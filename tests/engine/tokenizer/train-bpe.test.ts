/** @file The BPE trainer: the merges of Python's trainer, whatever the order of the texts. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createTokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import { checkTokenizerJson } from '../../../src/engine/tokenizer/tokenizer-json.ts';
import { trainByteLevelBpe } from '../../../src/engine/tokenizer/train-bpe.ts';

interface Trained {
  model: { vocab: Record<string, number>; merges: [string, string][] };
  added_tokens: { id: number; content: string }[];
}
const train = (...args: Parameters<typeof trainByteLevelBpe>) => trainByteLevelBpe(...args) as Trained;

test("merges and vocabulary equal those of Python's trainer, ties included", async () => {
  const file = new URL('../../golden/tokenizer-bpe-merges.json', import.meta.url);
  const { texts, specialTokens, vocabularySize, merges, vocab } = JSON.parse(await readFile(file, 'utf8'));
  const trained = train(texts, { vocabularySize, specialTokens });
  expect(trained.model.merges).toEqual(merges);
  expect(trained.model.vocab).toEqual(vocab);
  expect(train([...texts].reverse(), { vocabularySize, specialTokens })).toEqual(trained);
});

test('among equally frequent pairs the one with the smallest ids is merged first', () => {
  const { model } = train(['ba', 'ba', 'ab', 'ab'], { vocabularySize: 258, specialTokens: [] });
  expect(model.merges).toEqual([
    ['a', 'b'],
    ['b', 'a'],
  ]);
});

test('overlapping repeats are merged from the left', () => {
  const { model } = train(['aaaaa', 'aaaaa'], { vocabularySize: 300, specialTokens: [] });
  expect(model.merges).toEqual([
    ['a', 'a'],
    ['aa', 'a'], // as frequent as (aa, aa), and its right id is smaller
    ['aa', 'aaa'],
  ]);
});

test('merging stops at the minimum frequency', () => {
  const options = { vocabularySize: 300, specialTokens: [] };
  expect(train(['ab', 'cd', 'cd'], options).model.merges).toEqual([['c', 'd']]);
  expect(train(['ab', 'cd', 'cd'], { ...options, minFrequency: 1 }).model.merges).toHaveLength(2);
});

test('special tokens come first and no merge spells one', () => {
  const { model, added_tokens } = train(['<|<|<|<|'], { vocabularySize: 300, specialTokens: ['<|', 'x'] });
  expect(added_tokens.map(({ id, content }) => [id, content])).toEqual([
    [0, '<|'],
    [1, 'x'],
  ]);
  expect(model.merges.map((pair) => pair.join(''))).not.toContain('<|');
});

test('a trained tokenizer encodes any text and gives it back', () => {
  const trained = train(['the cat sat on the mat'], { vocabularySize: 270, specialTokens: ['<|end|>'] });
  const configs = { tokenizer: { eos_token: '<|end|>' }, generation: {}, model: {} };
  const json = checkTokenizerJson('tokenizer.json', trained as unknown as Record<string, unknown>);
  const tokenizer = createTokenizer(json, { hash: '', configs, chatTemplate: undefined });
  const text = 'the 猫 sat\u0000 😀 <|end|>';
  expect(tokenizer.decode(tokenizer.encode(text).ids)).toBe(text);
  expect(tokenizer.vocabularySize).toBe(Object.keys(trained.model.vocab).length);
});

test('a vocabulary without room for all bytes and repeated special tokens are refused', () => {
  expect(() => train([''], { vocabularySize: 256, specialTokens: ['a'] })).toThrow(
    'expected at least 257, got 256',
  );
  expect(() => train([''], { vocabularySize: 300, specialTokens: ['a', 'a'] })).toThrow(
    'expected different texts',
  );
});
