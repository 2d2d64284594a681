/** @file The key/value cache: what every layer has seen, one row for each sequence, in memory that passes write in place. */
import { EngineError } from '../../base/errors.ts';
import type { Attention } from '../models/attention.ts';
import type { DecoderConfig } from '../models/hf-config.ts';
import { cachedAttention, input } from '../ops/operators.ts';
import type { Value } from '../ops/value.ts';
import type { Feed, HostTensor } from '../runtime/session.ts';
import { hostMemory, type TensorMemory } from '../runtime/tensor-memory.ts';

/** Keys and values of R rows of C places in each layer. */
export interface KeyValueCache {
  /** Tokens that each row holds. */
  readonly lengths: number[]; // [R]
  /** Some rows as the inputs of a pass, and as its outputs: the same memory. */
  rows(first: number, count: number): { feeds: Record<string, Feed>; into: Record<string, Feed> };
  /** Makes row `to` what row `from` is. */
  copyRow(from: number, to: number): void;
  /** Empties a row: nothing of the tokens that it held stays, and every place that held one is `fill`, 0 by default. */
  clearRow(row: number, fill?: number): void;
  /** Gives the memory back; no pass reads it any more. */
  release(): void;
}

/** The shape of a cache. */
type CacheConfig = Pick<DecoderConfig, 'layers' | 'keyValueHeads' | 'headSize'>;

/** The memory of a cache: keys and values of each layer are parts of their own. */
export const cacheMemory = (
  { layers, keyValueHeads, headSize }: CacheConfig,
  rows: number,
  capacity: number,
): { readonly parts: number; readonly size: number } => ({
  parts: layers * PARTS.length,
  size: rows * keyValueHeads * capacity * headSize,
});

/**
 * An empty cache.
 * @param memory of the size that {@link cacheMemory} says; of this thread by default
 * @throws {EngineError} when the memory for it is not to be had
 * Cost: rows × capacity × layers × keyValueHeads × E × 8 bytes, which the system commits as they are written.
 */
export function createCache(
  config: CacheConfig,
  rows: number,
  capacity: number,
  memory: TensorMemory = allocate(config, rows, capacity),
): KeyValueCache {
  const { layers, keyValueHeads, headSize } = config;
  const rowSize = keyValueHeads * capacity * headSize;
  const lengths = new Array<number>(rows).fill(0);
  const tensors = Array.from({ length: layers }, (_, layer) =>
    PARTS.map((part, p) => ({ layer, part, place: layer * PARTS.length + p })),
  ).flat();
  /** Of each head of a row only the places that hold a token. */
  const heads = (row: number) =>
    tensors.flatMap(({ place: part }) =>
      Array.from({ length: keyValueHeads }, (_, head) => ({
        part,
        start: row * rowSize + head * capacity * headSize,
        count: lengths[row]! * headSize,
      })),
    );
  return {
    lengths,
    rows: (first, count) => {
      const feeds: Record<string, Feed> = {};
      const into: Record<string, Feed> = {};
      for (const { layer, part, place } of tensors) {
        const some = memory.view(place, first * rowSize, [count, keyValueHeads, capacity, headSize]);
        feeds[pastName(layer, part)] = some;
        into[presentName(layer, part)] = some;
      }
      return { feeds, into };
    },
    copyRow: (from, to) => {
      const shift = (to - from) * rowSize;
      memory.edit(
        heads(from).map(({ part, start, count }) => ({ part, from: start, to: start + shift, count })),
      );
      lengths[to] = lengths[from]!;
    },
    clearRow: (row, fill = 0) => {
      memory.edit(heads(row).map((places) => ({ ...places, fill })));
      lengths[row] = 0;
    },
    release: () => memory.release(),
  };
}

function allocate(config: CacheConfig, rows: number, capacity: number): TensorMemory {
  const { parts, size } = cacheMemory(config, rows, capacity);
  try {
    return hostMemory(parts, size);
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

const PARTS = ['keys', 'values'] as const;
type Part = (typeof PARTS)[number];
const pastName = (layer: number, part: Part) => `cache.${layer}.${part}`;
const presentName = (layer: number, part: Part) => `extended.${layer}.${part}`;
