/**
 * @file Scores kept on disk by content hash: an audit that is stopped goes on from there, and a second one reuses them.
 *
 * The cache of effects (app/effect-cache.ts) does not serve here: its books hold token ids, which are texts to whoever has the
 * tokenizer, and an audit's folder may be one that travels redacted; and a book is one Parquet file that is written whole, at the
 * end, where a kill must lose no more than the texts in hand.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeAll } from '../../base/atomic-file.ts';
import { makeFolder } from '../../base/atomic-folder.ts';
import { describeFileError } from '../../base/file-error.ts';
import { sha256 } from '../../base/hash.ts';
import type { ScoredPrompt } from '../prompts/collate.ts';
import { scoredHash } from '../scoring/scored-hash.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';

/** Log-probabilities by prompt and response; holds hashes and numbers, no text. */
export interface ScoreStore extends AsyncDisposable {
  get(key: string): Float32Array | undefined;
  /** Kept on disk before the promise resolves. */
  put(entries: readonly (readonly [key: string, values: Float32Array])[]): Promise<void>;
}

/** Names a prompt and its response for one model with its adapter or trained weights. */
export function scoreKeys(scored: ScoredModel): (prompt: ScoredPrompt) => string {
  const hash = scoredHash(scored);
  return ({ promptIds, responseIds }) => sha256(`${hash} ${promptIds.join()} ${responseIds.join()}`);
}

/** A store in memory only. */
export function memoryStore(): ScoreStore {
  const known = new Map<string, Float32Array>();
  return {
    get: (key) => known.get(key),
    put: async (entries) => {
      for (const [key, values] of entries) known.set(key, values);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/**
 * A store in a file of JSON lines, which is made where there is none. A last line that a kill cut off is passed over.
 * @throws {EngineError} when the file cannot be read or written
 */
export async function fileStore(path: string): Promise<ScoreStore> {
  const memory = memoryStore();
  let file: FileHandle;
  await makeFolder(dirname(path));
  try {
    file = await open(path, 'a');
    await memory.put((await readFile(path, 'utf8')).split('\n').flatMap(parseLine));
  } catch (error) {
    throw describeFileError(path, error);
  }
  return {
    get: memory.get,
    put: async (entries) => {
      await memory.put(entries);
      // A cut-off line before ours must not swallow it.
      const lines = entries.map(([key, values]) => `\n${JSON.stringify([key, encode(values)])}`);
      try {
        await writeAll(file, new TextEncoder().encode(lines.join('')));
      } catch (error) {
        throw describeFileError(path, error);
      }
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

const encode = (values: Float32Array) =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');

function parseLine(line: string): [string, Float32Array][] {
  const [, key, text] = /^\["([0-9a-f]{64})","([A-Za-z0-9+/]*={0,2})"\]$/.exec(line) ?? [];
  if (key === undefined || text === undefined) return [];
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0 || bytes.length % 4 !== 0) return [];
  return [[key, new Float32Array(Uint8Array.from(bytes).buffer)]];
}
