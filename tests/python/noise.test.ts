/** @file The numbers of dropout that Python must draw, too: streams, noise of tokens and columns, and the engine's own mask. */
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/base/random.ts';
import { columnNoise, oddInteger } from '../../src/engine/models/noise.ts';
import { dropout, input } from '../../src/engine/ops/operators.ts';
import { evaluate } from '../../src/engine/runtime/evaluate.ts';
import { trainingBatch } from '../../src/method/training/batch.ts';
import { withNoise } from '../../src/method/training/dropout-noise.ts';
import { randomPairs } from '../support/tiny-model.ts';

const LAYER = 'model.layers.0.self_attn.q_proj';
const INPUTS = 6;

/** The engine's mask of ones. */
async function maskOf(rows: BigInt64Array, columns: BigInt64Array, rate: number): Promise<number[][]> {
  const [m, k] = [rows.length, columns.length];
  const x = input('x', 'f32', [m, k]);
  const output = dropout(x, input('rows', 'i64', [m]), input('columns', 'i64', [k]), rate);
  const { kept } = await evaluate(
    { kept: output },
    {
      x: { data: new Float32Array(m * k).fill(1), shape: [m, k] },
      rows: { data: rows, shape: [m] },
      columns: { data: columns, shape: [k] },
    },
  );
  return Array.from({ length: m }, (_, r) => [...(kept!.data as Float32Array).slice(r * k, (r + 1) * k)]);
}

describe('the noise of dropout', () => {
  it('is written for the tests of Python as the engine draws it', async () => {
    const streams = [
      [0, 'training/order/0'],
      [7, `lora/dropout/${LAYER}`],
      [-3, 'naïve – 😀'],
      [Number.MAX_SAFE_INTEGER, ''],
    ] as const;
    const pairs = randomPairs(3);
    const seed = 7;
    const step = 5;
    const { withHistory, withoutHistory } = withNoise(
      trainingBatch(pairs, ['withHistory', 'withoutHistory'], 0),
      (row) => randomStream(seed, `lora/dropout/${step}/${row}`),
    );
    const noiseOf = (pass: NonNullable<typeof withHistory>) =>
      pairs.map((_, row) => {
        const at = row * pass.length;
        const used = pass.attentionMask.slice(at, at + pass.length).filter((flag) => flag === 1).length;
        return [...pass.noise!.slice(at, at + used)].map(Number);
      });
    const columns = columnNoise(seed, LAYER, INPUTS);
    const random = randomStream(seed, `lora/dropout/${LAYER}`);
    const columnValues = BigInt64Array.from({ length: INPUTS }, () => oddInteger(random));
    expect(columns.shape).toEqual([INPUTS]);
    const rows = withHistory!.noise!.slice(0, 8);
    const masks = await Promise.all(
      [0.05, 0.1, 0.5, 0.9].map(async (rate) => ({ rate, kept: await maskOf(rows, columnValues, rate) })),
    );
    const golden = {
      madeBy: 'nextquill',
      script: 'tests/python/noise.test.ts',
      streams: streams.map(([streamSeed, name]) => {
        const stream = randomStream(streamSeed, name);
        return { seed: streamSeed, name, next: Array.from({ length: 4 }, () => stream.next()) };
      }),
      tokens: { seed, step, withHistory: noiseOf(withHistory!), withoutHistory: noiseOf(withoutHistory!) },
      columns: { seed, layer: LAYER, noise: [...columnValues].map(Number) },
      masks: { rows: [...rows].map(Number), columns: [...columnValues].map(Number), rates: masks },
    };
    expect(masks[1]!.kept.flat().filter((kept) => kept === 0).length).toBeGreaterThan(0);
    await expect(`${JSON.stringify(golden, null, 1)}\n`).toMatchFileSnapshot('../golden/dropout-noise.json');
  });
});
