/** @file The content hash of a large file, computed once and remembered for as long as the file stays as it is. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../base/atomic-file.ts';
import { makeCacheFolder } from '../../base/cache-folder.ts';
import { canonicalJson, sha256, sha256OfFile } from '../../base/hash.ts';

/** Smaller files are hashed every time: as fast as looking it up. */
const REMEMBERED_BYTES = 64 << 20;

/**
 * SHA-256 of a file's bytes.
 * @param path a real path
 * @param cacheFolder where the hashes of large files are remembered, by path, size, times and number of the file
 * @throws {EngineError} when the cache cannot be written
 * Cost: one read of the file, at the first call for one that is large.
 */
export async function contentHash(path: string, cacheFolder: string): Promise<string> {
  const { size, mtimeMs, ctimeMs, ino } = await stat(path);
  if (size < REMEMBERED_BYTES) return sha256OfFile(path);
  const remembered = join(
    cacheFolder,
    'hashes',
    sha256(canonicalJson({ path, size, mtimeMs, ctimeMs, ino })),
  );
  const known = await readFile(remembered, 'utf8').catch(() => '');
  if (/^[0-9a-f]{64}$/.test(known)) return known;
  const hash = await sha256OfFile(path);
  await makeCacheFolder(join(cacheFolder, 'hashes'));
  await writeFileAtomically(remembered, (file) => file.writeFile(hash));
  return hash;
}
