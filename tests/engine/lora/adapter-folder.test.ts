/** @file Adapter folders: PEFT's own are read, ours are written and read back, and what does not fit is refused by name. */
import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WeightsError } from '../../../src/base/errors.ts';
import { loadAdapter, saveAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { blockModules } from '../../../src/engine/lora/layers.ts';
import { parsePeftConfig, peftConfig } from '../../../src/engine/lora/peft-config.ts';
import { loraScaling } from '../../../src/engine/models/parameters.ts';
import {
  openSafetensors,
  readTensor,
  type TensorToWrite,
  writeSafetensors,
} from '../../../src/engine/weights/safetensors.ts';
import { tinyModel } from '../../support/tiny-model.ts';

const theirs = 'tests/golden/tiny-llama/adapter';
const model = await tinyModel();
const home = await mkdtemp(join(tmpdir(), 'nextquill-adapter-'));
let folders = 0;
const fresh = () => join(home, `adapter-${folders++}`);

/** A copy of PEFT's adapter, changed. */
async function copyWith(config: Record<string, unknown>, files: Record<string, unknown> = {}) {
  const folder = fresh();
  await cp(theirs, folder, { recursive: true });
  const path = join(folder, 'adapter_config.json');
  const json = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...json, ...config }));
  for (const [name, content] of Object.entries(files))
    await writeFile(join(folder, name), JSON.stringify(content));
  return folder;
}

async function rewriteTensors(folder: string, change: (tensors: TensorToWrite[]) => TensorToWrite[]) {
  const path = join(folder, 'adapter_model.safetensors');
  const file = await openSafetensors(path);
  const tensors: TensorToWrite[] = [];
  for (const { name, shape } of file.tensors.values())
    tensors.push({ name, shape, dtype: 'F32', data: await readTensor(file, name) });
  await writeSafetensors(path, change(tensors));
}

const loading = (folder: string) => loadAdapter(folder, model);
const failure = async (folder: string): Promise<WeightsError> =>
  await loading(folder).then(
    () => {
      throw new Error('expected a refusal');
    },
    (error) => error as WeightsError,
  );

describe('adapters of PEFT', () => {
  it('are read with their options and every matrix', async () => {
    const { lora, tensors, info, warnings } = await loading(theirs);
    expect(lora).toEqual({ rank: 4, loraAlpha: 8, targetModules: blockModules(model).sort() });
    expect(Object.keys(tensors)).toHaveLength(2 * 2 * 7);
    const file = await openSafetensors(join(theirs, 'adapter_model.safetensors'));
    for (const [name, { data }] of Object.entries(tensors))
      expect([...data]).toEqual([...(await readTensor(file, name))]);
    expect(info).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it('keep rank-stabilised scaling and dropout, in PEFT’s keys', () => {
    const lora = { rank: 16, loraAlpha: 8, targetModules: ['q_proj'], dropout: 0.1, rsLora: true };
    const config = peftConfig(lora, 'base');
    expect(config).toMatchObject({ use_rslora: true, lora_dropout: 0.1, lora_alpha: 8 });
    const { targetModules: _, ...options } = lora;
    expect(parsePeftConfig(config, 'x')).toEqual(options);
    expect(loraScaling(lora)).toBe(2);
    expect(loraScaling({ ...lora, rsLora: false })).toBe(0.5);
  });

  it.each([
    ['use_dora', true],
    ['bias', 'all'],
    ['lora_bias', true],
    ['modules_to_save', ['lm_head']],
    ['rank_pattern', { q_proj: 2.5 }],
    ['alpha_pattern', { q_proj: -8 }],
    ['alpha_pattern', { '(': 8 }],
    ['exclude_modules', ['q', 1]],
    ['exclude_modules', '.*'],
    ['layers_to_transform', [0]],
    ['init_lora_weights', 'pissa'],
    ['peft_type', 'IA3'],
    ['task_type', 'SEQ_CLS'],
    ['trainable_token_indices', [1]],
    ['an_option_of_a_later_version', { on: 1 }],
    ['target_modules', '(a'],
    ['target_modules', '(?i)q_proj'],
    ['target_modules', []],
    ['target_modules', null],
    // A pattern that would try for ever on such a name.
    ['target_modules', '(([a-z.0-9_]+)*)*!'],
    ['r', 0],
    ['lora_alpha', null],
  ])('are refused by name when %s is %j', async (key, value) => {
    const error = await failure(await copyWith({ [key]: value }));
    expect(error).toBeInstanceOf(WeightsError);
    expect(error.message).toContain(`adapter_config.json: ${key}: expected`);
  });

  it('are refused when their peft_type is missing', async () => {
    expect((await failure(await copyWith({ peft_type: undefined }))).message).toContain('peft_type');
  });

  it('are refused when they change a layer that the model lacks', async () => {
    for (const modules of [['q_proj', 'c_attn'], 'c_attn', ['self_attn.q_proj', 'c_attn']]) {
      const error = await failure(await copyWith({ target_modules: modules }));
      expect(error).toBeInstanceOf(WeightsError);
      expect(error.message).toMatch(/adapter_config\.json: target modules: .*"c_attn"/);
    }
  });
});

describe('adapter folders that are not whole', () => {
  it.each(['adapter_config.json', 'adapter_model.safetensors'])(
    'are refused without %s, by its name',
    async (name) => {
      const folder = await copyWith({});
      await rm(join(folder, name));
      const error = await failure(folder);
      expect(error.code).toBe('weights/missing-file');
      expect(error.message).toContain(join(folder, name));
    },
  );

  it.each(['adapter_config.json', 'adapter_model.safetensors'])(
    'are refused when %s is truncated',
    async (name) => {
      const folder = await copyWith({});
      await truncate(join(folder, name), 300);
      const error = await failure(folder);
      expect(error).toBeInstanceOf(WeightsError);
      expect(error.message).toContain(name);
    },
  );

  it('are refused when there are only pickled weights', async () => {
    const folder = await copyWith({}, { 'adapter_model.bin': {} });
    await rm(join(folder, 'adapter_model.safetensors'));
    expect((await failure(folder)).message).toContain('adapter_model.bin');
  });

  it('are refused when a matrix is missing, has another shape, or is one too many', async () => {
    const missing = await copyWith({});
    await rewriteTensors(missing, (tensors) => tensors.slice(1));
    expect((await failure(missing)).message).toContain('no such tensor');

    const shape = await copyWith({ r: 8 });
    expect((await failure(shape)).message).toMatch(/expected shape \[8, 32\].*got \[4, 32\]/);

    const extra = await copyWith({ target_modules: ['q_proj'] });
    expect((await failure(extra)).code).toBe('lora/extra-tensor');
  });

  // Were told to be used with another base, whatever was wrong.
  it('are refused for what is wrong with their names or tensors', async () => {
    const renamed = async (change: (name: string) => string) => {
      const folder = await copyWith({});
      await rewriteTensors(folder, (tensors) =>
        tensors.map((tensor) => ({ ...tensor, name: change(tensor.name) })),
      );
      return (await failure(folder)).code;
    };
    expect(await renamed((name) => name.replace('model.layers', '_orig_mod.model.layers'))).toBe(
      'lora/names',
    );
    expect(await renamed((name) => name.replace('lora_A.', 'lora_A.default.'))).toBe('lora/names');

    const empty = await copyWith({});
    await rewriteTensors(empty, (tensors) =>
      tensors.map((tensor) => ({ ...tensor, shape: [0], data: new Float32Array() })),
    );
    expect((await failure(empty)).code).toBe('lora/empty-tensor');

    const { hint } = await failure(await copyWith({ r: 8, base_model_name_or_path: 'org/base' }));
    expect(hint).toContain('org/base');
  });

  // Was accepted, and scoring then named the base model.
  it('are refused with NaN or infinity, by the tensor', async () => {
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) {
      const folder = await copyWith({});
      let changed = '';
      await rewriteTensors(folder, ([first, ...others]) => {
        changed = first!.name;
        const data = (first!.data as Float32Array).map((old, i) => (i === 3 ? value : old));
        return [{ ...first!, data }, ...others];
      });
      const error = await failure(folder);
      expect(error.code).toBe('weights/not-finite');
      expect(error.message).toContain(changed);
    }
  });

  it('are refused with another tokenizer, and warned about with another base', async () => {
    const tokenizer = await copyWith({}, { 'nextquill.json': { tokenizerHash: 'another' } });
    expect((await failure(tokenizer)).code).toBe('lora/tokenizer');

    const base = await copyWith(
      {},
      { 'nextquill.json': { modelHash: 'another', tokenizerHash: model.tokenizer.hash } },
    );
    expect((await loading(base)).warnings).toEqual([expect.stringContaining('another base model')]);
  });
});

describe('weights of the base beside an adapter', () => {
  const head = 'base_model.model.lm_head.base_layer.weight';
  const table = 'base_model.model.model.embed_tokens.weight';
  const withBase = async (name: string, parameter: string, change: (value: number) => number) => {
    const folder = await copyWith({});
    const { shape } = model.weights.tensors.get(parameter)!;
    const data = (await readTensor(model.weights, parameter)).map(change);
    await rewriteTensors(folder, (tensors) => [...tensors, { name, shape, dtype: 'F32', data }]);
    return folder;
  };

  // PEFT saves them with an adapter on lm_head: they were refused with the base that they are of.
  it('are left out where they are the base’s own', async () => {
    const bare = await loading(theirs);
    for (const [name, parameter] of [
      [head, 'lm_head.weight'],
      [table, 'model.embed_tokens.weight'],
    ] as const) {
      const { tensors, lora } = await loading(await withBase(name, parameter, (value) => value));
      expect(Object.keys(tensors)).toEqual(Object.keys(bare.tensors));
      expect(lora).toEqual(bare.lora);
    }
  });

  it('are refused where they were trained or resized', async () => {
    const trained = await withBase(table, 'model.embed_tokens.weight', (value) => value + 1);
    expect(await failure(trained)).toMatchObject({
      code: 'lora/trained-base',
      message: expect.stringContaining(table),
    });
    const resized = await copyWith({});
    await rewriteTensors(resized, (tensors) => [
      ...tensors,
      { name: head, shape: [2, 2], dtype: 'F32', data: new Float32Array(4) },
    ]);
    expect((await failure(resized)).code).toBe('lora/trained-base');
  });
});

it('an adapter on the head of a tied model is refused as that', async () => {
  const tied = await tinyModel('tiny-llama-tied');
  const folder = await copyWith({ target_modules: ['q_proj', 'lm_head'] });
  await expect(loadAdapter(folder, tied)).rejects.toMatchObject({ code: 'lora/tied-head' });
});

// A key of Object's own was looked up in it, and ended in a TypeError.
it.each(['toString', 'constructor', '__proto__'])('an unknown key %s is refused by name', async (key) => {
  const folder = await copyWith({});
  const path = join(folder, 'adapter_config.json');
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace('{', `{"${key}": 1,`));
  await expect(loading(folder)).rejects.toMatchObject({
    code: 'lora/unsupported',
    message: expect.stringContaining(key),
  });
});

it('hashes of nextquill.json that are none are refused', async () => {
  const folder = await copyWith({}, { 'nextquill.json': { modelHash: 5 } });
  expect((await failure(folder)).code).toBe('run/info');
});

describe('adapters that we write', () => {
  it('are read back bit for bit, with what was said beside them', async () => {
    const { lora, tensors } = await loading(theirs);
    const folder = fresh();
    const info = { modelHash: model.hash, tokenizerHash: model.tokenizer.hash, note: 'x' };
    await saveAdapter(folder, { lora, tensors }, { baseModel: 'tiny', info });
    const again = await loading(folder);
    expect(again.lora).toEqual(lora);
    expect(again.info).toEqual(info);
    expect(again.warnings).toEqual([]);
    for (const [name, { data }] of Object.entries(tensors))
      expect(Buffer.from(again.tensors[name]!.data.buffer).equals(Buffer.from(data.buffer))).toBe(true);
  });

  it('replace an older folder as a whole', async () => {
    const { lora, tensors } = await loading(theirs);
    const folder = fresh();
    await saveAdapter(folder, { lora, tensors }, { baseModel: 'first', info: { note: 'old' } });
    await saveAdapter(folder, { lora, tensors }, { baseModel: 'second' });
    const again = await loading(folder);
    expect(again.info).toBeUndefined();
    expect(await readFile(join(folder, 'adapter_config.json'), 'utf8')).toContain('"second"');
  });
});
