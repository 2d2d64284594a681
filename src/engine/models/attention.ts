/**
 * @file The seam between architectures and attention: an architecture hands a layer's rotated queries and keys and its
 * values to the {@link Attention} it was given, and gets the mixed heads back. `fullAttention` sees a whole padded pass;
 * generation puts one with a key/value cache in its place, and no architecture knows which.
 */
import { addDims, type Dim, multiplyDims } from '../ops/dimension.ts';
import {
  and,
  attend,
  cast,
  concat,
  greater,
  lessEqual,
  reshape,
  slice,
  sub,
  transpose,
  where,
} from '../ops/operators.ts';
import { type Value, withScope } from '../ops/value.ts';
import type { TokenInputs } from './token-inputs.ts';

/** Heads of queries and of keys and values, and the width E of one. */
export interface AttentionShape {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** Factor of the scores; 1/√E by default. */
  readonly scale?: number;
}

/** What a layer gives to attention. */
export interface LayerHeads extends AttentionShape {
  /** Index of the layer: where a cache keeps its keys and values. */
  readonly layer: number;
  readonly query: Value; // f32[B, T, heads · E], rotated
  readonly key: Value; // f32[B, T, keyValueHeads · E], rotated
  readonly value: Value; // f32[B, T, keyValueHeads · E]
  /** Keys that a query sees, itself counted; all before it when absent. */
  readonly window?: number;
}

/** Mixes the heads of one layer: f32[B, T, heads · E]. */
export type Attention = (heads: LayerHeads) => Value;

/** Attention over a whole padded pass: each query sees the tokens before it in its sequence, or the last of them. */
export function fullAttention(tokens: TokenInputs): Attention {
  const biases = new Map<number | undefined, Value[]>();
  return ({ query, key, value, window, ...shape }) => {
    let bias = biases.get(window);
    if (bias === undefined) {
      bias = withScope('mask', () => causalBias(tokens, window));
      biases.set(window, bias);
    }
    return groupedQueryAttention(query, key, value, bias, shape);
  };
}

/** Added to scores that must not be seen; finite, so that rows of padding alone stay finite too. */
export const HIDDEN_SCORE = -1e30;

/**
 * For each block of Q queries, f32[B, 1, 1, Q, P]: 0 where the query is or follows one of the P keys, in its own branch of
 * the row and inside its window, else a very negative number.
 */
export function causalBias({ seenUntil, positions, order }: TokenInputs, window?: number): Value[] {
  const [batch, length] = seenUntil.shape as [Dim, Dim];
  const until = reshape(seenUntil, [batch, 1, length]);
  // Branches that stand side by side have the same positions: how far apart two tokens are, order does not tell.
  const places = window === undefined ? undefined : cast(positions, 'f32');
  let end: Dim = 0;
  return order.map((queries, block) => {
    const count = queries.shape[0]!;
    const start = end;
    end = addDims(end, count);
    const keys = reshape(concat(order.slice(0, block + 1), 0), [1, 1, end]);
    const rows = reshape(queries, [1, count, 1]);
    const follows = and(lessEqual(keys, rows), greater(slice(until, 2, 0, end), cast(rows, 'f32')));
    const visible =
      places === undefined ? follows : and(follows, greater(window!, distances(places, start, end)));
    return reshape(where(visible, 0, HIDDEN_SCORE), [batch, 1, 1, count, end]);
  });
}

/** How far each query of start … end−1 stands after each key before `end`. @param places f32[B, T] @returns f32[B, Q, P] */
function distances(places: Value, start: Dim, end: Dim): Value {
  const of = (from: Dim) => slice(places, 1, from, end);
  const [queries, keys] = [of(start), of(0)];
  const [batch, count] = queries.shape as [Dim, Dim];
  return sub(reshape(queries, [batch, count, 1]), reshape(keys, [batch, 1, end]));
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
  { heads, keyValueHeads, headSize, scale = headSize ** -0.5 }: AttentionShape,
): Value {
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
    const mixed = attend(rows, seen(keys), seen(values), bias, { group, scale });
    const apart = reshape(mixed, [batch, keyValueHeads, group, count, headSize]);
    return reshape(transpose(apart, [0, 3, 1, 2, 4]), [batch, count, heads * headSize]);
  });
  return concat(blocks, 1);
}
