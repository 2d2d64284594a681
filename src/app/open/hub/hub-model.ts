/** @file A model of the Hugging Face hub by its id: its files in the standard cache, its revision pinned to a commit. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, WeightsError } from '../../../base/errors.ts';
import { type HubId, isCommit } from '../../../base/hub-id.ts';
import type { ProgressListener } from '../../../base/progress.ts';
import { INDEX_FILE } from '../../../engine/weights/shards.ts';
import {
  cachedCommit,
  linkIntoSnapshot,
  missingFiles,
  noteAbsence,
  repositoryFolder,
  sizeOf,
  snapshotFolder,
  writeRef,
} from './cache.ts';
import { downloadContent, type RemoteFile } from './download.ts';
import { type Environment, hubCacheFolder, hubEndpoint, hubToken, isOffline } from './environment.ts';
import { isUnreachable } from './failure.ts';
import { optionalFiles, shardsOf, WEIGHTS_FILE, wantedFiles } from './model-files.ts';
import { type Remote, remoteRepository } from './remote.ts';

export interface HubModelOptions {
  /** Use the cache only; HF_HUB_OFFLINE does the same. */
  readonly offline?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
  readonly onWarning?: (message: string) => void;
  /** Default: that of the process. */
  readonly env?: Environment;
  /** Wait before a broken download is tried again, milliseconds; doubled at each further attempt. */
  readonly retryDelayMs?: number;
}

/** A model whose files are all in the cache. */
export interface HubModel {
  /** Folder of the snapshot; its files may be links to contents beside it. */
  readonly folder: string;
  /** `owner/name@commit`: the same bytes for ever. */
  readonly pinned: string;
}

/**
 * Finds a model in the cache, or downloads what is missing of it: config, weights in safetensors, tokenizer.
 *
 * A commit that is whole in the cache is used without a word to the network; a branch or tag is looked up first, and
 * where the hub cannot be reached its cached commit is used with a warning.
 * @throws {ConfigError} for a name or revision that the hub does not have or show, and offline for what is not cached
 * @throws {WeightsError} for a repository without safetensors or tokenizer.json
 * @throws {EngineError} when the network, the hub or the disk fails
 */
export async function hubModel(id: HubId, options: HubModelOptions = {}): Promise<HubModel> {
  const env = options.env ?? process.env;
  const revision = id.revision ?? 'main';
  const repository = repositoryFolder(hubCacheFolder(env), id.repo);
  const found = (commit: string): HubModel => ({
    folder: snapshotFolder(repository, commit),
    pinned: `${id.repo}@${commit}`,
  });
  const cached = isCommit(revision) ? revision : await cachedCommit(repository, revision);
  const missing = cached === undefined ? undefined : await missingFiles(repository, cached);
  const isUsable = missing?.needed.length === 0;
  if (isCommit(revision) && isUsable && missing.unknown.length === 0) return found(revision);

  if (options.offline || isOffline(env)) {
    if (!isUsable) throw notCached(id, repository, missing?.needed);
    if (missing.unknown.length > 0) options.onWarning?.(unknownFiles(id, missing.unknown));
    return found(cached!);
  }
  const endpoint = hubEndpoint(env);
  const { signal } = options;
  const remote = await remoteRepository({
    ...id,
    endpoint,
    token: await hubToken(env),
    env,
    ...(signal && { signal }),
  });
  let commit: string;
  try {
    commit = await remote.commit();
  } catch (error) {
    if (!isUnreachable((error as Error).cause) || !isUsable) throw error;
    options.onWarning?.(
      `${id.repo}@${revision}: ${endpoint} cannot be reached; using commit ${cached!.slice(0, 12)} of the cache`,
    );
    if (missing.unknown.length > 0) options.onWarning?.(unknownFiles(id, missing.unknown));
    return found(cached!);
  }
  const left = await missingFiles(repository, commit);
  if (left.needed.length + left.unknown.length > 0) await download(id, remote, commit, repository, options);
  await writeRef(repository, revision, commit);
  return found(commit);
}

async function download(
  { repo }: HubId,
  remote: Remote,
  commit: string,
  repository: string,
  options: HubModelOptions,
): Promise<void> {
  const files = await remote.files(commit);
  for (const name of ['config.json', 'tokenizer.json']) if (!files.has(name)) throw lacks(repo, name, files);
  for (const name of optionalFiles) if (!files.has(name)) await noteAbsence(repository, commit, name);
  const get = async (file: RemoteFile, onBytes: (bytes: number) => void) => {
    const blob = join(repository, 'blobs', file.hash);
    if ((await sizeOf(blob)) !== file.size || file.size === 0)
      await downloadContent(file, blob, (start) => remote.open(commit, file, start), {
        ...options,
        onBytes,
      }).catch((error) => raise(remote.explain(error, file.name)));
    onBytes(file.size);
    await linkIntoSnapshot(repository, commit, file.name, blob);
  };

  const wanted = wantedFiles.flatMap((name) => files.get(name) ?? []);
  const single = files.get(WEIGHTS_FILE);
  const index = files.get(INDEX_FILE);
  if (single !== undefined) wanted.push(single);
  else if (index === undefined) throw lacks(repo, WEIGHTS_FILE, files);
  else {
    await get(index, () => {});
    const text = await readFile(join(snapshotFolder(repository, commit), INDEX_FILE), 'utf8');
    for (const shard of shardsOf(text) ?? [])
      wanted.push(files.get(shard) ?? raise(lacks(repo, shard, files)));
    if (shardsOf(text) === undefined) throw lacks(repo, `a weight_map in ${INDEX_FILE}`, files);
  }

  const total = wanted.reduce((sum, { size }) => sum + size, 0);
  let before = 0;
  for (const file of wanted) {
    await get(file, (bytes) =>
      options.onProgress?.({
        stage: `downloading ${repo}`,
        done: megabytes(before + bytes),
        total: megabytes(total),
        unit: 'MB',
        detail: file.name,
      }),
    );
    before += file.size;
  }
}

const megabytes = (bytes: number) => Math.round(bytes / 1e5) / 10;

function raise(error: unknown): never {
  throw error;
}

function lacks(repo: string, name: string, files: ReadonlyMap<string, RemoteFile>): WeightsError {
  const others = [...files.keys()].filter((file) => /\.(bin|gguf|pt|pth|h5|onnx|model)$/.test(file));
  const got =
    others.length === 0 ? 'none' : `none beside ${others.slice(0, 3).join(', ')} (not read from the hub)`;
  return new WeightsError(`${repo}: expected ${name}, got ${got}`, {
    code: 'hub/no-model',
    hint: 'Choose a repository with safetensors and tokenizer.json; a GGUF file can be downloaded by hand and named.',
  });
}

function notCached(
  { repo, revision }: HubId,
  repository: string,
  needed: readonly string[] | undefined,
): ConfigError {
  const what = revision === undefined ? repo : `${repo}@${revision}`;
  const got = needed === undefined ? 'no such revision' : `one without ${needed.join(', ')}`;
  return new ConfigError(`${what}: offline: expected the model in the cache ${repository}, got ${got}`, {
    code: 'hub/offline',
    hint: 'Run once without --offline and HF_HUB_OFFLINE, or name a model folder.',
  });
}

const unknownFiles = ({ repo }: HubId, names: readonly string[]) =>
  `${repo}: the cache does not say whether the model has ${names.join(', ')}; it is used without`;
