/** @file Attention over a cache is attention over the whole: with windows, scales, groups, and in uneven passes. */
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { vjp } from '../../../src/engine/autodiff/vjp.ts';
import { cacheAttention, cacheFeeds, createCache } from '../../../src/engine/generate/kv-cache.ts';
import { type AttentionShape, fullAttention } from '../../../src/engine/models/attention.ts';
import { tokenFeeds, tokenInputs } from '../../../src/engine/models/token-inputs.ts';
import { compile } from '../../../src/engine/onnx/program.ts';
import { reduceSum } from '../../../src/engine/ops/operators.ts';
import { evaluate } from '../../../src/engine/runtime/evaluate.ts';
import { createSession, type HostTensor } from '../../../src/engine/runtime/session.ts';
import { input, largestDifference } from '../../support/engine.ts';

/** f32 sums in another order. */
const TOLERANCE = 1e-5;
const LENGTH = 19;

type Heads = Record<'query' | 'key' | 'value', HostTensor>;

function randomHeads({ heads, keyValueHeads, headSize }: AttentionShape): Heads {
  const random = randomStream(3, 'tests/kv-cache');
  const draw = (width: number) => ({
    data: Float32Array.from({ length: LENGTH * width }, () => random.normal()),
    shape: [1, LENGTH, width],
  });
  const kept = keyValueHeads * headSize;
  return { query: draw(heads * headSize), key: draw(kept), value: draw(kept) };
}

const headInputs = ({ heads, keyValueHeads, headSize }: AttentionShape, length: string | number) => ({
  query: input('query', 'f32', ['B', length, heads * headSize]),
  key: input('key', 'f32', ['B', length, keyValueHeads * headSize]),
  value: input('value', 'f32', ['B', length, keyValueHeads * headSize]),
});

/** All positions at once. */
async function whole(shape: AttentionShape, heads: Heads, window?: number): Promise<HostTensor> {
  const tokens = tokenInputs('x', 'B', 'T');
  const [batch, length] = tokens.seenUntil.shape;
  const each = (name: keyof Heads) => input(name, 'f32', [batch!, length!, heads[name].shape[2]!]);
  const mixed = fullAttention(tokens)({
    ...shape,
    layer: 0,
    query: each('query'),
    key: each('key'),
    value: each('value'),
    ...(window !== undefined && { window }),
  });
  const feeds = tokenFeeds('x', {
    batch: 1,
    length: LENGTH,
    tokenIds: new BigInt64Array(LENGTH),
    positionIds: BigInt64Array.from({ length: LENGTH }, (_, t) => BigInt(t)),
    attentionMask: new Float32Array(LENGTH).fill(1),
  });
  return (await evaluate({ mixed }, { ...heads, ...feeds })).mixed!;
}

/** The same in passes of `sizes` tokens over a cache. */
async function inPasses(
  shape: AttentionShape,
  heads: Heads,
  sizes: readonly number[],
  window?: number,
): Promise<HostTensor> {
  const { attention, outputs } = cacheAttention();
  const mixed = attention({
    ...shape,
    layer: 0,
    ...headInputs(shape, 'T'),
    ...(window !== undefined && { window }),
  });
  await using session = await createSession(compile({ mixed, ...outputs }), { threads: 1 });
  const cache = createCache({ layers: 1, ...shape }, 1, LENGTH + 3);
  const width = shape.heads * shape.headSize;
  const all = new Float32Array(LENGTH * width);
  let start = 0;
  for (const size of sizes) {
    const part = ({ data, shape: [, , each] }: HostTensor) => ({
      data: (data as Float32Array).subarray(start * each!, (start + size) * each!),
      shape: [1, size, each!],
    });
    const { feeds, into } = cache.rows(0, 1);
    const parts = { query: part(heads.query), key: part(heads.key), value: part(heads.value) };
    const result = await session.run({ ...parts, ...feeds, ...cacheFeeds([start + size]) }, into);
    all.set(result.mixed!.data as Float32Array, start * width);
    start += size;
  }
  return { data: all, shape: [1, LENGTH, width] };
}

describe('attention over a cache', () => {
  const cases: [string, AttentionShape, number | undefined][] = [
    ['groups of heads', { heads: 6, keyValueHeads: 2, headSize: 8 }, undefined],
    ['a head of its own for each', { heads: 3, keyValueHeads: 3, headSize: 24 }, undefined],
    ['another scale', { heads: 4, keyValueHeads: 1, headSize: 16, scale: 0.1 }, undefined],
    ['a window of 5', { heads: 4, keyValueHeads: 2, headSize: 8 }, 5],
    ['a window of 1', { heads: 4, keyValueHeads: 2, headSize: 8 }, 1],
    ['a window as long as the text', { heads: 4, keyValueHeads: 2, headSize: 8 }, LENGTH],
  ];
  it.each(cases)('%s', async (_name, shape, window) => {
    const heads = randomHeads(shape);
    const expected = await whole(shape, heads, window);
    for (const sizes of [[LENGTH], [7, 7, 5], [10, ...new Array<number>(9).fill(1)]]) {
      const got = await inPasses(shape, heads, sizes, window);
      expect(largestDifference(got, expected), `passes of ${sizes}`).toBeLessThan(TOLERANCE);
    }
  });

  it('has no gradient, and says so', () => {
    const { attention } = cacheAttention();
    const shape = { heads: 2, keyValueHeads: 1, headSize: 8 };
    const inputs = headInputs(shape, 'T');
    const loss = reduceSum(attention({ ...shape, layer: 0, ...inputs }), [0, 1, 2]);
    expect(() => vjp(loss, [inputs.query])).toThrowError('cachedAttention');
  });

  it('refuses heads that do not fit the cache', () => {
    const { attention } = cacheAttention();
    const inputs = headInputs({ heads: 4, keyValueHeads: 2, headSize: 8 }, 'T');
    expect(() => attention({ heads: 4, keyValueHeads: 1, headSize: 8, layer: 0, ...inputs })).toThrowError(
      'key: expected [B, T, 8], got [B, T, 16]',
    );
  });
});
