/** @file Scaled rotary embeddings of a GGUF file: the keys of its metadata, and Llama 3's factors, which are a tensor. */
import { WeightsError } from '../../base/errors.ts';
import { optionalValue } from './gguf-file.ts';
import type { Hyperparameters } from './hyperparameters.ts';

/** What Llama 3.1 to 3.3 have; files hold what they come to, not these numbers. */
const LLAMA3 = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

/** The part of config.json that says how positions are scaled; empty where they are not. @throws {WeightsError} for a way that it cannot say */
export function ropeScaling(p: Hyperparameters): Record<string, unknown> {
  const { file, architecture, ropeFactors } = p;
  if (ropeFactors !== undefined) return llama3Scaling(p, ropeFactors);
  for (const name of ['rope_factors_long.weight', 'rope_factors_short.weight'])
    if (file.tensors.has(name))
      throw unsupported(p, `tensor ${JSON.stringify(name)}`, 'long and short factors');
  const type = optionalValue(file, `${architecture}.rope.scaling.type`, 'string') ?? 'none';
  // Old files hold the factor alone.
  const factor = p.optional('rope.scaling.factor') ?? p.optional('rope.scale_linear') ?? 1;
  if (type === 'yarn')
    return {
      rope_scaling: {
        rope_type: 'yarn',
        factor,
        original_max_position_embeddings: p.number('rope.scaling.original_context_length'),
      },
    };
  if (type !== 'none' && type !== 'linear')
    throw unsupported(p, `${architecture}.rope.scaling.type`, JSON.stringify(type));
  return factor === 1 ? {} : { rope_scaling: { rope_type: 'linear', factor } };
}

/** Llama 3's scaling, by the factors f32[E / 2] that its converter has written: the slowest rotation has the whole factor. */
function llama3Scaling(p: Hyperparameters, factors: Float32Array): Record<string, unknown> {
  const theta = p.optional('rope.freq_base') ?? 10_000;
  const factor = factors.at(-1)!;
  const original =
    p.optional('rope.scaling.original_context_length') ?? LLAMA3.original_max_position_embeddings;
  const scaling = { rope_type: 'llama3', factor, ...LLAMA3, original_max_position_embeddings: original };
  const isRule = factors.every((found, i) => {
    const expected = llama3Factor(theta ** (i / factors.length), scaling);
    return Math.abs(found - expected) <= 1e-4 * expected;
  });
  if (isRule) return { rope_scaling: scaling };
  throw unsupported(p, 'tensor "rope_freqs.weight"', 'factors of another rule than Llama 3’s');
}

/** What Llama 3 divides a frequency by. @param period positions in which it turns by one radian */
function llama3Factor(period: number, scaling: typeof LLAMA3 & { readonly factor: number }): number {
  const { factor, low_freq_factor: low, high_freq_factor: high } = scaling;
  const turns = scaling.original_max_position_embeddings / (2 * Math.PI * period);
  if (turns > high) return 1;
  if (turns < low) return factor;
  const smooth = (turns - low) / (high - low);
  return 1 / ((1 - smooth) / factor + smooth);
}

function unsupported(p: Hyperparameters, where: string, got: string): WeightsError {
  return new WeightsError(
    `${p.file.path}: ${where}: expected linear, yarn or Llama 3’s scaling, got ${got}`,
    {
      code: 'gguf/unsupported',
      hint: 'Use a model without scaled rotary embeddings.',
    },
  );
}
