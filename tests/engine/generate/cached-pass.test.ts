/** @file Passes over a key/value cache give the logits of whole passes: in chunks, step by step, alone and in a batch. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { openCachedPass } from '../../../src/engine/generate/cached-pass.ts';
import { createCache } from '../../../src/engine/generate/kv-cache.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import { frozenParameters } from '../../../src/engine/models/parameters.ts';
import { writingBase } from '../../../src/engine/quantisation/layout.ts';
import { withQuantisedBase } from '../../../src/engine/quantisation/quantised-base.ts';
import { largestDifference } from '../../support/engine.ts';
import { logitsOf } from '../../support/logits.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { tinyModel } from '../../support/tiny-model.ts';

/** f32 sums in another order. */
const TOLERANCE = 1e-4;

describe.each(['tiny-llama', 'tiny-llama-tied'])('%s', async (name) => {
  const model = await tinyModel(name);
  const { vocabularySize } = model.config;
  const random = randomStream(1, 'tests/cached-pass');
  const ids = (length: number) => Array.from({ length }, () => random.integer(vocabularySize));
  const sequences = [ids(23), ids(9), ids(17)];
  const expected = await Promise.all(sequences.map((sequence) => logitsOf(model, sequence)));
  const expectedAt = (sequence: number, position: number) => ({
    data: (expected[sequence]!.data as Float32Array).subarray(
      position * vocabularySize,
      (position + 1) * vocabularySize,
    ),
    shape: [vocabularySize],
  });

  it.each([1, 4, 512])('a prompt in chunks of %i, then single tokens', async (chunk) => {
    await using pass = await openCachedPass(model, {}, { threads: 1, chunk });
    const cache = createCache(model.config, 1, 23);
    const sequence = sequences[0]!;
    const logits = await pass.prefill(cache, 0, sequence.slice(0, 13));
    expect(largestDifference({ data: logits, shape: [] }, expectedAt(0, 12))).toBeLessThan(TOLERANCE);
    for (let t = 13; t < sequence.length; t++) {
      const next = await pass.step(cache, [sequence[t]!]);
      expect(largestDifference({ data: next, shape: [] }, expectedAt(0, t))).toBeLessThan(TOLERANCE);
    }
  });

  it('rows of different lengths step together, and move', async () => {
    await using pass = await openCachedPass(model, {}, { threads: 1, chunk: 5 });
    const cache = createCache(model.config, 3, 30);
    const lengths = [14, 2, 8];
    for (const [row, sequence] of sequences.entries())
      await pass.prefill(cache, row, sequence.slice(0, lengths[row]));
    let rows = [0, 1, 2];
    for (let step = 0; step < 7; step++) {
      if (step === 3) {
        cache.copyRow(2, 0);
        rows = [2, 1];
      }
      const at = rows.map((sequence) => lengths[sequence]! + step);
      const logits = await pass.step(
        cache,
        rows.map((sequence, row) => sequences[sequence]![at[row]!]!),
      );
      for (const [row, sequence] of rows.entries()) {
        const got = logits.subarray(row * vocabularySize, (row + 1) * vocabularySize);
        const difference = largestDifference({ data: got, shape: [] }, expectedAt(sequence, at[row]!));
        expect(difference, `step ${step}, row ${row}`).toBeLessThan(TOLERANCE);
      }
    }
  });
});

it.each([
  [4, 'f32'],
  [8, 'f32'],
  [4, 'int8'],
  [8, 'int8'],
] as const)('reads a base of %i bits with products in %s as whole passes do', async (bits, products) => {
  const folder = await mkdtemp(join(tmpdir(), 'nextquill-cached-'));
  await writeModelFolder(join(folder, 'model'));
  const cacheFolder = join(folder, 'cache');
  const model = await withQuantisedBase(
    await loadModel(join(folder, 'model'), cacheFolder),
    bits,
    cacheFolder,
    { products },
  );
  const ids = [5, 17, 42, 3, 60, 8, 8, 21];
  const { vocabularySize } = model.config;
  const whole = await logitsOf(model, ids, frozenParameters(writingBase(model.quantised)));
  await using pass = await openCachedPass(model, {}, { threads: 1, chunk: 3 });
  const cache = createCache(model.config, 1, ids.length);
  await pass.prefill(cache, 0, ids.slice(0, -1));
  const data = await pass.step(cache, ids.slice(-1));
  const expected = (whole.data as Float32Array).subarray(-vocabularySize);
  const difference = largestDifference({ data, shape: [] }, { data: expected, shape: [] });
  expect(difference).toBeLessThan(TOLERANCE);
  await rm(folder, { recursive: true });
});

it('refuses heads that are no multiple of 8, and a cache that no memory holds', async () => {
  const model = await tinyModel();
  const config = { ...model.config, headSize: 12 };
  await expect(openCachedPass({ ...model, config })).rejects.toThrowError(
    'head size: expected a multiple of 8',
  );
  expect(() => createCache(model.config, 8, 2 ** 50)).toThrowError('key/value cache: expected');
});
