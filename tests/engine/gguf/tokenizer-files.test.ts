/** @file SentencePiece tokenizers of GGUF files: merges from scores, bytes for the rest, texts and ids as transformers has them. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { mergesByScore } from '../../../src/engine/gguf/merges-by-score.ts';
import { openGguf } from '../../../src/engine/gguf/open-gguf.ts';
import { tokenizerFiles } from '../../../src/engine/gguf/tokenizer-files.ts';
import { createTokenizer, type Tokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import { checkTokenizerJson } from '../../../src/engine/tokenizer/tokenizer-json.ts';

const goldenFolder = resolve(import.meta.dirname, '../../golden');
const golden = JSON.parse(readFileSync(join(goldenFolder, 'gguf.json'), 'utf8')) as {
  models: Record<string, { texts: { text: string; ids: number[] }[] }>;
};

async function tokenizerOf(name: string): Promise<Tokenizer> {
  const { tokenizer, config } = tokenizerFiles(await openGguf(join(goldenFolder, 'gguf', `${name}.gguf`)));
  return createTokenizer(checkTokenizerJson(name, tokenizer), {
    hash: name,
    configs: { tokenizer: config, generation: {}, model: {} },
    chatTemplate: config.chat_template as string,
  });
}

describe.each(Object.keys(golden.models))('the tokenizer of %s', (name) => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = await tokenizerOf(name);
  });

  it('cuts texts into the tokens of transformers, and back', () => {
    for (const { text, ids } of golden.models[name]!.texts) {
      expect(tokenizer.encode(text).ids, JSON.stringify(text)).toEqual(ids);
      // Qwen's composes letters and marks first.
      expect(tokenizer.decode(ids)).toBe(name.startsWith('qwen') ? text.normalize('NFC') : text);
    }
  });

  it('knows its special tokens', () => {
    expect(tokenizer.tokenText(tokenizer.endOfTurnId)).toBe('<|end|>');
    expect(tokenizer.isSpecial(tokenizer.padId)).toBe(true);
    expect(tokenizer.beginId).toBe(name === 'gemma3' ? 2 : undefined);
  });
});

it('Gemma’s runs of spaces are as long as they can be, from the left', async () => {
  const tokenizer = await tokenizerOf('gemma3');
  const { ids } = tokenizer.encode(`${' '.repeat(7)}the`);
  expect(ids.map(tokenizer.tokenText)).toEqual(['   ', '   ', ' the']);
});

describe('merges from scores', () => {
  it('come in the order of the rank of the piece that they make, the longest left part first', () => {
    const pieces = ['a', 'b', 'ab', 'abb', 'bb', 'unused'];
    const ranks = [9, 9, 2, 1, 3, 0];
    expect(
      mergesByScore(
        pieces,
        (id) => ranks[id]!,
        (id) => id < 5,
      ),
    ).toEqual([
      ['ab', 'b'],
      ['a', 'bb'],
      ['a', 'b'],
      ['b', 'b'],
    ]);
  });
});
