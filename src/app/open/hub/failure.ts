/** @file What went wrong between here and the hub, in words: who must do what. */
import { AbortedError, ConfigError, EngineError, NextQuillError } from '../../../base/errors.ts';

/** What a failure was about. */
export interface Asked {
  /** Such as `owner/name@main`, or with a file. */
  readonly what: string;
  readonly endpoint: string;
  /** What requests go through. */
  readonly proxy?: string;
  readonly hasToken: boolean;
  readonly signal?: AbortSignal;
  /** Seconds that the last answer asked us to wait. */
  readonly retryAfter?: number;
}

/** Whether an error means that the hub could not be reached, and not that it answered no. */
export const isUnreachable = (error: unknown): boolean => statusOf(error) === undefined && isNetwork(error);

/** Whether trying again may help: a lost connection, a server in trouble. */
export function isPassing(error: unknown): boolean {
  const status = statusOf(error);
  return status === undefined ? isNetwork(error) : status >= 500 || status === 408;
}

/** An error of the hub or of the network as ours; errors that are ours already pass unchanged. */
export function describeHubFailure(error: unknown, asked: Asked): unknown {
  if (error instanceof NextQuillError) return error;
  if (asked.signal?.aborted) return new AbortedError('stopped by the caller', { code: 'aborted' });
  const { what, endpoint, proxy, hasToken, retryAfter } = asked;
  const status = statusOf(error);
  const got = `${status} from ${endpoint}`;
  switch (status) {
    case undefined:
      if (!isNetwork(error)) return error;
      return new EngineError(
        `${what}: expected an answer of ${endpoint}${proxy === undefined ? '' : ` through the proxy ${proxy}`}, got none (${reasonOf(error)})`,
        {
          code: 'hub/unreachable',
          hint: `Check ${proxy === undefined ? '' : 'the proxy (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), '}the network and HF_ENDPOINT, then run again: a download continues where it stopped. With --offline only the cache is used.`,
          cause: error,
        },
      );
    case 401:
    case 403:
      return new ConfigError(`${what}: expected a model that may be read, got ${got}`, {
        code: 'hub/access',
        hint: hasToken
          ? 'Accept the terms on the model’s page, and check that your token may read it and that the name is right.'
          : 'Check the name; for a private or gated model set HF_TOKEN or log in with hf auth login.',
        cause: error,
      });
    case 404:
      return new ConfigError(`${what}: expected a model, revision or file of this name, got ${got}`, {
        code: 'hub/not-found',
        hint: 'Check owner, name and revision; a private model needs a token (HF_TOKEN, or hf auth login).',
        cause: error,
      });
    case 429:
      return new EngineError(`${what}: expected an answer, got ${got}: too many requests`, {
        code: 'hub/busy',
        hint: `Wait${retryAfter === undefined ? '' : ` ${retryAfter} seconds`}, then run again: a download continues where it stopped.`,
        cause: error,
      });
    default:
      return new EngineError(`${what}: expected an answer, got ${got}`, {
        code: 'hub/failed',
        hint: 'Run again later: a download continues where it stopped.',
        cause: error,
      });
  }
}

function statusOf(error: unknown): number | undefined {
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' ? status : undefined;
}

/** fetch throws a TypeError with the system's error as its cause, and so do streams that end early. */
const isNetwork = (error: unknown): boolean =>
  error instanceof TypeError && (error.cause !== undefined || /fetch failed|terminated/.test(error.message));

/** What the innermost error says, as fetch wraps those of the system and of a proxy. */
function reasonOf(error: unknown): string {
  let inner = error as { code?: unknown; message: string; cause?: unknown };
  while (inner.cause instanceof Error) inner = inner.cause as typeof inner;
  const refusal = /Proxy response \((\d+)\)/.exec(inner.message);
  if (refusal !== null) return `the proxy answered ${refusal[1]}`;
  return typeof inner.code === 'string' ? inner.code : inner.message;
}
