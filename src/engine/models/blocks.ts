/** @file The parts that decoders share: masks, rotary tables, grouped-query attention, gated feed-forward. */
import type { Dim } from '../ops/dimension.ts';
import {
  add,
  and,
  greater,
  input,
  lessEqual,
  matmul,
  mul,
  recompute,
  reshape,
  rotary,
  silu,
  softmax,
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
  /** 0 … T−1: order within the row, which padding on the left shifts against the positions. */
  readonly order: Value; // i64[T]
}

/** Cosines and sines of the rotary embedding, shared by all passes; P positions. */
export interface RotaryTables {
  readonly cosines: Value; // f32[P, E/2]
  readonly sines: Value; // f32[P, E/2]
}

/** Declares the inputs of a pass, named `prefix`.tokenIds and so on. */
export function tokenInputs(prefix: string, batch: Dim, length: Dim): TokenInputs {
  return {
    tokenIds: input(`${prefix}.tokenIds`, 'i64', [batch, length]),
    positions: input(`${prefix}.positions`, 'i64', [batch, length]),
    mask: input(`${prefix}.mask`, 'f32', [batch, length]),
    order: input(`${prefix}.order`, 'i64', [length]),
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

/** f32[B, 1, 1, T, T]: 0 where the key is a token not after the query, else a very negative number. */
export function causalBias({ mask, order }: TokenInputs): Value {
  const [batch, length] = mask.shape as [Dim, Dim];
  const causal = lessEqual(reshape(order, [1, 1, length]), reshape(order, [1, length, 1]));
  const visible = and(causal, greater(reshape(mask, [batch, 1, length]), 0));
  return reshape(where(visible, 0, HIDDEN_SCORE), [batch, 1, 1, length, length]);
}

/** Heads of queries and of keys and values, and the width E of one. */
export interface AttentionShape {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
}

/**
 * Grouped-query attention of rotated queries and keys.
 * The G = heads / keyValueHeads queries of a group are folded into rows, so keys and values are never repeated.
 * @param query f32[B, T, heads · E]
 * @param key f32[B, T, keyValueHeads · E]
 * @param value f32[B, T, keyValueHeads · E]
 * @param bias f32[B, 1, 1, T, T]
 * @returns f32[B, T, heads · E]
 * Gradient: to query, key and value; probabilities are computed again, not kept: O(T²) memory for one layer at a time.
 */
export function groupedQueryAttention(
  query: Value,
  key: Value,
  value: Value,
  bias: Value,
  shape: AttentionShape,
): Value {
  const { heads, keyValueHeads, headSize } = shape;
  const [batch, length] = query.shape as [Dim, Dim];
  const group = heads / keyValueHeads;
  const folded = typeof length === 'number' ? group * length : `${group === 1 ? '' : `${group}*`}${length}`;
  const perHead = (x: Value) => transpose(reshape(x, [batch, length, keyValueHeads, headSize]), [0, 2, 1, 3]); // f32[B, K, T, E]
  const attend = (q: Value, k: Value, v: Value, b: Value) => {
    const rows = reshape(
      transpose(reshape(q, [batch, length, keyValueHeads, group, headSize]), [0, 2, 3, 1, 4]),
      [batch, keyValueHeads, folded, headSize],
    ); // f32[B, K, G·T, E]
    const scores = matmul(rows, perHead(k), { transB: true, alpha: headSize ** -0.5 });
    const masked = add(reshape(scores, [batch, keyValueHeads, group, length, length]), b);
    const probabilities = reshape(softmax(masked), [batch, keyValueHeads, folded, length]);
    const mixed = reshape(matmul(probabilities, perHead(v)), [batch, keyValueHeads, group, length, headSize]);
    return reshape(transpose(mixed, [0, 3, 1, 2, 4]), [batch, length, heads * headSize]);
  };
  return recompute(attend, query, key, value, bias);
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
    [`${prefix}.order`]: {
      data: BigInt64Array.from({ length: tokens.length }, (_, t) => BigInt(t)),
      shape: [tokens.length],
    },
  };
}
