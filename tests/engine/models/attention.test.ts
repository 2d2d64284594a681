/** @file Attention in blocks of queries: passes shorter than there are blocks, whose last blocks are empty, and windows across blocks. */
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { checkGradient } from '../../../src/engine/autodiff/gradient-check.ts';
import { causalBias, groupedQueryAttention } from '../../../src/engine/models/attention.ts';
import { tokenFeeds, tokenInputs } from '../../../src/engine/models/token-inputs.ts';
import { input } from '../../../src/engine/ops/operators.ts';
import { evaluate } from '../../../src/engine/runtime/evaluate.ts';

/** Central differences in f32 with a step of 1e-3. */
const TOLERANCE = 2e-3;

describe('attention', () => {
  it.each([1, 2, 3, 4, 9])('of %i tokens has the gradient that differences show', async (length) => {
    const batch = 2;
    const random = randomStream(length, 'short-passes');
    const draw = (width: number) => ({
      data: Float32Array.from({ length: batch * length * width }, () => random.normal()),
      shape: [batch, length, width],
    });
    const tokens = tokenInputs('x', 'B', 'T');
    const symbolic = tokens.seenUntil.shape[1]!;
    const [query, key, value, cotangent] = [8, 4, 4, 8].map((width, i) =>
      input(['query', 'key', 'value', 'cotangent'][i]!, 'f32', ['B', symbolic, width]),
    );
    const shape = { heads: 4, keyValueHeads: 2, headSize: 2 };
    const attended = groupedQueryAttention(query!, key!, value!, causalBias(tokens), shape);
    const size = batch * length;
    const ids = new BigInt64Array(size);
    const mask = new Float32Array(size).fill(1);
    const batchFeeds = { batch, length, tokenIds: ids, positionIds: ids, attentionMask: mask };
    const feeds = {
      ...tokenFeeds('x', batchFeeds),
      query: draw(8),
      key: draw(4),
      value: draw(4),
      cotangent: draw(8),
    };
    const check = await checkGradient(
      attended,
      { query: query!, key: key!, value: value! },
      cotangent!,
      feeds,
    );
    expect(check.checked).toBe(size * 16);
    expect(check.worst, check.where).toBeLessThan(TOLERANCE);
  });

  it('through a window sees the last tokens only, across blocks and beside padding', async () => {
    const [length, window, padding] = [300, 40, 7];
    const tokens = tokenInputs('x', 'B', 'T');
    const biases = Object.fromEntries(causalBias(tokens, window).map((bias, block) => [`${block}`, bias]));
    const mask = Float32Array.from({ length }, (_, t) => (t < padding ? 0 : 1));
    const ids = BigInt64Array.from({ length }, (_, t) => BigInt(t));
    const results = await evaluate(
      biases,
      tokenFeeds('x', { batch: 1, length, tokenIds: ids, positionIds: ids, attentionMask: mask }),
    );
    let query = 0;
    for (const { data, shape } of Object.values(results)) {
      const [count, keys] = shape.slice(3) as [number, number];
      for (let q = 0; q < count; q++, query++) {
        const seen = Array.from({ length: keys }, (_, k) => k).filter((k) => data[q * keys + k] === 0);
        const first = Math.max(padding, query - window + 1);
        expect(seen).toEqual(Array.from({ length: Math.max(0, query + 1 - first) }, (_, i) => first + i));
      }
    }
    expect(query).toBe(length);
  });
});
