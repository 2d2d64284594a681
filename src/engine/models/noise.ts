/**
 * @file What dropout draws from: odd 32-bit integers of rows and of columns whose product decides over each element, so
 * that a mask is as large as its seed: one number a token and one a column, whatever the layers.
 */
import { GraphError, ShapeError } from '../../base/errors.ts';
import { type RandomStream, randomStream } from '../../base/random.ts';
import { sizeOf } from '../ops/dimension.ts';
import { input, integers, reshape } from '../ops/operators.ts';
import type { Value } from '../ops/value.ts';
import type { HostTensor } from '../runtime/session.ts';

/** The noise of a pass: of all its tokens, and of the rows whose logits are asked for. */
export interface PassNoise {
  readonly tokens: Value; // i64[B · T]
  readonly rows: Value; // i64[S]
}

/** An odd integer of 32 bits. */
export function oddInteger(random: RandomStream): bigint {
  return BigInt(random.integer(2 ** 32) | 1);
}

/** i64[inputs]: noise of a layer's columns, the same in every step. */
export function columnNoise(seed: number, layer: string, inputs: number): Value {
  const random = randomStream(seed, `lora/dropout/${layer}`);
  return integers(BigInt64Array.from({ length: inputs }, () => oddInteger(random)));
}

/** Declares the noise of a pass over i64[B, T]. */
export function passNoise(pass: string, { shape }: Pick<Value, 'shape'>): PassNoise {
  return {
    tokens: reshape(input(`${pass}.noise`, 'i64', shape), [sizeOf(shape)]),
    rows: input(`${pass}.rowNoise`, 'i64', ['S']),
  };
}

/** The noise that belongs to x: of all tokens, or of the rows that were picked. @param x f32[M, K] */
export function noiseOfRows(noise: PassNoise, x: Value): Value {
  const found = [noise.tokens, noise.rows].find(({ shape }) => shape[0] === x.shape[0]);
  if (found !== undefined) return found;
  throw new GraphError(
    `dropout: expected all tokens of a pass or the rows picked from it, got ${x.shape[0]} rows`,
    { code: 'graph/noise', hint: 'Apply linear layers to whole passes or to their rows.' },
  );
}

/**
 * The feeds of {@link passNoise}.
 * @throws {ShapeError} when the pass comes without noise
 */
export function noiseFeeds(
  pass: string,
  given: {
    readonly batch: number;
    readonly length: number;
    readonly rows: BigInt64Array;
    readonly noise?: BigInt64Array;
  },
): Record<string, HostTensor> {
  const { batch, length, rows, noise } = given;
  if (noise === undefined)
    throw new ShapeError(`${pass}: expected noise for dropout, got none`, { code: 'shape/feed' });
  return {
    [`${pass}.noise`]: { data: noise, shape: [batch, length] },
    [`${pass}.rowNoise`]: { data: rows.map((row) => noise[Number(row)]!), shape: [rows.length] },
  };
}
