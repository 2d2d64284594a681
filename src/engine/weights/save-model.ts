/** @file Writes a model folder in Hugging Face's layout: config.json, F32 weights, and the tokenizer's files copied. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFolderAtomically } from '../../base/atomic-folder.ts';
import type { Model } from '../models/model.ts';
import { writeSafetensors } from './safetensors.ts';

/** Files beside the weights that belong to the model; those that are there are copied. */
const companions = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'tokenizer.model',
  'chat_template.jinja',
  'generation_config.json',
];

/**
 * Writes a whole model, such as one after full training or with an adapter merged into it.
 * @param folder replaced when it is there
 * @param valuesOf the f32 values of a parameter by its name; asked for one after the other
 * @param info content of `nextquill.json`
 * @throws {EngineError} when the disk is full or the place cannot be written to
 */
export async function saveModel(
  folder: string,
  model: Model,
  valuesOf: (name: string) => Promise<Float32Array>,
  info?: Readonly<Record<string, unknown>>,
): Promise<void> {
  const config = JSON.parse(await readFile(join(model.folder, 'config.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  // transformers 5 writes `dtype`, earlier versions `torch_dtype`.
  for (const key of ['dtype', 'torch_dtype']) if (key in config) config[key] = 'float32';
  await writeFolderAtomically(folder, async (temporary) => {
    await writeFile(join(temporary, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
    if (info !== undefined)
      await writeFile(join(temporary, 'nextquill.json'), `${JSON.stringify(info, null, 2)}\n`);
    for (const name of companions) await copyIfThere(join(model.folder, name), join(temporary, name));
    const tensors = model.parameters.map(({ name, shape }) => ({
      name,
      dtype: 'F32' as const,
      shape,
      data: () => valuesOf(name),
    }));
    // transformers refuses files that do not say which framework's layout they have.
    await writeSafetensors(join(temporary, 'model.safetensors'), tensors, { format: 'pt' });
  });
}

/** By content: a copy that kept a read-only mode could not be flushed. */
async function copyIfThere(from: string, to: string): Promise<void> {
  const content = await readFile(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (content !== undefined) await writeFile(to, content);
}
