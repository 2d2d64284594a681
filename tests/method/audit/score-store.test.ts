/** @file Scores kept on disk: exact, named by what they are of, and robust to what a kill or a hand leaves in the file. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { scoreFile } from '../../../src/method/audit/score-store.ts';
import { promptKey } from '../../../src/method/scoring/score-keeper.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { tinyModel } from '../../support/tiny-model.ts';

const prompt = { promptIds: [1, 2], responseIds: [3] };
const key = promptKey(prompt);
let folder: string;
let scored: ScoredModel;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-store-'));
  scored = { model: await tinyModel() };
});
afterAll(() => rm(folder, { recursive: true }));

const entry = (logProbability: Float32Array) => [key, { tokenIds: [3], values: { logProbability } }] as const;

it('scores come back bit for bit from a file that is opened again', async () => {
  const path = join(folder, 'new/scores.jsonl');
  const values = Float32Array.of(-0.1, -1e-30, -87.25);
  await using first = await scoreFile(path, scored);
  await first.put([entry(values)]);
  await using again = await scoreFile(path, scored);
  expect(await again.get(key)).toEqual({ values: { logProbability: values } });
  expect(await again.get(promptKey({ ...prompt, promptIds: [2] }))).toBeUndefined();
});

it('lines that are none of ours are passed over', async () => {
  const path = join(folder, 'torn.jsonl');
  await using first = await scoreFile(path, scored);
  await first.put([entry(Float32Array.of(-1))]);
  const line = (await readFile(path, 'utf8')).trim();
  const [, name] = line.match(/"([0-9a-f]{64})"/)!;
  await writeFile(path, `{"a":1}\n["${name}","AAA`);
  await using store = await scoreFile(path, scored);
  expect(await store.get(key)).toBeUndefined();
  await writeFile(path, `\u0000\n${line}\n["${name}","AAA="]\n${line.replace('AACAvw', 'AADAfw')}\n[`); // the last one is NaN
  await using repaired = await scoreFile(path, scored);
  expect(await repaired.get(key)).toEqual({ values: { logProbability: Float32Array.of(-1) } });
});

it('a name changes with the model, the adapter, the prompt, the response and shifted labels', async () => {
  const path = join(folder, 'names.jsonl');
  const { model } = scored;
  const lora = { rank: 1, loraAlpha: 1, targetModules: ['q_proj'] };
  const adapter = (value: number) => ({
    lora,
    tensors: { a: { data: Float32Array.of(value), shape: [1] } },
  });
  const named: [ScoredModel, Parameters<typeof promptKey>[0]][] = [
    [{ model }, prompt],
    [{ model: { ...model, hash: 'other' } }, prompt],
    [{ model, adapter: adapter(1) }, prompt],
    [{ model, adapter: adapter(2) }, prompt],
    [{ model }, { promptIds: [1], responseIds: [2, 3] }],
    [{ model }, { promptIds: [12], responseIds: [3] }],
    // Labels were once no part of the name.
    [{ model }, { ...prompt, targetIds: [4] }],
  ];
  for (const [n, [of, scoredPrompt]] of named.entries()) {
    await using store = await scoreFile(path, of);
    expect(await store.get(promptKey(scoredPrompt)), `${n}`).toBeUndefined();
    const values = { logProbability: Float32Array.of(-n) };
    await store.put([[promptKey(scoredPrompt), { tokenIds: scoredPrompt.responseIds, values }]]);
  }
  await using again = await scoreFile(path, { model, adapter: adapter(1) });
  expect(await again.get(key)).toEqual({ values: { logProbability: Float32Array.of(-2) } });
});
