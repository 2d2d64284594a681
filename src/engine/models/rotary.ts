/** @file Rotary position embedding: the tables of cosines and sines that passes share, and their growing feeds. */
import { input, rotary } from '../ops/operators.ts';
import type { Value } from '../ops/value.ts';
import type { HostTensor } from '../runtime/session.ts';
import type { DecoderConfig, LayerType, RotaryConfig, RotaryScaling } from './hf-config.ts';

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

/** The tables of a type of layer. */
export function tablesOf(rotary: RotaryInputs, type: LayerType): RotaryTables {
  return (rotary[type] ?? rotary.full)!;
}

/** The feeds of {@link rotaryInputs} for positions 0 … positions−1: angle p · f_i of the frequencies f. */
export function rotaryTables(
  { rotary, headSize }: DecoderConfig,
  positions: number,
): Record<string, HostTensor> {
  const half = headSize / 2;
  const shape = [positions, half];
  const feeds: Record<string, HostTensor> = {};
  for (const [type, config] of Object.entries(rotary)) {
    const frequencies = rotaryFrequencies(config, headSize);
    const factor = config.scaling?.type === 'yarn' ? config.scaling.attentionFactor : 1;
    const cosines = new Float32Array(positions * half);
    const sines = new Float32Array(positions * half);
    for (let i = 0; i < half; i++) {
      for (let p = 0; p < positions; p++) {
        const angle = Math.fround(p * frequencies[i]!);
        cosines[p * half + i] = factor * Math.cos(angle);
        sines[p * half + i] = factor * Math.sin(angle);
      }
    }
    feeds[`rotary.${type}.cosines`] = { data: cosines, shape };
    feeds[`rotary.${type}.sines`] = { data: sines, shape };
  }
  return feeds;
}

/**
 * Radians per position of each pair of a head's numbers: θ^(−2i/E), stretched by the config's scaling. Rounded to f32
 * where PyTorch rounds, so that far positions agree.
 */
export function rotaryFrequencies({ theta, scaling }: RotaryConfig, headSize: number): Float32Array {
  const frequencies = Float32Array.from(
    { length: headSize / 2 },
    (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / headSize)),
  );
  if (scaling === undefined) return frequencies;
  if (scaling.type === 'linear') return frequencies.map((frequency) => frequency / scaling.factor);
  if (scaling.type === 'llama3') return frequencies.map((frequency) => llama3Frequency(frequency, scaling));
  const { factor, betaFast, betaSlow, truncate, originalPositions } = scaling;
  // The pair that turns so many times over the length of pretraining.
  const pairOf = (turns: number) =>
    (headSize * Math.log(originalPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [low, high] = [pairOf(betaFast), pairOf(betaSlow)];
  const first = Math.max(truncate ? Math.floor(low) : low, 0);
  const last = Math.min(truncate ? Math.ceil(high) : high, headSize - 1);
  return frequencies.map((frequency, i) => {
    const ramp = (i - first) / (last === first ? 0.001 : last - first);
    const stretched = Math.min(1, Math.max(0, ramp));
    return (frequency / factor) * stretched + frequency * (1 - stretched);
  });
}

/** Llama 3.1: waves longer than the length of pretraining are stretched, short ones kept, those between blended. */
function llama3Frequency(frequency: number, scaling: Extract<RotaryScaling, { type: 'llama3' }>): number {
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalPositions } = scaling;
  const turns = originalPositions / ((2 * Math.PI) / frequency);
  if (turns < lowFrequencyFactor) return frequency / factor;
  if (turns > highFrequencyFactor) return frequency;
  const kept = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  return ((1 - kept) * frequency) / factor + kept * frequency;
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
