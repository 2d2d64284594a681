/** @file Hashes of the content of large files, computed once and remembered for as long as the files stay as they are. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../base/atomic-file.ts';
import { makeCacheFolder } from '../../base/cache-folder.ts';
import { EngineError } from '../../base/errors.ts';
import { canonicalJson, sha256, sha256OfFile } from '../../base/hash.ts';

/** What is smaller is hashed every time: as fast as looking it up. */
const REMEMBERED_BYTES = 64 << 20;

/**
 * SHA-256 of a file's bytes.
 * @param path a real path
 * @param cacheFolder where the hashes of large files are remembered, by path, size, times and number of the file
 * Cost: one read of the file, at the first call for one that is large.
 */
export async function contentHash(path: string, cacheFolder: string): Promise<string> {
  return rememberedHash('content', [path], cacheFolder, () => sha256OfFile(path));
}

/**
 * A hash of what is in some files.
 * @param kind what is hashed: hashes of two kinds do not meet
 * @param paths real paths
 * @param make the hash, where the files are small or have changed
 */
export async function rememberedHash(
  kind: string,
  paths: readonly string[],
  cacheFolder: string,
  make: () => Promise<string>,
): Promise<string> {
  const stats = await Promise.all(
    paths.map(async (path) => {
      const { size, mtimeMs, ctimeMs, ino } = await stat(path);
      return { path, size, mtimeMs, ctimeMs, ino };
    }),
  );
  if (stats.reduce((sum, { size }) => sum + size, 0) < REMEMBERED_BYTES) return make();
  const remembered = join(cacheFolder, 'hashes', sha256(canonicalJson({ kind, stats })));
  const known = await readFile(remembered, 'utf8').catch(() => '');
  if (/^[0-9a-f]{64}$/.test(known)) return known;
  const hash = await make();
  try {
    await makeCacheFolder(join(cacheFolder, 'hashes'));
    await writeFileAtomically(remembered, (file) => file.writeFile(hash));
  } catch (error) {
    // A cache that cannot be written costs this read again, and changes nothing.
    if (!(error instanceof EngineError)) throw error;
  }
  return hash;
}
