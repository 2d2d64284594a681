/** @file Scores kept on disk: exact, named by what they are of, and robust to what a kill or a hand leaves in the file. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fileStore, scoreKeys } from '../../../src/method/audit/score-store.ts';
import { tinyModel } from '../../support/tiny-model.ts';

const key = 'a'.repeat(64);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-store-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('scores come back bit for bit from a file that is opened again', async () => {
  const path = join(folder, 'new/scores.jsonl');
  const values = Float32Array.of(-0.1, -1e-30, -87.25);
  await using first = await fileStore(path);
  await first.put([[key, values]]);
  await using again = await fileStore(path);
  expect(again.get(key)).toEqual(values);
  expect(again.get('b'.repeat(64))).toBeUndefined();
});

it('lines that are none of ours are passed over', async () => {
  const path = join(folder, 'torn.jsonl');
  const line = `["${key}","AACAvw=="]`; // −1
  await writeFile(path, `{"a":1}\n["${key}","AAA`);
  await using store = await fileStore(path);
  expect(store.get(key)).toBeUndefined();
  await writeFile(path, `\u0000\n${line}\n["${'c'.repeat(64)}","AAA="]\n[`);
  await using repaired = await fileStore(path);
  expect(repaired.get(key)).toEqual(Float32Array.of(-1));
  expect(repaired.get('c'.repeat(64))).toBeUndefined();
});

it('a key changes with the model, the adapter, the prompt and the response', async () => {
  const model = await tinyModel();
  const prompt = { promptIds: [1, 2], responseIds: [3] };
  const lora = { rank: 1, loraAlpha: 1, targetModules: ['q_proj'] };
  const adapter = (value: number) => ({
    lora,
    tensors: { a: { data: Float32Array.of(value), shape: [1] } },
  });
  const keys = [
    scoreKeys({ model })(prompt),
    scoreKeys({ model: { ...model, hash: 'other' } })(prompt),
    scoreKeys({ model, adapter: adapter(1) })(prompt),
    scoreKeys({ model, adapter: adapter(2) })(prompt),
    scoreKeys({ model })({ promptIds: [1], responseIds: [2, 3] }),
    scoreKeys({ model })({ promptIds: [12], responseIds: [3] }),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(scoreKeys({ model, adapter: adapter(1) })(prompt)).toBe(keys[2]);
});
