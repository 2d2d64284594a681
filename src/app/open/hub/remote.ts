/** @file The hub's answers about one repository, through @huggingface/hub: its commit, its files, their bytes. */
import { EngineError, NextQuillError } from '../../../base/errors.ts';
import { isCommit } from '../../../base/hub-id.ts';
import type { RemoteFile } from './download.ts';
import type { Environment } from './environment.ts';
import { type Asked, describeHubFailure } from './failure.ts';
import { isPlainName } from './model-files.ts';
import { proxiedFetch } from './proxy.ts';

/** A repository on the hub; every error says what was asked for. */
export interface Remote {
  /** The commit of the revision. */
  commit(): Promise<string>;
  /** The files at the top of a commit, by name. */
  files(commit: string): Promise<ReadonlyMap<string, RemoteFile>>;
  /** The bytes of a file from `start` on. Errors of the network pass as they are, to be tried again. */
  open(commit: string, file: RemoteFile, start: number): AsyncIterable<Uint8Array>;
  /** An error of {@link Remote.open} in words. */
  explain(error: unknown, name: string): unknown;
}

export interface RemoteOptions {
  readonly repo: string;
  readonly revision?: string;
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly env: Environment;
  readonly signal?: AbortSignal;
}

/** Opens a repository; nothing is asked yet. The library is loaded here, as most commands do without it. */
export async function remoteRepository(options: RemoteOptions): Promise<Remote> {
  const { downloadFile, listFiles, modelInfo } = await import('@huggingface/hub');
  const { repo, revision, endpoint, token, env, signal } = options;
  const { fetch: fetchThrough, proxyOf } = await proxiedFetch(env);
  const { origin } = new URL(endpoint);
  let retryAfter: number | undefined;
  // The library's streams end with the message of an error alone: the error itself is kept here.
  let failure: unknown;
  const watched: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers);
    // Set here, as the library takes tokens of huggingface.co alone; a redirect to another host drops it.
    if (token !== undefined && new URL(input instanceof Request ? input.url : input).origin === origin)
      headers.set('authorization', `Bearer ${token}`);
    const asked = { ...init, headers: Object.fromEntries(headers), ...(signal && { signal }) };
    const response = await fetchThrough(input, asked).catch((error: unknown) => {
      failure = error;
      throw error;
    });
    retryAfter = Number(response.headers.get('retry-after')) || undefined;
    failure = response.ok ? undefined : { statusCode: response.status };
    const from = /bytes=(\d+)-/.exec(headers.get('range') ?? '')?.[1];
    // A server that ignores the range would give us the beginning where we want the rest.
    if (response.status === 200 && from !== undefined && Number(from) > 0) {
      await response.body?.cancel();
      failure = notAHub(`${repo}: expected the rest of a file from byte ${from} on, got the whole file`);
      throw failure;
    }
    return response;
  };
  const access = {
    hubUrl: endpoint,
    fetch: watched,
  };
  const proxy = proxyOf(endpoint);
  const explain = (error: unknown, what: string) => {
    const asked: Asked = {
      what,
      endpoint,
      ...(proxy !== undefined && { proxy }),
      hasToken: token !== undefined,
      ...(signal && { signal }),
      ...(retryAfter !== undefined && { retryAfter }),
    };
    return describeHubFailure(error, asked);
  };
  const ask = async <T>(what: string, question: () => Promise<T>): Promise<T> => {
    try {
      return await question();
    } catch (error) {
      const told = explain(error, what);
      if (told instanceof NextQuillError) throw told;
      // What the library makes of an answer that it does not expect: SyntaxError, TypeError and others.
      throw notAHub(`${what}: expected an answer as the hub gives it, got another from ${endpoint}`, error);
    }
  };
  const at = `${repo}@${revision ?? 'main'}`;

  return {
    commit: () =>
      ask(at, async () => {
        const { sha } = await modelInfo({
          ...access,
          name: repo,
          revision: revision ?? 'main',
          additionalFields: ['sha'],
        });
        if (typeof sha === 'string' && isCommit(sha)) return sha;
        throw notAHub(`${at}: expected a commit, got ${JSON.stringify(sha)?.slice(0, 60)}`);
      }),
    files: (commit) =>
      ask(at, async () => {
        const files = new Map<string, RemoteFile>();
        for await (const entry of listFiles({ ...access, repo, revision: commit })) {
          const { type, path, size, oid, lfs } = entry;
          if (type !== 'file' || !isPlainName(path)) continue;
          const hash: unknown = lfs?.oid ?? oid;
          if (
            typeof hash !== 'string' ||
            !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash) ||
            !Number.isSafeInteger(size) ||
            size < 0
          )
            throw notAHub(`${at}: ${path}: expected size and hash, got others`);
          files.set(path, { name: path, size, hash });
        }
        return files;
      }),
    open: async function* (commit, { name }, start) {
      // Plain HTTP with ranges, also where the hub offers its chunk store: what is resumed is then one simple thing.
      const blob = await downloadFile({ ...access, repo, path: name, revision: commit, xet: false });
      if (blob === null) throw notAHub(`${at}: expected ${name}, which the hub lists, got none`);
      try {
        yield* blob.slice(start).stream() as unknown as AsyncIterable<Uint8Array>;
      } catch (error) {
        throw failure ?? error;
      }
    },
    explain: (error, name) => explain(error, `${at}: ${name}`),
  };
}

const notAHub = (message: string, cause?: unknown) =>
  new EngineError(message, {
    code: 'hub/answer',
    hint: 'Check HF_ENDPOINT, and that the network asks for no login: what answered may not be a hub.',
    ...(cause !== undefined && { cause }),
  });
