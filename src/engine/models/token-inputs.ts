/** @file The inputs of one pass over a padded batch of token sequences, and their feeds. */
import type { Device } from '../../base/device.ts';
import { ShapeError } from '../../base/errors.ts';
import { addDims, type Dim } from '../ops/dimension.ts';
import { input } from '../ops/operators.ts';
import type { Value } from '../ops/value.ts';
import type { HostTensor } from '../runtime/session.ts';
import type { DecoderConfig } from './hf-config.ts';

/** The inputs of one pass over a batch of token sequences; B sequences of padded length T. */
export interface TokenInputs {
  readonly tokenIds: Value; // i64[B, T]
  readonly positions: Value; // i64[B, T]
  /** Order of the first token that no longer follows this one: the end of its row, or of its branch; 0 for padding. */
  readonly seenUntil: Value; // f32[B, T]
  /**
   * 0 … T−1 in blocks of queries: order within the row, which padding on the left shifts against the positions.
   * A block sees keys up to its own end only.
   */
  readonly order: readonly Value[]; // i64[T0], i64[T1], …
}

/** Blocks of queries of a pass: more save more of the hidden triangle, and cost more small operators (measured). */
const QUERY_BLOCKS = 4;

/** The least queries of a block worth its operators (measured). */
const LEAST_QUERIES = 128;

/** Blocks of a device. Short passes leave some empty, and no graphics card computes over no rows. */
export const queryBlocks = (device: Device = 'cpu'): number => (device === 'cpu' ? QUERY_BLOCKS : 1);

/**
 * Declares the inputs of a pass, named `prefix`.tokenIds and so on; its length T is the sum of its blocks' sizes.
 * @param count blocks of queries; the feeds must have as many
 */
export function tokenInputs(
  prefix: string,
  batch: Dim,
  lengthSymbol: string,
  count = QUERY_BLOCKS,
): TokenInputs {
  const blocks = Array.from({ length: count }, (_, i) => `${lengthSymbol}${i}`);
  const length = blocks.reduce<Dim>(addDims, 0);
  return {
    tokenIds: input(`${prefix}.tokenIds`, 'i64', [batch, length]),
    positions: input(`${prefix}.positions`, 'i64', [batch, length]),
    seenUntil: input(`${prefix}.seenUntil`, 'f32', [batch, length]),
    order: blocks.map((block, i) => input(`${prefix}.order.${i}`, 'i64', [block])),
  };
}

/** A batch of padded token sequences on the host. */
export interface TokenBatch {
  readonly batch: number;
  readonly length: number;
  readonly tokenIds: BigInt64Array; // [B · T]
  /** 0 at the first token of each sequence, counting on. */
  readonly positionIds: BigInt64Array; // [B · T]
  /** 1 for a token, 0 for padding. */
  readonly attentionMask: Float32Array; // [B · T]
  /**
   * For rows in which several sequences share a beginning: the place in the row after the last token that follows this one; 0
   * for padding. The whole row where absent.
   */
  readonly seenUntil?: Float32Array; // [B · T]
}

/**
 * Checks that tokens have rows in the model's tables: a graphics card would read whatever lies beyond one, in silence.
 * @throws {ShapeError} `shape/token-id` for an id that the vocabulary lacks; `shape/position` for one that a table of positions lacks
 */
export function checkTokens(
  { vocabularySize, maxPositions, rotary }: Pick<DecoderConfig, 'vocabularySize' | 'maxPositions' | 'rotary'>,
  tokenIds: BigInt64Array,
  positions: BigInt64Array,
): void {
  const beyond = (values: BigInt64Array, rows: number) => values.find((value) => value < 0n || value >= rows);
  const id = beyond(tokenIds, vocabularySize);
  if (id !== undefined)
    throw new ShapeError(`token id: expected one from 0 to ${vocabularySize - 1}, got ${id}`, {
      code: 'shape/token-id',
      hint: 'Cut texts into tokens with the tokenizer of this model.',
    });
  const hasTable = Object.keys(rotary).length === 0;
  const position = hasTable ? beyond(positions, maxPositions) : undefined;
  if (position !== undefined)
    throw new ShapeError(`position: expected one from 0 to ${maxPositions - 1}, got ${position}`, {
      code: 'shape/position',
      hint: 'Shorten the text: the model has no more positions.',
    });
}

/** The feeds of {@link tokenInputs}. */
export function tokenFeeds(
  prefix: string,
  tokens: TokenBatch,
  count = QUERY_BLOCKS,
): Record<string, HostTensor> {
  const shape = [tokens.batch, tokens.length];
  const seenUntil = tokens.seenUntil ?? tokens.attentionMask.map((flag) => flag * tokens.length);
  return {
    [`${prefix}.tokenIds`]: { data: tokens.tokenIds, shape },
    [`${prefix}.positions`]: { data: tokens.positionIds, shape },
    [`${prefix}.seenUntil`]: { data: seenUntil, shape },
    ...Object.fromEntries(
      blockSizes(tokens.length, count).map(([start, size], i) => [
        `${prefix}.order.${i}`,
        { data: BigInt64Array.from({ length: size }, (_, t) => BigInt(start + t)), shape: [size] },
      ]),
    ),
  };
}

/** Start and size of each block of queries: equal ones, the last of them empty where the pass is short. */
function blockSizes(length: number, count: number): [start: number, size: number][] {
  const size = Math.max(LEAST_QUERIES, Math.ceil(length / count));
  return Array.from({ length: count }, (_, i) => {
    const start = Math.min(length, i * size);
    return [start, Math.min(length, start + size) - start];
  });
}
