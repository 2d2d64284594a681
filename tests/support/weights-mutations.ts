/** @file The files of models, adapters, runs' results and the hub's cache damaged; what is accepted is run once. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hubModel } from '../../src/app/open/hub/hub-model.ts';
import type { RandomStream } from '../../src/base/random.ts';
import { modelFolderOfGguf } from '../../src/engine/gguf/model-folder-of.ts';
import { loadAdapter } from '../../src/engine/lora/adapter-folder.ts';
import { loadModel, type Model } from '../../src/engine/models/model.ts';
import { loraParameters } from '../../src/engine/models/parameters.ts';
import { saveModel } from '../../src/engine/models/save-model.ts';
import { loadTokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { readTensor } from '../../src/engine/weights/safetensors.ts';
import { readRunInfo } from '../../src/method/runs/run-info.ts';
import { logitsOf } from './logits.ts';
import { writeModelFolder } from './model-folder.ts';
import { type MutationTarget, mutateBytes, mutateJson } from './mutations.ts';
import { tinyModel } from './tiny-model.ts';

const golden = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url));
const IDS = [5, 17, 32, 3];

let homeOfAll: string | undefined;

/** One folder for all mutants of this process, removed when it ends. */
function home(): string {
  if (homeOfAll === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'nextquill-mutation-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    homeOfAll = made;
  }
  return homeOfAll;
}

/** Makes something when it is first asked for. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const cache = () => join(home(), 'cache');

/** Share of accepted mutants that compute: a session takes far longer than what is read. */
const COMPUTING = 0.1;

/** Loads a folder; some of what loads computes. */
async function open(folder: string, random: RandomStream): Promise<void> {
  const model = await loadModel(folder, cache());
  if (random.next() < COMPUTING) await logitsOf(model, IDS.slice(0, model.config.maxPositions));
}

const decoders: readonly object[] = [
  {
    ...{ model_type: 'llama', hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2, head_dim: 4 },
    ...{
      num_attention_heads: 4,
      num_key_value_heads: 2,
      max_position_embeddings: 64,
      tie_word_embeddings: true,
    },
    ...{
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      torch_dtype: 'float32',
      hidden_act: 'silu',
      attention_bias: false,
    },
    rope_scaling: {
      ...{ rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
      original_max_position_embeddings: 32,
    },
  },
  {
    ...{
      model_type: 'gemma3_text',
      hidden_size: 16,
      intermediate_size: 24,
      num_hidden_layers: 2,
      head_dim: 4,
    },
    ...{ num_attention_heads: 2, num_key_value_heads: 1, max_position_embeddings: 64, sliding_window: 3 },
    ...{ query_pre_attn_scalar: 4, layer_types: ['sliding_attention', 'full_attention'], rms_norm_eps: 1e-6 },
    rope_scaling: { rope_type: 'yarn', factor: 2, original_max_position_embeddings: 32 },
  },
  { model_type: 'gpt2', n_embd: 16, n_layer: 2, n_head: 2, n_positions: 32, layer_norm_epsilon: 1e-5 },
];

const folders = once(async () => {
  const made: string[] = [];
  for (const [i, decoder] of decoders.entries()) {
    const folder = join(home(), `decoder-${i}`);
    await writeModelFolder(folder, i, decoder);
    made.push(folder);
  }
  return made;
});

const readJson = (folder: string, name: string): unknown =>
  JSON.parse(readFileSync(join(folder, name), 'utf8'));

/** JSON changed as a value, or as bytes. */
function damagedJson(value: unknown, random: RandomStream): string | Uint8Array {
  return random.next() < 0.2
    ? mutateBytes(new TextEncoder().encode(JSON.stringify(value)), random)
    : JSON.stringify(mutateJson(value, random));
}

/** A safetensors file with its header changed as JSON (its length right again), or its bytes, most of them the header's. */
function damagedSafetensors(bytes: Buffer, random: RandomStream): Uint8Array {
  const length = Number(bytes.readBigUInt64LE(0));
  const body = bytes.subarray(8 + length);
  if (random.next() < 0.5) {
    const json = JSON.stringify(mutateJson(JSON.parse(bytes.toString('utf8', 8, 8 + length)), random));
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(Buffer.byteLength(json)));
    return Buffer.concat([start, Buffer.from(json), body]);
  }
  if (random.next() < 0.5) return Buffer.concat([mutateBytes(bytes.subarray(0, 8 + length), random), body]);
  return mutateBytes(bytes, random);
}

/** A folder whose file `name` holds something else for as long as `use` takes. */
async function withDamaged(
  folder: string,
  name: string,
  content: string | Uint8Array,
  use: () => Promise<void>,
): Promise<void> {
  const path = join(folder, name);
  const whole = existsSync(path) ? readFileSync(path) : undefined;
  writeFileSync(path, content);
  try {
    await use();
  } finally {
    if (whole === undefined) rmSync(path);
    else writeFileSync(path, whole);
  }
}

/** A file of a model folder, damaged. */
function fileOfModel(name: string, damage: (folder: string, random: RandomStream) => string | Uint8Array) {
  return async (random: RandomStream): Promise<void> => {
    const folder = random.pick(await folders());
    await withDamaged(folder, name, damage(folder, random), () => open(folder, random));
  };
}

const sharded = once(async () => {
  const [folder] = await folders();
  const model = await loadModel(folder!, cache());
  const out = join(home(), 'sharded');
  await saveModel(out, model, (name) => readTensor(model.weights, name), { maxShardBytes: 8000 });
  return out;
});

const ggufs = ['llama', 'gpt2', 'gemma3'].map((name) => golden(`gguf/${name}.gguf`));

/** As much of a GGUF file as holds its architecture and some of its vocabulary. */
const GGUF_START = 3000;

const tiny = once(() => tinyModel());

const adapter = once(async () => {
  const folder = join(home(), 'adapter');
  cpSync(golden('tiny-llama/adapter'), folder, { recursive: true });
  return folder;
});

/** The tiny model with an adapter; both compute. */
async function openAdapter(folder: string, model: Model, random: RandomStream): Promise<void> {
  const { lora, tensors } = await loadAdapter(folder, model);
  if (random.next() < COMPUTING) await logitsOf(model, IDS, loraParameters(lora), tensors);
}

const info = {
  formatVersion: 1,
  modelHash: 'a'.repeat(64),
  tokenizerHash: 'ids-only',
  chatTemplateHash: 'b'.repeat(64),
  objective: 'perce',
  objectiveOptions: { highWeight: 0.9, softWeights: false },
  baseBits: 8,
  prompt: { template: 'default', reference: 'removed', maxTokens: 512, maxHistory: 8 },
};

const COMMIT = 'c'.repeat(40);

/** The hub's cache with one model in it. */
const hubCache = once(async () => {
  const root = join(home(), 'hub');
  const repository = join(root, 'models--owner--name');
  const snapshot = join(repository, 'snapshots', COMMIT);
  mkdirSync(join(repository, 'refs'), { recursive: true });
  writeFileSync(join(repository, 'refs', 'main'), COMMIT);
  cpSync(await sharded(), snapshot, { recursive: true });
  return root;
});

export const weightsTargets: readonly MutationTarget[] = [
  {
    name: 'config.json',
    tryMutant: fileOfModel('config.json', (folder, random) =>
      damagedJson(readJson(folder, 'config.json'), random),
    ),
  },
  {
    name: 'model.safetensors',
    tryMutant: fileOfModel('model.safetensors', (folder, random) =>
      damagedSafetensors(readFileSync(join(folder, 'model.safetensors')), random),
    ),
  },
  {
    name: 'generation_config.json',
    tryMutant: async (random) => {
      const [folder] = await folders();
      const whole = { bos_token_id: 1, eos_token_id: [2, 3], pad_token_id: 0, temperature: 0.6 };
      await withDamaged(folder!, 'generation_config.json', damagedJson(whole, random), async () => {
        await loadTokenizer(folder!);
      });
    },
  },
  {
    name: 'model.safetensors.index.json',
    tryMutant: async (random) => {
      const folder = await sharded();
      const name = 'model.safetensors.index.json';
      const content = damagedJson(readJson(folder, name), random);
      await withDamaged(folder, name, content, () => open(folder, random));
    },
  },
  {
    name: 'gguf',
    tryMutant: async (random) => {
      const bytes = readFileSync(random.pick(ggufs));
      const mutant =
        random.next() < 0.8
          ? Buffer.concat([mutateBytes(bytes.subarray(0, GGUF_START), random), bytes.subarray(GGUF_START)])
          : mutateBytes(bytes, random);
      const path = join(home(), 'mutant.gguf');
      writeFileSync(path, mutant);
      const converted = join(home(), 'converted');
      rmSync(converted, { recursive: true, force: true });
      mkdirSync(converted);
      await open(await modelFolderOfGguf(path, converted), random);
    },
  },
  {
    name: 'adapter',
    tryMutant: async (random) => {
      const folder = await adapter();
      const model = await tiny();
      const names = ['adapter_config.json', 'adapter_model.safetensors', 'nextquill.json'];
      const name = random.pick(names);
      const content =
        name === 'nextquill.json'
          ? damagedJson({ ...info, modelHash: model.hash }, random)
          : name === 'adapter_config.json'
            ? damagedJson(readJson(folder, name), random)
            : damagedSafetensors(readFileSync(join(folder, name)), random);
      await withDamaged(folder, name, content, () => openAdapter(folder, model, random));
    },
  },
  {
    name: 'nextquill.json',
    tryMutant: async (random) => {
      const folder = join(home(), 'mutant-info');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'nextquill.json'), damagedJson(info, random));
      await readRunInfo(folder);
    },
  },
  {
    name: 'hub-cache',
    tryMutant: async (random) => {
      const root = await hubCache();
      const repository = join(root, 'models--owner--name');
      const snapshot = join(repository, 'snapshots', COMMIT);
      const names = ['config.json', 'tokenizer_config.json', 'model.safetensors.index.json'];
      const name = random.pick([...names, 'refs/main']);
      const use = async () => {
        const env = { HF_HUB_CACHE: root, HF_HOME: home() };
        const { folder } = await hubModel({ repo: 'owner/name' }, { offline: true, env });
        await open(folder, random);
      };
      if (name === 'refs/main')
        return withDamaged(repository, name, mutateBytes(Buffer.from(COMMIT), random), use);
      return withDamaged(snapshot, name, damagedJson(readJson(snapshot, name), random), use);
    },
  },
];
