/** @file What is measured: SmolLM2-135M's shape, the settings of one configuration, and a file of random weights. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomStream } from '../src/base/random.ts';
import type { DecoderConfig } from '../src/engine/models/hf-config.ts';
import { architectureOf, parseDecoderConfig } from '../src/engine/models/registry.ts';
import { writeSafetensors } from '../src/engine/weights/safetensors.ts';

/** SmolLM2-135M: 134,515,008 parameters. `--layers` shortens it while developing. */
export function smolLm2(layers = 30): DecoderConfig {
  const config = {
    model_type: 'llama',
    vocab_size: 49152,
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: layers,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    rms_norm_eps: 1e-5,
    rope_theta: 100000,
    max_position_embeddings: 8192,
    tie_word_embeddings: true,
  };
  return parseDecoderConfig(config, 'bench/shape.ts');
}

/** AdamW's numbers, LoRA's rank and the clipping norm, as in pytorch_peer.py. */
export const HYPERPARAMETERS = {
  learningRate: 2e-4,
  weightDecay: 0.025,
  maxGradientNorm: 1,
  rank: 16,
  loraAlpha: 32,
} as const;

export type Mode = 'full' | 'lora';

/** One configuration, as a peer receives it. */
export interface PeerSettings {
  readonly mode: Mode;
  readonly batch: number;
  readonly length: number;
  readonly threads: number;
  readonly seed: number;
}

/** A safetensors file of random weights in a folder of its own, which is removed on disposal. */
export async function randomWeights(config: DecoderConfig, seed: number) {
  const folder = await mkdtemp(join(tmpdir(), 'nextquill-bench-'));
  const path = join(folder, 'model.safetensors');
  await writeSafetensors(
    path,
    architectureOf(config)
      .parameters(config)
      .map(({ name, shape }) => ({
        name,
        shape,
        dtype: 'F32',
        data: async () => randomTensor(name, shape, seed),
      })),
  );
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** Norms 1, all others uniform with standard deviation 0.02, as transformers starts a Llama (there normal). */
function randomTensor(name: string, shape: readonly number[], seed: number): Float32Array {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  if (shape.length === 1) return values.fill(1);
  const random = randomStream(seed, `bench/weights/${name}`);
  const bound = 0.02 * Math.sqrt(3);
  for (let i = 0; i < values.length; i++) values[i] = (2 * random.next() - 1) * bound;
  return values;
}

/**
 * Additions and multiplications of the products of one step: 2 for each weight and token forward and again for the
 * gradient of its input; full training once more for the weight's own. The embedding is a look-up, its product is the head.
 * Attention counts what a causal mask leaves of the two products forward and of the four backward; computing something
 * again counts as nothing. LoRA's own products count like weights that are trained.
 */
export function stepFlops(config: DecoderConfig, { mode, batch, length }: PeerSettings): number {
  const tokens = batch * length;
  const linear = architectureOf(config)
    .parameters(config)
    .filter(({ shape }) => shape.length === 2)
    .map(({ name, shape: [out, from] }) => ({ name, out: out!, from: from! }));
  const weights = linear.reduce((sum, { out, from }) => sum + out * from, 0);
  const adapters = linear
    .filter(({ name }) => name.includes('_proj'))
    .reduce((sum, { out, from }) => sum + HYPERPARAMETERS.rank * (out + from), 0);
  const pairs = (batch * length * (length + 1)) / 2;
  const attention = 6 * 2 * pairs * config.heads * config.headSize * config.layers;
  const passes = mode === 'full' ? 3 * weights : 2 * weights + 3 * adapters;
  return 2 * tokens * passes + attention;
}
