/** @file The key/value cache: what every layer has seen, one row for each sequence, in memory that passes write in place. */
import { EngineError } from '../../base/errors.ts';
import type { Attention } from '../models/attention.ts';
import type { DecoderConfig } from '../models/hf-config.ts';
import { cachedAttention, input } from '../ops/operators.ts';
import type { Value } from '../ops/value.ts';
import type { HostTensor } from '../runtime/session.ts';

/** Keys and values of R rows of C places in each layer. */
export interface KeyValueCache {
  /** Tokens that each row holds. */
  readonly lengths: number[]; // [R]
  /** Some rows as the inputs of a pass, and as its outputs: the same memory. */
  rows(first: number, count: number): { feeds: Record<string, HostTensor>; into: Record<string, HostTensor> };
  /** Makes row `to` what row `from` is. */
  copyRow(from: number, to: number): void;
  /** Empties a row: nothing of the tokens that it held stays, and every place that held one is `fill`, 0 by default. */
  clearRow(row: number, fill?: number): void;
}

/**
 * An empty cache.
 * @throws {EngineError} when the memory for it is not to be had
 * Cost: rows × capacity × layers × keyValueHeads × E × 8 bytes, which the system commits as they are written.
 */
export function createCache(
  { layers, keyValueHeads, headSize }: Pick<DecoderConfig, 'layers' | 'keyValueHeads' | 'headSize'>,
  rows: number,
  capacity: number,
): KeyValueCache {
  const rowSize = keyValueHeads * capacity * headSize;
  const lengths = new Array<number>(rows).fill(0);
  const tensors = Array.from({ length: layers }, (_, layer) =>
    (['keys', 'values'] as const).map((part) => ({ layer, part, data: allocate(rows * rowSize) })),
  ).flat();
  return {
    lengths,
    rows: (first, count) => {
      const feeds: Record<string, HostTensor> = {};
      const into: Record<string, HostTensor> = {};
      for (const { layer, part, data } of tensors) {
        const some = {
          data: data.subarray(first * rowSize, (first + count) * rowSize),
          shape: [count, keyValueHeads, capacity, headSize],
        };
        feeds[pastName(layer, part)] = some;
        into[presentName(layer, part)] = some;
      }
      return { feeds, into };
    },
    copyRow: (from, to) => {
      // Of each head only the places that hold a token.
      const used = lengths[from]! * headSize;
      for (const { data } of tensors) {
        for (let head = 0; head < keyValueHeads; head++) {
          const start = from * rowSize + head * capacity * headSize;
          data.copyWithin(to * rowSize + head * capacity * headSize, start, start + used);
        }
      }
      lengths[to] = lengths[from]!;
    },
    clearRow: (row, fill = 0) => {
      const used = lengths[row]! * headSize;
      for (const { data } of tensors) {
        for (let head = 0; head < keyValueHeads; head++) {
          const start = row * rowSize + head * capacity * headSize;
          data.fill(fill, start, start + used);
        }
      }
      lengths[row] = 0;
    },
  };
}

function allocate(size: number): Float32Array {
  try {
    return new Float32Array(size);
  } catch (cause) {
    throw new EngineError(
      `key/value cache: expected ${((size * 4) / 2 ** 30).toFixed(1)} GiB of memory for each of its tensors, got none`,
      { code: 'generate/memory', hint: 'Ask for fewer new tokens, or a shorter prompt.', cause },
    );
  }
}

/** Attention over a cache of C places for B rows, and the extended cache as outputs of the graph. */
export function cacheAttention(): { attention: Attention; outputs: Record<string, Value> } {
  const last = input('cache.last', 'i64', ['B']);
  const total = input('cache.total', 'i64', []);
  const outputs: Record<string, Value> = {};
  const attention: Attention = ({ layer, query, key, value, window = 0, ...shape }) => {
    const { heads, keyValueHeads, headSize, scale = headSize ** -0.5 } = shape;
    const past = (part: Part) => input(pastName(layer, part), 'f32', ['B', keyValueHeads, 'C', headSize]);
    const { mixed, keys, values } = cachedAttention(
      { query, key, value, pastKeys: past('keys'), pastValues: past('values'), last, total },
      { heads, keyValueHeads, scale, window },
    );
    outputs[presentName(layer, 'keys')] = keys;
    outputs[presentName(layer, 'values')] = values;
    return mixed;
  };
  return { attention, outputs };
}

/**
 * The feeds of {@link cacheAttention} except for the cache itself.
 * @param lengths tokens of each row, those of this pass included
 */
export function cacheFeeds(lengths: readonly number[]): Record<string, HostTensor> {
  return {
    'cache.last': {
      data: BigInt64Array.from(lengths, (length) => BigInt(length - 1)),
      shape: [lengths.length],
    },
    'cache.total': { data: BigInt64Array.of(BigInt(Math.max(...lengths))), shape: [] },
  };
}

type Part = 'keys' | 'values';
const pastName = (layer: number, part: Part) => `cache.${layer}.${part}`;
const presentName = (layer: number, part: Part) => `extended.${layer}.${part}`;
