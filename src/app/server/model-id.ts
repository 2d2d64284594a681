/** @file What clients name a model by: the word, the hub id, or the last part of a path; never where its files are. */
import { basename } from 'node:path';
import { parseHubId } from '../../base/hub-id.ts';
import type { Subject } from '../verbs.ts';

export function modelIdOf({ source, model }: Pick<Subject, 'source' | 'model'>): string {
  const name = source ?? model.folder;
  const hub = parseHubId(name);
  const id = hub === undefined ? basename(name) : hub.repo;
  // A colon stands between base and adapter.
  return id.replace(/\.gguf$/, '').replaceAll(':', '-');
}
