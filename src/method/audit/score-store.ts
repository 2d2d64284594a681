/**
 * @file Scores kept on disk by content hash: an audit that is stopped goes on from there, and a second one reuses them.
 *
 * The cache of effects (app/files/effect-cache.ts) does not serve here: its books hold token ids, which are texts to whoever has
 * the tokenizer, and an audit's folder may be one that travels redacted; and a book is one Parquet file that is written whole, at
 * the end, where a kill must lose no more than the run in hand.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeAll } from '../../base/atomic-file.ts';
import { makeFolder } from '../../base/atomic-folder.ts';
import { describeFileError } from '../../base/file-error.ts';
import { sha256 } from '../../base/hash.ts';
import type { ScoreKeeper } from '../scoring/score-keeper.ts';
import { scoresHash } from '../scoring/scored-hash.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';

/**
 * A keeper of log-probabilities in a file of JSON lines, which is made where there is none; it may hold those of several
 * models. Holds hashes and numbers, no text and no token. A last line that a kill cut off is passed over.
 * @throws {EngineError} when the file cannot be read or written
 */
export async function scoreFile(path: string, scored: ScoredModel): Promise<ScoreKeeper & AsyncDisposable> {
  const known = new Map<string, Float32Array>();
  const model = scoresHash(scored);
  const nameOf = (key: string) => sha256(`${model} ${key}`);
  let file: FileHandle;
  await makeFolder(dirname(path));
  try {
    file = await open(path, 'a');
    for (const line of (await readFile(path, 'utf8')).split('\n'))
      for (const [name, values] of parseLine(line)) known.set(name, values);
  } catch (error) {
    throw describeFileError(path, error);
  }
  return {
    get: async (key) => {
      const logProbability = known.get(nameOf(key));
      return logProbability && { values: { logProbability } };
    },
    put: async (entries) => {
      const kept = entries.flatMap(([key, { values }]) =>
        values.logProbability === undefined ? [] : [[nameOf(key), values.logProbability] as const],
      );
      for (const [name, values] of kept) known.set(name, values);
      // A cut-off line before ours must not swallow it.
      const lines = kept.map(([name, values]) => `\n${lineOf(name, encode(values))}`);
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

/** A line with its own checksum: one changed byte would be another score. */
const lineOf = (name: string, scores: string) =>
  JSON.stringify([name, scores, sha256(`${name} ${scores}`).slice(0, 8)]);

function parseLine(line: string): [string, Float32Array][] {
  const [, name, text] = /^\["([0-9a-f]{64})","([A-Za-z0-9+/]*={0,2})","[0-9a-f]{8}"\]$/.exec(line) ?? [];
  // A line that is damaged is computed again.
  if (name === undefined || text === undefined || line !== lineOf(name, text)) return [];
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0 || bytes.length % 4 !== 0) return [];
  return [[name, new Float32Array(Uint8Array.from(bytes).buffer)]];
}
