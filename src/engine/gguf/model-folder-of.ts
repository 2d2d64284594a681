/**
 * @file A GGUF file as a model folder in Hugging Face's layout, made once and kept in the cache: everything after it
 * (mapping, training, saving, other programs) then knows one kind of model only.
 */
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { removeLeftovers, writeFileAtomically } from '../../base/atomic-file.ts';
import { makeCacheFolder } from '../../base/cache-folder.ts';
import { throwIfAborted, WeightsError } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import type { LoadModelOptions } from '../models/model.ts';
import { architectureOf, parseDecoderConfig } from '../models/registry.ts';
import { contentHash } from '../weights/content-hash.ts';
import type { ConversionOptions } from '../weights/f32-cache.ts';
import { openModelFolder } from '../weights/model-folder.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import { type GgufFile, tensorPieces } from './gguf-file.ts';
import { ggufArchitecture, modelConfig } from './model-config.ts';
import { openGguf } from './open-gguf.ts';
import { type PlacedTensor, placeTensors } from './tensor-names.ts';
import { generationConfig, tokenizerFiles } from './tokenizer-files.ts';

/** Part of the cache's names: counts up whenever the same file would become another folder. */
const CONVERSION = 3;

/** Files beside a .gguf that stand for its own tokenizer where there is a tokenizer.json. */
const COMPANIONS = [
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'generation_config.json',
] as const;

/**
 * The folder of the model in a GGUF file: config.json, F32 model.safetensors and the tokenizer.
 * A tokenizer.json beside the file is used instead of the file's own tokenizer.
 *
 * Files are written under other names and renamed, config.json last, so that a kill leaves nothing that counts, and
 * processes that convert at the same time do no harm.
 * @param cacheFolder made when it is missing; the folder's name in it comes from the content of the files
 * @throws {WeightsError} naming what in the file is damaged or not supported, before anything is written
 * @throws {EngineError} when the cache cannot be written
 * @throws {AbortedError} when `signal` is aborted
 * Cost: one read of the file and one write of its weights as f32 at the first call; some 32 MiB of memory.
 */
export async function modelFolderOfGguf(
  path: string,
  cacheFolder: string,
  options: LoadModelOptions = {},
): Promise<string> {
  const file = await openGguf(path);
  const beside = await companionsOf(dirname(file.path));
  const content: string[] = [];
  for (const part of file.files) content.push(await contentHash(part, cacheFolder));
  const key = sha256(canonicalJson({ conversion: CONVERSION, content, beside }));
  const folder = join(cacheFolder, `gguf-${key.slice(0, 32)}`);
  // Before the cache is looked at: what the file holds beside the model is told each time.
  const { config, tensors } = await planOf(file, options);
  if (await isWhole(folder)) return folder;
  const own = tokenizerOf(file, beside);
  await makeCacheFolder(folder);
  await writeWeights(join(folder, 'model.safetensors'), file, tensors, options);
  for (const [name, text] of Object.entries(own)) await writeText(join(folder, name), text);
  await writeText(join(folder, 'config.json'), json(config));
  return folder;
}

async function isWhole(folder: string): Promise<boolean> {
  try {
    await openModelFolder(folder);
    return true;
  } catch (error) {
    if (error instanceof WeightsError) return false;
    throw error;
  }
}

async function companionsOf(folder: string): Promise<Readonly<Record<string, string>>> {
  const texts: Record<string, string> = {};
  for (const name of COMPANIONS) {
    const text = await readFile(join(folder, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text !== undefined) texts[name] = text;
  }
  return texts['tokenizer.json'] === undefined ? {} : texts;
}

/** The tokenizer's files by name; those beside the file win. */
function tokenizerOf(file: GgufFile, beside: Readonly<Record<string, string>>): Record<string, string> {
  const own = { 'generation_config.json': json(generationConfig(file)) };
  if (beside['tokenizer_config.json'] !== undefined) return { ...own, ...beside };
  const { tokenizer, config } = tokenizerFiles(file);
  const configured = { ...own, 'tokenizer_config.json': json(config) };
  if (beside['tokenizer.json'] !== undefined) return { ...configured, ...beside };
  return { ...configured, 'tokenizer.json': json(tokenizer) };
}

/** config.json and where each tensor goes: all parameters of the model, each of its shape, and none left over. */
async function planOf(file: GgufFile, { onWarning }: LoadModelOptions) {
  const json = modelConfig(file, await ropeFactors(file), onWarning);
  const config = parseDecoderConfig(json, file.path);
  const found = new Map(
    placeTensors(file, ggufArchitecture(file), config).map((placed) => [placed.name, placed]),
  );
  const parameters = architectureOf(config).parameters(config);
  const known = new Set(parameters.map(({ name }) => name));
  const extra = [...found.values()].find(({ name }) => !known.has(name));
  if (extra !== undefined)
    throw new WeightsError(
      `${file.path}: tensor ${JSON.stringify(extra.tensor.name)}: expected none by the file's metadata, got one for ${extra.name}`,
      { code: 'gguf/unknown-tensor', hint: 'Convert the model to GGUF again.' },
    );
  const tensors = parameters.map(({ name, shape }): PlacedTensor => {
    const placed = found.get(name);
    const got = placed === undefined ? 'none' : `one of shape [${placed.shape.join(', ')}]`;
    if (placed !== undefined && String(placed.shape) === String(shape)) return placed;
    throw new WeightsError(
      `${file.path}: expected a tensor for ${name} of shape [${shape.join(', ')}], got ${got}`,
      { code: 'weights/shape', hint: 'Convert the model to GGUF again.' },
    );
  });
  return { config: json, tensors };
}

async function ropeFactors(file: GgufFile): Promise<Float32Array | undefined> {
  const tensor = file.tensors.get('rope_freqs.weight');
  if (tensor === undefined) return undefined;
  for await (const piece of tensorPieces(tensor)) return piece;
  return undefined;
}

async function writeWeights(
  path: string,
  file: GgufFile,
  tensors: readonly PlacedTensor[],
  { onProgress = () => {}, signal }: ConversionOptions,
): Promise<void> {
  const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 4);
  const total = tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  let done = 0;
  const report = () =>
    onProgress({
      stage: `converting ${basename(file.path)}`,
      done: Math.round(done / 1e6),
      total: Math.round(total / 1e6),
      unit: 'MB',
    });
  report();
  await removeLeftovers(path);
  await writeSafetensors(
    path,
    tensors.map(({ tensor, name, shape, layout }) => ({
      name,
      dtype: 'F32',
      shape,
      data: async function* () {
        for await (const piece of tensorPieces(tensor, layout.rowsPerGroup)) {
          throwIfAborted(signal);
          yield layout.apply(piece);
          done += piece.byteLength;
          report();
        }
      },
    })),
    { format: 'pt' },
  );
}

const json = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;

const writeText = (path: string, text: string) => writeFileAtomically(path, (file) => file.writeFile(text));
