/** @file Bases of 4 and 8 bits: what is lost, and that graphs compute with exactly the numbers that are kept. */
import { mkdtemp, readdir, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AbortedError } from '../../../src/base/errors.ts';
import type { Progress } from '../../../src/base/progress.ts';
import { randomStream } from '../../../src/base/random.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import { frozenParameters } from '../../../src/engine/models/parameters.ts';
import { saveModel } from '../../../src/engine/models/save-model.ts';
import { blockSizeOf, dequantiseRows, quantiseRows } from '../../../src/engine/quantisation/blocks.ts';
import { withQuantisedBase } from '../../../src/engine/quantisation/quantised-base.ts';
import { readTensor } from '../../../src/engine/weights/safetensors.ts';
import { planObjective } from '../../../src/method/objectives/plan.ts';
import { trainingBatch } from '../../../src/method/training/batch.ts';
import { createTrainingGraph } from '../../../src/method/training/training-graph.ts';
import { largestDifference } from '../../support/engine.ts';
import { logitsOf } from '../../support/logits.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { randomPairs } from '../../support/tiny-model.ts';

/** The same products, but for the order of their sums. */
const TOLERANCE = 1e-5;
const ids = [5, 17, 42, 3, 60, 8, 8, 21];

const home = await mkdtemp(join(tmpdir(), 'nextquill-quantised-'));
const cache = join(home, 'cache');
await writeModelFolder(join(home, 'model'));
const model = await loadModel(join(home, 'model'), cache);

function normals(count: number): Float32Array {
  const random = randomStream(1, 'tests/quantisation');
  return Float32Array.from({ length: count }, () => random.normal());
}

/** Root of the mean squared difference over the root of the mean square. */
function relativeError(a: Float32Array, b: Float32Array): number {
  const square = (values: Float32Array) => values.reduce((sum, value) => sum + value * value, 0);
  return Math.sqrt(square(a.map((value, i) => value - b[i]!)) / square(a));
}

describe('rows in blocks', () => {
  it.each([
    [4, 0.085],
    [8, 0.0055],
  ] as const)('of %d bits lose a share of %d of normal numbers at most', (bits, most) => {
    const values = normals(32 * 500);
    const kept = dequantiseRows(quantiseRows(values, 32, bits), 32, bits);
    expect(relativeError(values, kept)).toBeLessThan(most);
    expect(relativeError(values, kept)).toBeGreaterThan(most / 2);
  });

  it.each([4, 8] as const)('of %d bits keep numbers that they have, zeros too', (bits) => {
    const zero = 2 ** (bits - 1);
    const values = Float32Array.from({ length: 64 }, (_, i) =>
      i < 32 ? 0 : 0.25 * (i === 40 ? -zero : (i % (2 * zero - 1)) - (zero - 1)),
    );
    expect([...dequantiseRows(quantiseRows(values, 32, bits), 32, bits)]).toEqual([...values]);
  });

  it('are of 32 numbers, of 16 where rows ask for it, or not at all', () => {
    expect([576, 48, 50].map(blockSizeOf)).toEqual([32, 16, undefined]);
  });
});

describe.each([4, 8] as const)('a base of %d bits', (bits) => {
  /** The model in f32 whose layers have the numbers that the base keeps. */
  async function dequantisedModel() {
    const { layers } = (await withQuantisedBase(model, bits, cache)).quantised!;
    const folder = join(home, `dequantised-${bits}`);
    await saveModel(folder, model, async (name) => {
      const values = await readTensor(model.weights, name);
      const layer = layers.get(name.replace(/\.weight$/, ''));
      if (layer === undefined) return values;
      return dequantiseRows(quantiseRows(values, layer.blockSize, bits), layer.blockSize, bits);
    });
    return loadModel(folder, cache);
  }

  it('gives the logits and adapter gradients of the f32 model with the same numbers', async () => {
    const quantised = await withQuantisedBase(model, bits, cache);
    const reference = await dequantisedModel();
    expect(quantised.quantised!.layers.size).toBe(2 * 7);
    const logits = await logitsOf(quantised, ids, frozenParameters(quantised.quantised));
    const expected = await logitsOf(reference, ids);
    expect(largestDifference(logits, expected)).toBeLessThan(TOLERANCE);
    expect(largestDifference(await logitsOf(model, ids), expected)).toBeGreaterThan(100 * TOLERANCE);

    const gradientsOf = async (base: typeof model) => {
      const lora = { rank: 4, loraAlpha: 8, targetModules: ['q_proj', 'down_proj'] };
      await using graph = await createTrainingGraph({
        model: base,
        objective: planObjective('nextquill-code'),
        lora,
        seed: 0,
        threads: 1,
      });
      const { parameters } = graph;
      parameters.weights.set(normals(parameters.size).map((value) => value / 8));
      const { loss } = await graph.accumulate(
        trainingBatch(randomPairs(4), ['withHistory', 'withoutHistory'], 0),
        4,
      );
      return { loss: loss!, gradients: { data: parameters.gradients.slice(), shape: [parameters.size] } };
    };
    const ours = await gradientsOf(quantised);
    const theirs = await gradientsOf(reference);
    expect(ours.loss).toBeCloseTo(theirs.loss, 5);
    expect(largestDifference(ours.gradients, theirs.gradients)).toBeLessThan(TOLERANCE);
    expect(ours.gradients.data.some((value) => value !== 0)).toBe(true);
  });

  it('says how far making it is, and leaves nothing when it is stopped', async () => {
    const folder = await mkdtemp(join(home, 'stopped-'));
    const reports: Progress[] = [];
    const controller = new AbortController();
    const onProgress = (progress: Progress) => {
      reports.push(progress);
      if (reports.length === 5) controller.abort();
    };
    const { signal } = controller;
    const stopped = withQuantisedBase(model, bits, folder, { onProgress, signal });
    await expect(stopped).rejects.toBeInstanceOf(AbortedError);
    expect((await readdir(folder)).filter((name) => name.includes('.q'))).toEqual([]);
    expect(reports).toHaveLength(5);
    reports.length = 0;
    await withQuantisedBase(model, bits, folder, { onProgress });
    // One before the first parameter, one for each.
    expect(reports).toHaveLength(1 + model.parameters.length);
    expect(reports.every(({ stage }) => stage === `keeping the base in ${bits} bits`)).toBe(true);
    expect(reports.at(-1)!.done).toBe(reports.at(-1)!.total);
    await withQuantisedBase(model, bits, folder, { onProgress });
    expect(reports).toHaveLength(1 + model.parameters.length);
  });

  it('is made once, mended when it is damaged, and another for other weights', async () => {
    const folder = await mkdtemp(join(home, 'kept-'));
    const { path } = (await withQuantisedBase(model, bits, folder)).quantised!.file;
    const first = await stat(path);
    await withQuantisedBase(model, bits, folder);
    expect((await stat(path)).ino).toBe(first.ino);
    await truncate(path, first.size - 100);
    await writeFile(`${path}.999999999-0123abcd.tmp`, 'left by a kill');
    await withQuantisedBase(model, bits, folder);
    expect((await stat(path)).size).toBe(first.size);
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    await writeModelFolder(join(folder, 'other'), 1);
    await withQuantisedBase(await loadModel(join(folder, 'other'), cache), bits, folder);
    expect((await readdir(folder)).filter((name) => name.endsWith('.safetensors'))).toHaveLength(2);
  });
});
