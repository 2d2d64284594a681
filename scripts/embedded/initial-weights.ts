/** @file The embedded model's shape and its first weights: random, but for attention that starts by looking up and copying. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RandomStream, randomStream } from '../../src/base/random.ts';
import { architectureOf, parseDecoderConfig } from '../../src/engine/models/registry.ts';
import { writeSafetensors } from '../../src/engine/weights/safetensors.ts';
import { CONTEXT, PRETRAINING_SEED } from './corpus.ts';
import { VOCABULARY_SIZE } from './tokenizer.ts';

const D = 256;
const HEADS = 8;
const KV_HEADS = 4;
const E = 32;
const LAYERS = 4;

/** Hugging Face's config.json. */
export const config = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: D,
  intermediate_size: 704,
  num_hidden_layers: LAYERS,
  num_attention_heads: HEADS,
  num_key_value_heads: KV_HEADS,
  head_dim: E,
  vocab_size: VOCABULARY_SIZE,
  max_position_embeddings: CONTEXT,
  rms_norm_eps: 1e-5,
  // Large, so that more than half of a head's pairs hardly turn within the context: those compare contents.
  rope_theta: 1e6,
  hidden_act: 'silu',
  attention_bias: false,
  mlp_bias: false,
  tie_word_embeddings: true,
  pad_token_id: 0,
  bos_token_id: null,
  eos_token_id: 3,
  torch_dtype: 'float16',
};

/** Norm of a token's own part of the embedding, and of the part that all tokens share. */
const OWN_NORM = 4;
const SHARED_NORM = 2;
/** Weights of the last norm: with so large an embedding, logits would start far too sure. */
const LAST_NORM = 0.125;
/** How much of what a copying head reads it writes: a contribution of about the embedding's norm, or half of it. */
const COPY = 0.75;
/** Factors of the query and key matrices of heads that look for the same predecessor, and for like tokens. */
const INDUCTION = 3.5;
const ALIKE = 1.5;
const POSITION = 1.5;
/** Pairs of a head that turn quickly (positions) and the others (contents), counted in pairs of E/2. */
const QUICK_PAIRS = 7;
const SLOW_PAIRS = E / 2 - QUICK_PAIRS;

/**
 * Matrices are normal of deviation 1/√in (the last ones of a block smaller by 16·√(2·layers)), norms 1, but for heads
 * that begin with a use (after Trockman and Kolter, arXiv 2305.09828, and Olsson et al., arXiv 2209.11895). The first
 * head of each group of layers 1 to 3, and the heads of group 0 in layer 0:
 *
 *  - layer 0: look one and two tokens back, by a direction that all embeddings share, and write what they see into
 *    directions of their own;
 *  - layer 1: look for tokens whose predecessor, or whose two predecessors, are the current ones, and copy them;
 *  - layers 2 and 3: look for tokens like the current state, and copy them.
 *
 * Nothing is taken from data. From random matrices alone a model of this size came to use histories only after
 * thousands of steps (docs/log.md).
 */
export async function writeInitialWeights(folder: string): Promise<void> {
  writeFileSync(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  const decoder = parseDecoderConfig(config, 'config.json');
  const structured = lookUpHeads();
  const tensors = architectureOf(decoder)
    .parameters(decoder)
    .map(({ name, shape }) => {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      if (shape.length === 1) data.fill(name === 'model.norm.weight' ? LAST_NORM : 1);
      else fillRandom(name, data, shape as readonly [number, number]);
      structured.get(name)?.(data);
      return { name, dtype: 'F32' as const, shape, data };
    });
  await writeSafetensors(join(folder, 'model.safetensors'), tensors);
}

function fillRandom(name: string, data: Float32Array, [, inputs]: readonly [number, number]): void {
  const random = randomStream(PRETRAINING_SEED, `embedded/init/${name}`);
  const isEmbedding = name.includes('embed');
  const isLast = /(o_proj|down_proj)/.test(name);
  const deviation = isEmbedding
    ? OWN_NORM / Math.sqrt(D)
    : 1 / Math.sqrt(inputs) / (isLast ? 2 * Math.sqrt(2 * LAYERS) : 1);
  for (let i = 0; i < data.length; i++) data[i] = random.normal() * deviation;
}

type Edit = (data: Float32Array) => void;

/** What is written over the random values, by the tensor's name. */
function lookUpHeads(): Map<string, Edit> {
  const random = randomStream(PRETRAINING_SEED, 'embedded/init/heads');
  const shared = orthonormalRows(random, 1)[0]!;
  const edits = new Map<string, Edit[]>();
  const edit = (layer: number, part: string, change: Edit) => {
    const name = `model.layers.${layer}.self_attn.${part}_proj.weight`;
    edits.set(name, [...(edits.get(name) ?? []), change]);
  };
  const setRows = (rows: readonly Float64Array[], first: number, scale: number) => (data: Float32Array) =>
    rows.forEach((row, r) => {
      for (let d = 0; d < D; d++) data[(first + r) * D + d] = row[d]! * scale;
    });
  const group = HEADS / KV_HEADS;
  /** The output matrix sends what head `head` read along `rows` back along `rows`. */
  const writeAlong = (layer: number, head: number, rows: readonly Float64Array[], scale: number) =>
    edit(layer, 'o', (data) => {
      for (let d = 0; d < D; d++)
        for (let e = 0; e < E; e++) data[d * HEADS * E + head * E + e] = rows[e]![d]! * scale;
    });

  // Layer 0: one and two back.
  const directions = orthonormalRows(random, (1 + group) * E);
  const seen = directions.slice(0, E);
  const noted = [directions.slice(E, 2 * E), directions.slice(2 * E)];
  edit(0, 'v', setRows(seen, 0, 1));
  edit(0, 'k', setRows(turned(shared, 0), 0, POSITION));
  for (let head = 0; head < group; head++) {
    edit(0, 'q', setRows(turned(shared, head + 1), head * E, POSITION));
    writeAlong(0, head, noted[head]!, COPY);
  }

  // What a query and a key of a look-up head compare: 2 · SLOW_PAIRS directions each.
  const half = SLOW_PAIRS;
  const sameToken = [seen, noted[0]!] as const; // the key's predecessor is the query's token
  const sameTwo = [
    [...seen.slice(0, half), ...noted[0]!.slice(half, 2 * half)],
    [...noted[0]!.slice(0, half), ...noted[1]!.slice(half, 2 * half)],
  ] as const;
  for (let layer = 1; layer < LAYERS; layer++) {
    for (let g = 0; g < KV_HEADS; g++) {
      const alike = orthonormalRows(random, E);
      const [query, key] = layer > 1 ? [alike, alike] : g % 2 === 0 ? sameToken : sameTwo;
      const sharpness = layer > 1 ? ALIKE : INDUCTION;
      edit(layer, 'q', setRows(slowRows(query), g * group * E, sharpness));
      edit(layer, 'k', setRows(slowRows(key), g * E, sharpness));
      const copied = orthonormalRows(random, E);
      edit(layer, 'v', setRows(copied, g * E, 1));
      writeAlong(layer, g * group, copied, layer === 1 ? COPY : COPY / 4);
    }
  }
  const all = new Map<string, Edit>(
    [...edits].map(([name, changes]) => [
      name,
      (data) => {
        for (const change of changes) change(data);
      },
    ]),
  );
  // The shared part is the same for all tokens, or a token with more of it would be seen in its neighbours' place.
  all.set('model.embed_tokens.weight', (data) => {
    for (let row = 0; row < data.length; row += D) {
      const along = shared.reduce((sum, x, d) => sum + x * data[row + d]!, 0);
      for (let d = 0; d < D; d++) data[row + d]! += (SHARED_NORM - along) * shared[d]!;
    }
  });
  return all;
}

/** Pairs that tell neighbouring positions apart. */
const POSITION_PAIRS = 3;

/** Rows of a query matrix that turn a state along `direction` into the rotary phase of `back` positions earlier. */
function turned(direction: Float64Array, back: number): Float64Array[] {
  return Array.from({ length: E }, (_, e) => {
    const pair = e % (E / 2);
    const angle = -back * config.rope_theta ** ((-2 * pair) / E);
    const part = e < E / 2 ? Math.cos(angle) : Math.sin(angle);
    return direction.map((x) => (pair < POSITION_PAIRS ? x * part : 0));
  });
}

/** Content rows in the pairs that turn slowly; 0 in the others. */
function slowRows(rows: readonly Float64Array[]): Float64Array[] {
  return Array.from({ length: E }, (_, e) => {
    const pair = e % (E / 2);
    if (pair < QUICK_PAIRS) return new Float64Array(D);
    return rows[(pair - QUICK_PAIRS) * 2 + (e < E / 2 ? 0 : 1)]!;
  });
}

/** `count` orthonormal directions of the model's width, by Gram and Schmidt. */
function orthonormalRows(random: RandomStream, count: number): Float64Array[] {
  const rows: Float64Array[] = [];
  while (rows.length < count) {
    const row = Float64Array.from({ length: D }, () => random.normal());
    for (const other of rows) {
      const along = dot(row, other);
      for (let d = 0; d < D; d++) row[d]! -= along * other[d]!;
    }
    const norm = Math.sqrt(dot(row, row));
    rows.push(row.map((x) => x / norm));
  }
  return rows;
}

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
