/** @file Every exported format is opened by its own reader: transformers, PEFT, Python's gguf; runs where NEXTQUILL_PYTHON names a Python that has them. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportModel } from '../../../src/app/files/export-model.ts';
import { type Adapter, saveAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { adaptedLayers, adapterShapes, blockModules } from '../../../src/engine/lora/layers.ts';
import { loadModel, type Model } from '../../../src/engine/models/model.ts';
import { loraParameters, loraScaling } from '../../../src/engine/models/parameters.ts';
import { openSafetensors, readTensor, writeSafetensors } from '../../../src/engine/weights/safetensors.ts';
import { logitsOf } from '../../support/logits.ts';
import { writeModelFolder } from '../../support/model-folder.ts';

const python = process.env.NEXTQUILL_PYTHON;
if (python === undefined)
  console.warn(
    'NOT RUN: exports opened by their own readers. Set NEXTQUILL_PYTHON to a Python with torch, transformers, peft and gguf.',
  );

/** f32 sums in another order than PyTorch's; logits of these models reach 10. */
const TOLERANCE = 1e-4;
const IDS = [5, 17, 32, 3, 40, 8, 8, 21];
const TEXTS = ['The Senate sat.', ' two  spaces\n\nand a “quote” 😀', 'naïve 12345 日本'];
/** Python loads torch and transformers, ms. */
const PYTHON_STARTS_IN = 300_000;

const decoder = {
  ...{ hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2, num_attention_heads: 4, head_dim: 8 },
  ...{ num_key_value_heads: 2, max_position_embeddings: 64, rms_norm_eps: 1e-5, torch_dtype: 'float32' },
};
const decoders = {
  llama: { ...decoder, model_type: 'llama', architectures: ['LlamaForCausalLM'] },
  qwen2: { ...decoder, model_type: 'qwen2', architectures: ['Qwen2ForCausalLM'], tie_word_embeddings: true },
  qwen3: { ...decoder, model_type: 'qwen3', architectures: ['Qwen3ForCausalLM'] },
  gemma3: {
    ...decoder,
    ...{ model_type: 'gemma3_text', architectures: ['Gemma3ForCausalLM'], sliding_window: 4 },
    ...{ query_pre_attn_scalar: 8, layer_types: ['sliding_attention', 'full_attention'] },
  },
  gpt2: {
    ...{ model_type: 'gpt2', architectures: ['GPT2LMHeadModel'], n_embd: 32, n_layer: 2, n_head: 4 },
    ...{ n_positions: 64, activation_function: 'gelu_new' },
  },
} as const;
const names = Object.keys(decoders) as (keyof typeof decoders)[];

interface Seen {
  merged: number[];
  base: number[];
  peft: number[];
  loading: Record<string, string[]>;
  ids: number[][];
  gguf: {
    type: string;
    adapter: string;
    architecture: string;
    alpha: number;
    tensors: Record<string, [number[], number]>;
    names: Record<string, string>;
  };
}

let home: string;
let seen: Record<string, Seen>;
const models = new Map<string, { model: Model; adapter?: Adapter }>();

/** transformers 5 makes the tokenizer of the model's family unless the folder names another; ours is of none. */
async function namePlainTokenizer(folder: string) {
  const path = join(folder, 'tokenizer_config.json');
  const json = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...json, tokenizer_class: 'PreTrainedTokenizerFast' }));
}

/** An adapter on all linear layers of the blocks, and the three formats of it. */
async function exported(name: keyof typeof decoders) {
  const [base, folder, merged, peft, gguf] = ['base', 'adapter', 'merged', 'peft', 'lora.gguf'].map((part) =>
    join(home, name, part),
  ) as [string, string, string, string, string];
  await writeModelFolder(base, 1, decoders[name]);
  await namePlainTokenizer(base);
  const model = await loadModel(base, home);
  const lora = { rank: 3, loraAlpha: 7, targetModules: blockModules(model), rsLora: true };
  const tensors = Object.fromEntries(
    adapterShapes(model, lora).map(({ name, shape }, n) => {
      const data = Float32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => Math.sin(n + i * i) / 6);
      return [name, { shape, data }];
    }),
  );
  await saveAdapter(folder, { lora, tensors }, { baseModel: base });
  const options = { adapter: folder, cacheFolder: home };
  await exportModel(base, { ...options, out: merged, format: 'merged', maxShardBytes: 30_000 });
  await exportModel(base, { ...options, out: peft, format: 'peft' });
  await exportModel(base, { ...options, out: gguf, format: 'gguf-lora' });
  models.set(name, { model, adapter: { lora, tensors } });
  const layers = adaptedLayers(model, lora).map((layer) => layer.name);
  return { base, merged, peft, gguf, architecture: name, layers: model.config.layers, names: layers };
}

/** A tied model whose file holds another head, and its export. */
async function withOwnHead() {
  const base = join(home, 'own-head');
  await writeModelFolder(base, 2, { ...decoders.llama, tie_word_embeddings: true });
  await namePlainTokenizer(base);
  const path = join(base, 'model.safetensors');
  const file = await openSafetensors(path);
  const tensors = await Promise.all(
    [...file.tensors.values()].map(async ({ name, shape }) => ({
      ...{ name, shape, dtype: 'F32' as const },
      data: await readTensor(file, name),
    })),
  );
  const table = tensors.find(({ name }) => name.includes('embed_tokens'))!;
  const head = table.data.map((value, i) => Math.cos(i) / 4 - value);
  await writeSafetensors(path, [...tensors, { ...table, name: 'lm_head.weight', data: head }], {
    format: 'pt',
  });
  const merged = join(home, 'own-head-merged');
  await exportModel(base, { out: merged, format: 'merged', cacheFolder: home });
  models.set('own-head', { model: await loadModel(base, home) });
  return { base, merged };
}

const worst = (a: readonly number[], b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
};
const values = async (given: Promise<{ data: unknown }>) => (await given).data as Float32Array;

describe.skipIf(python === undefined)('exports, opened by other tools', () => {
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'nextquill-readers-'));
    const jobs: Record<string, object> = { 'own-head': await withOwnHead() };
    for (const name of names) jobs[name] = await exported(name);
    const script = resolve(import.meta.dirname, '../../support/export-readers.py');
    const args = [script, ...[jobs, IDS, TEXTS].map((value) => JSON.stringify(value))];
    const output = execFileSync(python!, args, {
      maxBuffer: 64 << 20,
      encoding: 'utf8',
      env: { ...process.env, HF_HUB_OFFLINE: '1' },
    });
    seen = JSON.parse(output.trim().split('\n').at(-1)!) as typeof seen;
  }, PYTHON_STARTS_IN);
  afterAll(() => rm(home, { recursive: true }));

  it.each(names)(
    '%s merged: transformers finds every tensor, gives our logits and cuts texts as we do',
    async (name) => {
      const { model, adapter } = models.get(name)!;
      const { merged, loading, ids } = seen[name]!;
      expect(loading).toEqual({});
      const ours = await values(logitsOf(model, IDS, loraParameters(adapter!.lora), adapter!.tensors));
      expect(worst(merged, ours)).toBeLessThan(TOLERANCE);
      expect(ids).toEqual(TEXTS.map((text) => [...model.tokenizer.encode(text).ids]));
    },
  );

  it.each(names)('%s as a PEFT adapter: PEFT gives our logits', async (name) => {
    const { model, adapter } = models.get(name)!;
    const ours = await values(logitsOf(model, IDS, loraParameters(adapter!.lora), adapter!.tensors));
    expect(worst(seen[name]!.peft, ours)).toBeLessThan(TOLERANCE);
    expect(worst(seen[name]!.base, ours)).toBeGreaterThan(100 * TOLERANCE);
  });

  it.each(names)('%s as a GGUF adapter: gguf reads it under its own names', async (name) => {
    const { model, adapter } = models.get(name)!;
    const { type, adapter: kind, architecture, alpha, tensors, names: theirs } = seen[name]!.gguf;
    expect({ type, kind, architecture }).toEqual({ type: 'adapter', kind: 'lora', architecture: name });
    expect(alpha).toBeCloseTo(loraScaling(adapter!.lora) * adapter!.lora.rank, 4);
    const expected = adaptedLayers(model, adapter!.lora).flatMap((layer) =>
      (['A', 'B'] as const).map((part) => {
        const { shape, data } = adapter!.tensors[`base_model.model.${layer.name}.lora_${part}.weight`]!;
        return {
          name: `${theirs[layer.name]}.lora_${part.toLowerCase()}`,
          shape: [...shape],
          sum: data.reduce((sum, value) => sum + value, 0),
        };
      }),
    );
    expect(Object.keys(tensors).sort()).toEqual(expected.map((tensor) => tensor.name).sort());
    for (const tensor of expected) {
      const [shape, sum] = tensors[tensor.name]!;
      expect(shape).toEqual(tensor.shape);
      expect(sum).toBeCloseTo(tensor.sum, 4);
    }
  });

  // The head of the file was left out: transformers 5 uses it.
  it('a tied model with another head: transformers gives our logits, of the model and of its export', async () => {
    const ours = await values(logitsOf(models.get('own-head')!.model, IDS));
    expect(worst(seen['own-head']!.base, ours)).toBeLessThan(TOLERANCE);
    expect(worst(seen['own-head']!.merged, ours)).toBeLessThan(TOLERANCE);
    expect(seen['own-head']!.loading).toEqual({});
  });
});
