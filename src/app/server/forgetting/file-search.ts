/** @file Every file of a store read and searched for pieces of texts. */
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { byteSearch } from './byte-search.ts';

export interface FileSearch {
  readonly files: number;
  readonly bytes: number;
  /** File, relative to the folder, and piece; each pair once. */
  readonly hits: readonly { readonly file: string; readonly piece: string }[];
}

/** Bytes that are read at a time. */
const PIECE_BYTES = 1 << 20;

/**
 * Searches all files of a folder.
 * @param handles of files that are already open and stay open, by path: a process that closes a file of SQLite's gives up the
 *   locks that it holds on it, so those are never opened and closed beside the database
 */
export async function searchFiles(
  folder: string,
  pieces: readonly string[],
  handles: ReadonlyMap<string, FileHandle>,
): Promise<FileSearch> {
  const needles = pieces.map((piece) => Buffer.from(piece));
  const overlap = Math.max(4, ...needles.map(({ length }) => length)) - 1;
  const search = byteSearch(needles);
  const buffer = Buffer.alloc(PIECE_BYTES + overlap);
  const hits = new Map<string, { file: string; piece: string }>();
  let files = 0;
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const kept = handles.get(path);
    // What is gone by now holds nothing.
    const handle = kept ?? (await open(path, 'r').catch(() => undefined));
    if (handle === undefined) continue;
    files += 1;
    try {
      let held = 0;
      for (let at = 0; ; ) {
        const { bytesRead } = await handle.read(buffer, held, PIECE_BYTES, at);
        if (bytesRead === 0) break;
        at += bytesRead;
        bytes += bytesRead;
        const filled = held + bytesRead;
        for (const { needle } of search(buffer.subarray(0, filled))) {
          const hit = { file: relative(folder, path), piece: pieces[needle]! };
          hits.set(`${hit.file}\n${hit.piece}`, hit);
        }
        held = Math.min(overlap, filled);
        buffer.copyWithin(0, filled - held, filled);
      }
    } finally {
      if (kept === undefined) await handle.close();
    }
  }
  return { files, bytes, hits: [...hits.values()] };
}
