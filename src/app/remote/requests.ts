/** @file Requests to a server: retried where that may help, never answered by a guess. */
import { setTimeout as sleep } from 'node:timers/promises';
import { AbortedError, ConfigError, EngineError, NextQuillError, throwIfAborted } from '../../base/errors.ts';
import { proxiedFetch } from '../open/hub/proxy.ts';
import type { RemoteAddress } from './address.ts';

/** How a server is asked. */
export interface RequestOptions {
  /** Sent as `Authorization: Bearer`. */
  readonly key?: string;
  /** Milliseconds for one answer; 120,000 by default. */
  readonly timeout?: number;
  /** Attempts after the first one; 3 by default. */
  readonly retries?: number;
  /** Milliseconds before the second attempt where the server names none, doubled at each; 500 by default. */
  readonly delay?: number;
  readonly signal?: AbortSignal;
}

/** What a server answered: JSON, or a refusal that trying again does not change. */
export type RemoteAnswer =
  | { readonly isRefused: false; readonly json: unknown }
  | { readonly isRefused: true; readonly status: number; readonly message: string };

/** Asks a server. */
export interface RemoteRequests {
  /** @param url below the server's root or its API */
  ask(url: string, body?: unknown): Promise<RemoteAnswer>;
}

const LONGEST_WAIT = 60_000;

/**
 * @throws {ConfigError} from `ask`: `remote/access` for a key that is missing or wrong
 * @throws {EngineError} from `ask`: `remote/unreachable`, `remote/timeout`, `remote/failed`, `remote/not-json`
 */
export function remoteRequests(
  { host, isLoopback }: RemoteAddress,
  options: RequestOptions = {},
): RemoteRequests {
  const { key, timeout = 120_000, retries = 3, delay = 500, signal } = options;
  const headers = {
    accept: 'application/json',
    'content-type': 'application/json',
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  };

  /** One attempt: an answer, or why there is none. */
  async function attempt(url: string, body: unknown): Promise<RemoteAnswer | Failure> {
    const send = isLoopback ? fetch : (await proxiedFetch(process.env)).fetch;
    const limit = AbortSignal.timeout(timeout);
    try {
      const response = await send(url, {
        method: body === undefined ? 'GET' : 'POST',
        headers,
        ...(body !== undefined && { body: JSON.stringify(body) }),
        // Another host would be sent the texts.
        redirect: 'manual',
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      });
      const text = await response.text();
      return judged(response, text, host);
    } catch (error) {
      if (error instanceof NextQuillError) throw error;
      throwIfAborted(signal);
      if (limit.aborted)
        return {
          code: 'remote/timeout',
          got: `none within ${timeout / 1000} s`,
          isTimeout: true,
          cause: error,
        };
      const { cause } = error as { cause?: { code?: string } };
      return {
        code: 'remote/unreachable',
        got: `none (${cause?.code ?? (error as Error).message})`,
        cause: error,
      };
    }
  }

  return {
    ask: async (url, body) => {
      let timeouts = 0;
      for (let tries = 0; ; tries++) {
        throwIfAborted(signal);
        const answer = await attempt(url, body);
        if (!('code' in answer)) return answer;
        if (answer.isTimeout) timeouts += 1;
        if (tries >= retries || timeouts > 1 || answer.isLasting)
          throw new EngineError(`${url}: expected an answer in JSON, got ${answer.got}`, {
            code: answer.code,
            hint: hints[answer.code],
            cause: answer.cause,
          });
        const wait = answer.wait ?? delay * 2 ** tries;
        await sleep(Math.min(wait, LONGEST_WAIT), undefined, signal && { signal }).catch(() => {
          throw new AbortedError('stopped by the caller', { code: 'aborted' });
        });
      }
    },
  };
}

type FailureCode = 'remote/unreachable' | 'remote/timeout' | 'remote/failed' | 'remote/not-json';

interface Failure {
  readonly code: FailureCode;
  readonly got: string;
  readonly isTimeout?: boolean;
  /** Trying again does not help. */
  readonly isLasting?: boolean;
  /** Milliseconds that the server asks us to wait. */
  readonly wait?: number;
  readonly cause?: unknown;
}

const hints: Readonly<Record<FailureCode, string>> = {
  'remote/unreachable': 'Check that the server runs and that the address is right; run again to continue.',
  'remote/timeout':
    'Raise --remote-timeout, lower --remote-concurrency or --max-tokens; run again to continue.',
  'remote/failed': 'Look into the log of the server; run again to continue.',
  'remote/not-json': 'Check that the address is that of an API of OpenAI’s kind, and not of a page.',
};

const RETRIED = (status: number) => status === 408 || status === 429 || status >= 500;

function judged(response: Response, text: string, host: string): RemoteAnswer | Failure {
  const { status } = response;
  if (response.type === 'opaqueredirect' || (status >= 300 && status < 400))
    return { code: 'remote/not-json', got: `a redirect (${status})`, isLasting: true };
  const json = parsed(text);
  if (response.ok) {
    if (json !== undefined) return { isRefused: false, json };
    // A page stays a page; what was cut may be whole the next time.
    const isPage = /^\s*</.test(text);
    return {
      code: 'remote/not-json',
      got: isPage ? 'a page' : `${JSON.stringify(text.slice(0, 80))}, which is none or was cut`,
      isLasting: isPage,
    };
  }
  const message = messageOf(json) ?? text.slice(0, 200).replace(/\s+/g, ' ');
  if (status === 401 || status === 403)
    throw new ConfigError(`${host}: expected a key that may ask, got ${status}: ${message}`, {
      code: 'remote/access',
      hint: 'Put the key into a variable, and name that by --remote-key-env.',
    });
  if (!RETRIED(status)) return { isRefused: true, status, message };
  const wait = waitOf(response.headers);
  return { code: 'remote/failed', got: `${status}: ${message}`, ...(wait !== undefined && { wait }) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** OpenAI's error object, or the flat ones of other servers. */
function messageOf(json: unknown): string | undefined {
  const { error, message } = (json ?? {}) as { error?: unknown; message?: unknown };
  const inner = (error as { message?: unknown } | undefined)?.message ?? error ?? message;
  return typeof inner === 'string' ? inner.slice(0, 500) : undefined;
}

function waitOf(headers: Headers): number | undefined {
  const milliseconds = Number(headers.get('retry-after-ms') ?? Number.NaN);
  if (milliseconds >= 0) return milliseconds;
  const after = headers.get('retry-after');
  if (after === null) return undefined;
  const seconds = Number(after);
  const wait = Number.isNaN(seconds) ? Date.parse(after) - Date.now() : seconds * 1000;
  return wait >= 0 ? wait : undefined;
}
