/** @file Rotary position embedding: the tables of cosines and sines that passes share, and their growing feeds. */
import { input, rotary } from '../ops/operators.ts';
import type { Value } from '../ops/value.ts';
import type { HostTensor } from '../runtime/session.ts';
import type { DecoderConfig, LayerType } from './hf-config.ts';

/** Cosines and sines of one rotary embedding; P positions. */
export interface RotaryTables {
  readonly cosines: Value; // f32[P, E/2]
  readonly sines: Value; // f32[P, E/2]
}

/** The tables of each type of layer; a type that is absent uses those of `full`; none at all for learned positions. */
export type RotaryInputs = Partial<Readonly<Record<LayerType, RotaryTables>>>;

/** Declares the tables of a config, shared by all passes of a graph. */
export function rotaryInputs({ rotary, headSize }: DecoderConfig): RotaryInputs {
  return Object.fromEntries(
    Object.keys(rotary).map((type) => [
      type,
      {
        cosines: input(`rotary.${type}.cosines`, 'f32', ['P', headSize / 2]),
        sines: input(`rotary.${type}.sines`, 'f32', ['P', headSize / 2]),
      },
    ]),
  );
}

/** The feeds of {@link rotaryInputs} for positions 0 … positions−1: angle p · θ^(−2i/E). */
export function rotaryTables(
  { rotary, headSize }: DecoderConfig,
  positions: number,
): Record<string, HostTensor> {
  const half = headSize / 2;
  const shape = [positions, half];
  const feeds: Record<string, HostTensor> = {};
  for (const [type, { theta }] of Object.entries(rotary)) {
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
    feeds[`rotary.${type}.cosines`] = { data: cosines, shape };
    feeds[`rotary.${type}.sines`] = { data: sines, shape };
  }
  return feeds;
}

/** {@link rotaryTables} of at least so many positions; made again, twice as long, only when a longer pass comes. */
export function growingRotaryTables(
  config: DecoderConfig,
): (positions: number) => Record<string, HostTensor> {
  let feeds: Record<string, HostTensor> = {};
  let made = 0;
  return (positions) => {
    if (positions > made) {
      made = Math.max(64, 2 ** Math.ceil(Math.log2(positions)));
      feeds = rotaryTables(config, made);
    }
    return feeds;
  };
}

/** Rotates every head of x by its position. @param x f32[B, T, heads · E] @param positions i64[B, T] */
export function rotate(x: Value, positions: Value, tables: RotaryTables, heads: number): Value {
  return rotary(x, positions, tables.cosines, tables.sines, heads);
}
