/** @file The folder of a RunSpec: written whole or not at all, and read back with every claim checked. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFolderAtomically } from '../../base/atomic-folder.ts';
import { CheckpointError } from '../../base/errors.ts';
import { sha256OfFile } from '../../base/hash.ts';
import { parseJsonObject } from '../../base/json-file.ts';
import { type TensorToWrite, writeSafetensors } from '../../engine/weights/safetensors.ts';
import { type RunSpec, runSpecSchema } from './spec.ts';

/** In the folder of a run. */
export const SPEC = 'spec';
export const RUN_FILE = 'run.json';
/** Asks a worker to stop after the step at hand. */
export const STOP_FILE = 'stop';
/** How a worker ended; its last word. */
export const END_FILE = 'end.json';
/** The events of a worker, for those who are not its parent. */
export const EVENTS_FILE = 'events.jsonl';

/** A ragged list of ids as two tensors, `name.values` I32 and `name.offsets` I64. */
export function ragged(name: string, lists: readonly (readonly number[])[]): TensorToWrite[] {
  const offsets = new BigInt64Array(lists.length + 1);
  for (const [i, list] of lists.entries()) offsets[i + 1] = offsets[i]! + BigInt(list.length);
  const values = Int32Array.from(lists.flat());
  return [
    { name: `${name}.values`, dtype: 'I32', shape: [values.length], data: values },
    { name: `${name}.offsets`, dtype: 'I64', shape: [offsets.length], data: offsets },
  ];
}

/** One tensor of one axis. */
export function column(
  name: string,
  dtype: 'I32' | 'F64' | 'U8' | 'F32',
  data: readonly number[],
): TensorToWrite {
  const arrays = { I32: Int32Array, F64: Float64Array, U8: Uint8Array, F32: Float32Array };
  return { name, dtype, shape: [data.length], data: arrays[dtype].from(data) };
}

/**
 * Writes `spec/` into a folder, in the place of one that is there: all files, then run.json with their sizes and hashes.
 * @param files tensors by the name of their file
 * @throws {EngineError} when the disk is full or the place cannot be written to
 * @returns the spec with its files
 */
export async function writeSpec<S extends RunSpec>(
  folder: string,
  spec: Omit<S, 'files'>,
  files: Readonly<Record<string, readonly TensorToWrite[]>>,
): Promise<S> {
  const records: RunSpec['files'] = {};
  await writeFolderAtomically(join(folder, SPEC), async (temporary) => {
    for (const [name, tensors] of Object.entries(files)) {
      const path = join(temporary, name);
      await writeSafetensors(path, tensors);
      records[name] = { bytes: (await stat(path)).size, sha256: await sha256OfFile(path) };
    }
    await writeFile(join(temporary, RUN_FILE), `${JSON.stringify({ ...spec, files: records }, null, 2)}\n`);
  });
  return { ...spec, files: records } as S;
}

/**
 * The RunSpec in a folder, checked against its schema, and each of its files against size and hash.
 * @throws {CheckpointError} `spec/missing`, `spec/invalid` with the key, or `spec/changed` with the file
 */
export async function readSpec(folder: string): Promise<RunSpec> {
  const path = join(folder, SPEC, RUN_FILE);
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw specError(
      'missing',
      `${path}: expected a RunSpec, got ${cause.code === 'ENOENT' ? 'none' : cause.code}`,
    );
  });
  const spec = parseSpec(path, text);
  for (const [name, { bytes, sha256 }] of Object.entries(spec.files)) {
    const file = join(folder, SPEC, name);
    const size = await stat(file).then(
      (found) => found.size,
      () => undefined,
    );
    if (size !== bytes)
      throw specError(
        'changed',
        `${file}: expected ${bytes} bytes, got ${size === undefined ? 'no file' : size}`,
      );
    const hash = await sha256OfFile(file);
    if (hash !== sha256)
      throw specError(
        'changed',
        `${file}: expected content of hash ${sha256.slice(0, 12)}…, got ${hash.slice(0, 12)}…`,
      );
  }
  return spec;
}

/** run.json as its schema reads it. @throws {CheckpointError} `spec/invalid`, naming the key */
export function parseSpec(path: string, text: string): RunSpec {
  let json: unknown;
  try {
    json = parseJsonObject(path, text);
  } catch (cause) {
    throw specError('invalid', (cause as Error).message);
  }
  const parsed = runSpecSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const key = [...issue.path, ...(issue.code === 'unrecognized_keys' ? [issue.keys[0]!] : [])].join('.');
  throw specError(
    'invalid',
    `${path}: ${key}: expected what the RunSpec's schema allows, got another: ${issue.message}`,
  );
}

function specError(kind: 'missing' | 'invalid' | 'changed', message: string): CheckpointError {
  return new CheckpointError(message, {
    code: `spec/${kind}`,
    hint: 'Start or resume the run by "nextquill train", which writes spec/ anew.',
  });
}
