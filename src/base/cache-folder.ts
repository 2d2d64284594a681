/** @file The folder of all caches: converted weights and effects. It may hold users' texts, so that only its owner may look into it. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from './atomic-folder.ts';

/** NEXTQUILL_CACHE, else `nextquill` in the user's folder for caches by the rules of the system. */
export function defaultCacheFolder(): string {
  const { NEXTQUILL_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (NEXTQUILL_CACHE) return NEXTQUILL_CACHE;
  const ofSystem: Partial<Record<NodeJS.Platform, string>> = {
    darwin: join(homedir(), 'Library', 'Caches'),
    win32: LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'),
  };
  return join(ofSystem[process.platform] ?? (XDG_CACHE_HOME || join(homedir(), '.cache')), 'nextquill');
}

/**
 * Makes a folder of a cache and those above it, where they are missing, for the user alone (mode 0700). One that is
 * there keeps its mode.
 * @throws {EngineError} when the system refuses
 */
export async function makeCacheFolder(path: string): Promise<void> {
  await makeFolder(path, 0o700);
}
