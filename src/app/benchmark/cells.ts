/** @file What a benchmark keeps: the result of each cell in a file of its own, written whole or not at all. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../base/atomic-file.ts';
import { makeFolder } from '../../base/atomic-folder.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';

/** Keeps results by name; one that was made of something else is made again. */
export interface Cells {
  /**
   * The result of that name: read where it was computed from the same `made`, else computed and kept.
   * @param made everything that the result depends on, as JSON
   */
  result<T>(name: string, made: unknown, compute: () => Promise<T>): Promise<T>;
}

/** The cells below a folder. @throws {EngineError} when it cannot be written */
export async function openCells(folder: string): Promise<Cells> {
  await makeFolder(folder);
  return {
    result: async (name, made, compute) => {
      const path = join(folder, `${name}.json`);
      const key = sha256(canonicalJson(made as never));
      const known = await readCell(path);
      if (known?.key === key) return known.value as never;
      const value = await compute();
      await writeFileAtomically(path, (file) => file.writeFile(`${JSON.stringify({ key, value })}\n`));
      return value;
    },
  };
}

/** A file that is damaged counts as absent: its cell is computed again. */
async function readCell(path: string): Promise<{ key?: unknown; value?: unknown } | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as { key?: unknown; value?: unknown };
  } catch {
    return undefined;
  }
}
