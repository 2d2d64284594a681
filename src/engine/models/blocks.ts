/** @file The parts that decoders share: masks, rotary tables, grouped-query attention, gated feed-forward. */
import { addDims, type Dim, multiplyDims } from '../ops/dimension.ts';
import {
  and,
  attend,
  concat,
  greater,
  input,
  lessEqual,
  mul,
  recompute,
  reshape,
  rotary,
  silu,
  slice,
  transpose,
  where,
} from '../ops/operators.ts';
import type { Value } from '../ops/value.ts';
import type { HostTensor } from '../runtime/session.ts';
import type { Linear } from './parameters.ts';

/** The inputs of one pass over a batch of token sequences; B sequences of padded length T. */
export interface TokenInputs {
  readonly tokenIds: Value; // i64[B, T]
  readonly positions: Value; // i64[B, T]
  /** 1 where there is a token, 0 where there is padding. */
  readonly mask: Value; // f32[B, T]
  /**
   * 0 … T−1 in blocks of queries: order within the row, which padding on the left shifts against the positions.
   * A block sees keys up to its own end only.
   */
  readonly order: readonly Value[]; // i64[T0], i64[T1], …
}

/** Cosines and sines of the rotary embedding, shared by all passes; P positions. */
export interface RotaryTables {
  readonly cosines: Value; // f32[P, E/2]
  readonly sines: Value; // f32[P, E/2]
}

/** Blocks of queries of a pass: more save more of the hidden triangle, and cost more small operators (measured). */
const QUERY_BLOCKS = 4;

/** The least queries of a block worth its operators (measured). */
const LEAST_QUERIES = 128;

/** Declares the inputs of a pass, named `prefix`.tokenIds and so on; its length T is the sum of its blocks' sizes. */
export function tokenInputs(prefix: string, batch: Dim, lengthSymbol: string): TokenInputs {
  const blocks = Array.from({ length: QUERY_BLOCKS }, (_, i) => `${lengthSymbol}${i}`);
  const length = blocks.reduce<Dim>(addDims, 0);
  return {
    tokenIds: input(`${prefix}.tokenIds`, 'i64', [batch, length]),
    positions: input(`${prefix}.positions`, 'i64', [batch, length]),
    mask: input(`${prefix}.mask`, 'f32', [batch, length]),
    order: blocks.map((block, i) => input(`${prefix}.order.${i}`, 'i64', [block])),
  };
}

export function rotaryInputs(headSize: number): RotaryTables {
  return {
    cosines: input('rotary.cosines', 'f32', ['P', headSize / 2]),
    sines: input('rotary.sines', 'f32', ['P', headSize / 2]),
  };
}

/** The feeds of {@link rotaryInputs} for positions 0 … positions−1: angle p · θ^(−2i/E). */
export function rotaryTables(theta: number, headSize: number, positions: number): Record<string, HostTensor> {
  const half = headSize / 2;
  const cosines = new Float32Array(positions * half);
  const sines = new Float32Array(positions * half);
  for (let i = 0; i < half; i++) {
    // Rounded to f32 where PyTorch rounds, so that far positions agree.
    const frequency = Math.fround(1 / Math.fround(theta ** Math.fround((2 * i) / headSize)));
    for (let p = 0; p < positions; p++) {
      const angle = Math.fround(p * frequency);
      cosines[p * half + i] = Math.cos(angle);
      sines[p * half + i] = Math.sin(angle);
    }
  }
  const shape = [positions, half];
  return { 'rotary.cosines': { data: cosines, shape }, 'rotary.sines': { data: sines, shape } };
}

/** Added to scores that must not be seen; finite, so that rows of padding alone stay finite too. */
const HIDDEN_SCORE = -1e30;

/** For each block of Q queries, f32[B, 1, 1, Q, P]: 0 where one of its P keys is a token not after the query, else a very negative number. */
export function causalBias({ mask, order }: TokenInputs): Value[] {
  const [batch, length] = mask.shape as [Dim, Dim];
  const present = greater(reshape(mask, [batch, 1, length]), 0);
  let end: Dim = 0;
  return order.map((queries, block) => {
    const count = queries.shape[0]!;
    end = addDims(end, count);
    const keys = reshape(concat(order.slice(0, block + 1), 0), [1, 1, end]);
    const causal = lessEqual(keys, reshape(queries, [1, count, 1]));
    const visible = and(causal, slice(present, 2, 0, end));
    return reshape(where(visible, 0, HIDDEN_SCORE), [batch, 1, 1, count, end]);
  });
}

/** Heads of queries and of keys and values, and the width E of one. */
export interface AttentionShape {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
}

/**
 * Grouped-query attention of rotated queries and keys, block of queries by block: what lies after a block is not computed.
 * @param query f32[B, T, heads · E]
 * @param key f32[B, T, keyValueHeads · E]
 * @param value f32[B, T, keyValueHeads · E]
 * @param biases for each block, f32[B, 1, 1, Q, P] of its Q queries and of the P keys up to its end
 * @returns f32[B, T, heads · E]
 * Gradient: to query, key and value; probabilities are computed again, not kept: O(Q·T) memory for one block at a time.
 */
export function groupedQueryAttention(
  query: Value,
  key: Value,
  value: Value,
  biases: readonly Value[],
  shape: AttentionShape,
): Value {
  const { heads, keyValueHeads, headSize } = shape;
  const [batch, length] = query.shape as [Dim, Dim];
  const group = heads / keyValueHeads;
  const perHead = (x: Value) => transpose(reshape(x, [batch, length, keyValueHeads, headSize]), [0, 2, 1, 3]); // f32[B, K, T, E]
  const keys = perHead(key);
  const values = perHead(value);
  let start: Dim = 0;
  const blocks = biases.map((bias) => {
    const [count, end] = bias.shape.slice(3) as [Dim, Dim];
    const queries = reshape(slice(query, 1, start, end), [batch, count, keyValueHeads, group, headSize]);
    const rows = reshape(transpose(queries, [0, 2, 3, 1, 4]), [
      batch,
      keyValueHeads,
      multiplyDims(group, count),
      headSize,
    ]); // f32[B, K, G·Q, E]
    start = end;
    const seen = (x: Value) => slice(x, 2, 0, end);
    const mixed = attend(rows, seen(keys), seen(values), bias, { group, scale: headSize ** -0.5 });
    const apart = reshape(mixed, [batch, keyValueHeads, group, count, headSize]);
    return reshape(transpose(apart, [0, 3, 1, 2, 4]), [batch, count, heads * headSize]);
  });
  return concat(blocks, 1);
}

/** Rotates every head of x by its position. @param x f32[B, T, heads · E] */
export function rotate(x: Value, tokens: TokenInputs, tables: RotaryTables, heads: number): Value {
  return rotary(x, tokens.positions, tables.cosines, tables.sines, heads);
}

/**
 * SwiGLU: down(silu(gate(x)) ⊙ up(x)); the product is computed again in the backward pass.
 * @param x f32[..., D]
 */
export function gatedFeedForward(x: Value, gate: Linear, up: Linear, down: Linear): Value {
  return recompute(
    (g, u, ...parameters) => down.apply(mul(silu(g), u), parameters),
    gate.apply(x),
    up.apply(x),
    ...down.parameters,
  );
}

/** A batch of padded token sequences on the host. */
export interface TokenBatch {
  readonly batch: number;
  readonly length: number;
  readonly tokenIds: BigInt64Array; // [B · T]
  readonly positionIds: BigInt64Array; // [B · T]
  readonly attentionMask: Float32Array; // [B · T]
}

/** The feeds of {@link tokenInputs}. */
export function tokenFeeds(prefix: string, tokens: TokenBatch): Record<string, HostTensor> {
  const shape = [tokens.batch, tokens.length];
  return {
    [`${prefix}.tokenIds`]: { data: tokens.tokenIds, shape },
    [`${prefix}.positions`]: { data: tokens.positionIds, shape },
    [`${prefix}.mask`]: { data: tokens.attentionMask, shape },
    ...Object.fromEntries(
      blockSizes(tokens.length).map(([start, size], i) => [
        `${prefix}.order.${i}`,
        { data: BigInt64Array.from({ length: size }, (_, t) => BigInt(start + t)), shape: [size] },
      ]),
    ),
  };
}

/** Start and size of each block of queries: equal ones, the last of them empty where the pass is short. */
function blockSizes(length: number): [start: number, size: number][] {
  const size = Math.max(LEAST_QUERIES, Math.ceil(length / QUERY_BLOCKS));
  return Array.from({ length: QUERY_BLOCKS }, (_, i) => {
    const start = Math.min(length, i * size);
    return [start, Math.min(length, start + size) - start];
  });
}
