/** @file GGUF files as models: log-probabilities, token ids and chats equal those of transformers reading the same files. */
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Progress } from '../../../src/base/progress.ts';
import { modelFolderOfGguf } from '../../../src/engine/gguf/model-folder-of.ts';
import { loadModel, type Model } from '../../../src/engine/models/model.ts';
import { chatPieces } from '../../../src/engine/tokenizer/chat-template.ts';
import { rewrittenGguf } from '../../support/gguf-bytes.ts';
import { logProbabilitiesOf } from '../../support/log-probabilities.ts';

interface GoldenModel {
  ids: number[];
  logProbabilities: number[];
  lastLogits: number[];
  texts: { text: string; ids: number[] }[];
  chat: string;
  vocabularySize: number;
}

const goldenFolder = resolve(import.meta.dirname, '../../golden');
const golden = JSON.parse(readFileSync(join(goldenFolder, 'gguf.json'), 'utf8')) as {
  models: Record<string, GoldenModel>;
};

/** f32 sums in another order. */
const TOLERANCE = 1e-4;

const architectures = Object.keys(golden.models);

const fileOf = (name: string) => join(goldenFolder, 'gguf', `${name}.gguf`);

let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'nextquill-gguf-'));
});

const opened = async (name: string): Promise<Model> =>
  loadModel(await modelFolderOfGguf(fileOf(name), cache), cache);

const farthest = (a: readonly number[], b: readonly number[]) => {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);
};

describe.each(architectures)('a GGUF file of %s', (name) => {
  const expected = golden.models[name]!;

  it('gives the logits and log-probabilities of transformers', async () => {
    const model = await opened(name);
    const { ofNext, lastLogits } = await logProbabilitiesOf(model, expected.ids);
    expect(farthest(lastLogits, expected.lastLogits)).toBeLessThan(TOLERANCE);
    expect(farthest(ofNext, expected.logProbabilities)).toBeLessThan(TOLERANCE);
  });

  it('cuts texts into the same tokens', async () => {
    const { tokenizer } = await opened(name);
    expect(expected.texts.length).toBeGreaterThan(3);
    for (const { text, ids } of expected.texts) {
      expect(tokenizer.encode(text).ids, JSON.stringify(text)).toEqual(ids);
    }
    expect(tokenizer.encode('<|end|>').ids).not.toContain(tokenizer.endOfTurnId);
  });

  it('renders a chat as its template says', async () => {
    const { tokenizer } = await opened(name);
    const contents = ['What is it?', 'A test.'];
    const pieces = chatPieces(
      tokenizer.chatTemplate!,
      ['user', 'assistant'],
      true,
      tokenizer.specialTokenTexts,
    );
    const text = pieces
      .map((piece) => ('markup' in piece ? piece.markup : contents[piece.message]!))
      .join('');
    expect(text).toBe(expected.chat);
    expect(tokenizer.tokenText(tokenizer.endOfTurnId)).toBe('<|end|>');
  });
});

describe('the folder of a GGUF file', () => {
  it('is made once, with progress, and found again by the content of the file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nextquill-gguf-'));
    const seen: Progress[] = [];
    const first = await modelFolderOfGguf(fileOf('llama'), folder, { onProgress: (p) => seen.push(p) });
    expect(seen[0]).toMatchObject({ stage: 'converting llama.gguf', done: 0, unit: 'MB' });
    expect(seen.at(-1)!.done).toBe(seen.at(-1)!.total);
    const { ino } = await stat(join(first, 'model.safetensors'));
    const moved = join(folder, 'other-name.gguf');
    await copyFile(fileOf('llama'), moved);
    expect(await modelFolderOfGguf(moved, folder)).toBe(first);
    expect((await stat(join(first, 'model.safetensors'))).ino).toBe(ino);
    expect((await readdir(first)).sort()).toEqual([
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
  });

  it('is made again where a kill has left part of it, and what the kill left goes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nextquill-gguf-'));
    const made = await modelFolderOfGguf(fileOf('llama'), folder);
    const whole = await readFile(join(made, 'model.safetensors'));
    await truncate(join(made, 'model.safetensors'), 1000);
    const left = join(made, 'model.safetensors.999999999-0123abcd.tmp');
    const mine = join(made, `model.safetensors.${process.pid}-0123abcd.tmp`);
    await writeFile(left, 'half');
    await writeFile(mine, 'another one at work');
    expect(await modelFolderOfGguf(fileOf('llama'), folder)).toBe(made);
    expect((await readFile(join(made, 'model.safetensors'))).equals(whole)).toBe(true);
    expect(await readdir(made)).not.toContain('model.safetensors.999999999-0123abcd.tmp');
    expect(await readFile(mine, 'utf8')).toBe('another one at work');
  });

  it('is the same from several conversions at once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nextquill-gguf-'));
    const made = await Promise.all([1, 2, 3].map(() => modelFolderOfGguf(fileOf('llama'), folder)));
    expect(new Set(made).size).toBe(1);
    expect((await readdir(made[0]!)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    await loadModel(made[0]!, folder);
  });

  it('has the tokenizer.json that lies beside the file, where there is one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nextquill-gguf-'));
    const beside = join(folder, 'beside');
    await mkdir(beside);
    await copyFile(fileOf('llama'), join(beside, 'm.gguf'));
    const own = await modelFolderOfGguf(join(beside, 'm.gguf'), folder);
    const json = JSON.parse(await readFile(join(own, 'tokenizer.json'), 'utf8')) as object;
    await writeFile(join(beside, 'tokenizer.json'), JSON.stringify({ ...json, note: 'mine' }));
    const made = await modelFolderOfGguf(join(beside, 'm.gguf'), folder);
    expect(made).not.toBe(own);
    expect(await readFile(join(made, 'tokenizer.json'), 'utf8')).toContain('mine');
    expect((await loadModel(made, folder)).tokenizer.chatTemplate).toContain('<|assistant|>');
  });

  it('is the same of version 2 of the format', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nextquill-gguf-'));
    const bytes = readFileSync(fileOf('llama'));
    expect(bytes.readUInt32LE(4)).toBe(3);
    bytes.writeUInt32LE(2, 4);
    await writeFile(join(folder, 'old.gguf'), bytes);
    const old = await modelFolderOfGguf(join(folder, 'old.gguf'), folder);
    const made = await modelFolderOfGguf(fileOf('llama'), folder);
    for (const name of await readdir(made))
      expect((await readFile(join(old, name))).equals(await readFile(join(made, name))), name).toBe(true);
  });

  it('ends texts at the end of a turn and of a message too, where the file names tokens for them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nextquill-gguf-'));
    const path = join(folder, 'turns.gguf');
    const [eot, eom] = [40, 41];
    const bytes = rewrittenGguf(readFileSync(fileOf('llama')), (metadata) => {
      metadata.set('eot', ['tokenizer.ggml.eot_token_id', 4, eot]);
      metadata.set('eom', ['tokenizer.ggml.eom_token_id', 4, eom]);
    });
    await writeFile(path, bytes);
    const { tokenizer } = await loadModel(await modelFolderOfGguf(path, folder), folder);
    const plain = (await opened('llama')).tokenizer;
    expect(plain.endIds).toEqual([plain.endOfTurnId]);
    expect(tokenizer.endOfTurnId).toBe(plain.endOfTurnId);
    expect(tokenizer.endIds).toEqual([plain.endOfTurnId, eot, eom]);
  });

  it('is not begun when the caller has stopped it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nextquill-gguf-'));
    const stopping = modelFolderOfGguf(fileOf('llama'), folder, { signal: AbortSignal.abort() });
    await expect(stopping).rejects.toMatchObject({ code: 'aborted' });
    const [made] = await readdir(folder);
    expect(await readdir(join(folder, made!))).toEqual([]);
  });
});

describe('keys of the architecture that no config is made from', () => {
  async function converted(key: string, kind: number, value: string | number) {
    const bytes = rewrittenGguf(await readFile(fileOf('llama')), (metadata) =>
      metadata.set(`llama.${key}`, [`llama.${key}`, kind, value]),
    );
    const path = join(cache, `key-${key}.gguf`);
    await writeFile(path, bytes);
    const warnings: string[] = [];
    await modelFolderOfGguf(path, cache, { onWarning: (message) => warnings.push(message) });
    return warnings;
  }

  // Were left out without a word: the numbers were those of another model.
  it.each([
    ['attention.sliding_window', 4, 4],
    ['logit_scale', 12, 0.5],
    ['attention.scale', 12, 0.5],
    ['attention.clamp_kqv', 12, 1],
    ['embedding_scale', 12, 12],
    ['residual_scale', 12, 0.22],
    ['final_logit_softcapping', 12, 30],
    ['attention.causal', 7, 0],
    ['rope.scaling.yarn_log_multiplier', 12, 0.1],
  ])('%s is refused by name', async (key, kind, value) => {
    await expect(converted(key, kind, value)).rejects.toMatchObject({
      code: 'gguf/unsupported',
      message: expect.stringContaining(`llama.${key}`),
    });
  });

  it.each([
    ['attention.sliding_window', 4, 1_000_000],
    ['logit_scale', 12, 1],
    ['attention.causal', 7, 1],
    ['vocab_size', 4, 61],
    ['expert_used_count', 4, 0],
  ])('%s passes with a value without effect', async (key, kind, value) => {
    expect(await converted(key, kind, value)).toEqual([]);
  });

  it('one that is not known is named, each time', async () => {
    const name = 'llama.attention.of_a_later_version';
    for (let time = 0; time < 2; time++)
      expect(await converted('attention.of_a_later_version', 12, 3)).toEqual([expect.stringContaining(name)]);
  });
});
