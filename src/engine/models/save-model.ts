/** @file Writes a model folder in Hugging Face's layout: config.json, weights in one file or in shards, the tokenizer's files copied. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFolderAtomically } from '../../base/atomic-folder.ts';
import { WeightsError } from '../../base/errors.ts';
import { readJsonFile } from '../../base/json-file.ts';
import { checkFinite } from '../weights/finite.ts';
import { type TensorToWrite, writeSafetensors } from '../weights/safetensors.ts';
import { DTYPE_BYTES, elementCount } from '../weights/tensor-entry.ts';
import type { Model } from './model.ts';

/** Files beside the weights that belong to the model; those that are there are copied. */
export const companions: readonly string[] = [
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

/** How weights are written. */
export interface SaveModelOptions {
  /** Content of `nextquill.json`. */
  readonly info?: Readonly<Record<string, unknown>>;
  /** Default F32. */
  readonly dtype?: keyof typeof dtypeNames;
  /** Largest file of weights; without it all are in one. A larger tensor has a file of its own. */
  readonly maxShardBytes?: number;
}

/** transformers' name of each dtype. */
const dtypeNames = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const;

/** Largest number that each narrow dtype holds. */
const LARGEST = { F16: 65504, BF16: 3.3895313892515355e38, F32: Number.POSITIVE_INFINITY } as const;

/**
 * Writes a whole model, such as one after full training or with an adapter merged into it.
 * @param folder replaced when it is there
 * @param valuesOf the f32 values of a parameter by its name; asked for one after the other
 * @throws {WeightsError} when a value is not finite, or too large for f16 or bf16
 * @throws {EngineError} when the disk is full or the place cannot be written to
 */
export async function saveModel(
  folder: string,
  model: Model,
  valuesOf: (name: string) => Promise<Float32Array>,
  { info, dtype = 'F32', maxShardBytes = Number.POSITIVE_INFINITY }: SaveModelOptions = {},
): Promise<void> {
  const config = await savedConfig(model, dtype);
  await writeFolderAtomically(folder, async (temporary) => {
    await writeFile(join(temporary, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
    if (info !== undefined)
      await writeFile(join(temporary, 'nextquill.json'), `${JSON.stringify(info, null, 2)}\n`);
    for (const name of companions) await copyIfThere(join(model.folder, name), join(temporary, name));
    const tensors = model.parameters.map(({ name, shape }) => ({
      name,
      dtype,
      shape,
      data: async () => {
        const values = await valuesOf(name);
        checkFinite(name, values);
        checkRange(name, values, dtype);
        return values;
      },
    }));
    await writeShards(temporary, tensors, maxShardBytes);
  });
}

/** config.json of a model whose weights are saved in a dtype, F32 by default. */
export async function savedConfig(
  { folder, config: { tiedHead } }: Pick<Model, 'folder' | 'config'>,
  dtype: keyof typeof dtypeNames = 'F32',
): Promise<Record<string, unknown>> {
  const config = await readJsonFile(folder, 'config.json');
  // A file with a head of its own has one, whatever the config of the model said.
  if (!tiedHead) config.tie_word_embeddings = false;
  // transformers 5 writes `dtype`, earlier versions `torch_dtype`.
  for (const key of ['dtype', 'torch_dtype']) if (key in config) config[key] = dtypeNames[dtype];
  return config;
}

/** One `model.safetensors`, or shards in the order of the parameters with the index that names them. */
async function writeShards(
  folder: string,
  tensors: readonly TensorToWrite[],
  maxShardBytes: number,
): Promise<void> {
  const bytesOf = ({ dtype, shape }: TensorToWrite) => elementCount(shape)! * DTYPE_BYTES[dtype];
  const shards: TensorToWrite[][] = [[]];
  let room = maxShardBytes;
  for (const tensor of tensors) {
    const bytes = bytesOf(tensor);
    if (bytes > room && shards.at(-1)!.length > 0) {
      shards.push([]);
      room = maxShardBytes;
    }
    shards.at(-1)!.push(tensor);
    room -= bytes;
  }
  // transformers refuses files that do not say which framework's layout they have.
  const metadata = { format: 'pt' };
  if (shards.length === 1) return writeSafetensors(join(folder, 'model.safetensors'), tensors, metadata);
  const number = (i: number) => String(i).padStart(5, '0');
  const weightMap: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const name = `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    await writeSafetensors(join(folder, name), shard, metadata);
    for (const tensor of shard) weightMap[tensor.name] = name;
  }
  const total = tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  const index = { metadata: { total_size: total }, weight_map: weightMap };
  await writeFile(join(folder, 'model.safetensors.index.json'), `${JSON.stringify(index, null, 2)}\n`);
}

/** A narrow dtype would make infinities of what is larger, and the model would say nothing. */
function checkRange(name: string, values: Float32Array, dtype: keyof typeof LARGEST): void {
  const most = LARGEST[dtype];
  const large = values.find((value) => Math.abs(value) > most);
  if (large !== undefined)
    throw new WeightsError(
      `${name}: expected values up to ${most} for ${dtype.toLowerCase()}, got ${large}`,
      { code: 'weights/f16-range', hint: dtype === 'F16' ? 'Use bf16 or f32.' : 'Use f32.' },
    );
}

/** By content: a copy that kept a read-only mode could not be flushed. */
async function copyIfThere(from: string, to: string): Promise<void> {
  const content = await readFile(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (content !== undefined) await writeFile(to, content);
}
