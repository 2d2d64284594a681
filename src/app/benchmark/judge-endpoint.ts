/** @file A judge behind an OpenAI-compatible endpoint: texts are sent to this machine freely, and elsewhere only when asked. */
import { setTimeout as wait } from 'node:timers/promises';
import { ConfigError, EngineError, throwIfAborted } from '../../base/errors.ts';
import type { BenchmarkRecipe } from '../config/benchmark-recipe.ts';
import { proxiedFetch } from '../open/hub/proxy.ts';

type JudgeSpec = NonNullable<BenchmarkRecipe['judge']>;

/** Gives the judge's answer to a message. */
export type AskJudge = (message: string) => Promise<string>;

export interface JudgeOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly offline?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds before the first repetition; doubled each time. */
  readonly retryMs?: number;
}

/** Requests of one message at most. */
const TRIES = 4;
const TIMEOUT_MS = 120_000;

/** Whether an address is this machine's own. */
function isLoopback({ hostname }: URL): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  );
}

/**
 * A judge, once it may be asked; nothing is sent yet.
 * @throws {ConfigError} when users' texts would leave the machine without `sendTexts`, offline, or the key is not set
 */
export async function openJudge(
  { url, model, keyEnv, sendTexts = false }: JudgeSpec,
  { env = process.env, offline = false, signal, retryMs = 1000 }: JudgeOptions = {},
): Promise<AskJudge> {
  const endpoint = new URL(`${url.replace(/\/+$/, '')}/chat/completions`);
  const isLocal = isLoopback(endpoint);
  if (!isLocal && offline)
    throw new ConfigError(
      `judge.url: expected an address of this machine with --offline, got ${endpoint.host}`,
      {
        code: 'judge/offline',
        hint: 'Leave the judge out, or use one on this machine.',
      },
    );
  if (!isLocal && !sendTexts)
    throw new ConfigError(
      `judge.url: expected permission to send users' texts to ${endpoint.host}, got none`,
      {
        code: 'judge/send-texts',
        hint: 'Add --send-texts, or judge.sendTexts: true; a judge on this machine needs neither.',
      },
    );
  const key = keyEnv === undefined ? undefined : env[keyEnv];
  if (keyEnv !== undefined && !key)
    throw new ConfigError(`judge.keyEnv: expected a key in the environment variable ${keyEnv}, got none`, {
      code: 'judge/key',
      hint: `Set ${keyEnv}, or remove keyEnv where no key is needed.`,
    });
  const { fetch: fetchThrough } = isLocal ? { fetch } : await proxiedFetch(env);
  const request = (message: string) =>
    fetchThrough(endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify({ model, temperature: 0, messages: [{ role: 'user', content: message }] }),
      // Texts go where the recipe says, and nowhere that it leads to.
      redirect: 'error',
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])]),
    });
  return async (message) => {
    let failure = '';
    for (let tried = 0; tried < TRIES; tried++) {
      throwIfAborted(signal);
      if (tried > 0) await wait(retryMs * 2 ** (tried - 1), undefined, signal ? { signal } : {});
      let response: Response;
      try {
        response = await request(message);
      } catch (error) {
        throwIfAborted(signal);
        failure = networkFailure(error);
        continue;
      }
      const body = await response.text().catch(() => '');
      if (response.ok) return answerOf(body, endpoint);
      failure = `status ${response.status}${body === '' ? '' : ` (${body.slice(0, 200)})`}`;
      if (response.status !== 429 && response.status < 500) break;
    }
    throw new EngineError(`judge ${endpoint.host}: expected an answer, got ${failure}`, {
      code: 'judge/no-answer',
      hint: 'Check that the judge runs, its address, model and key; what it has answered is kept, so start again.',
    });
  };
}

function networkFailure(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message} (${cause.message})` : message;
}

/** @throws {EngineError} for an answer in another shape */
function answerOf(body: string, { host }: URL): string {
  try {
    const { choices } = JSON.parse(body) as { choices?: { message?: { content?: unknown } }[] };
    const content = choices?.[0]?.message?.content;
    if (typeof content === 'string') return content;
  } catch {
    // Told below.
  }
  throw new EngineError(
    `judge ${host}: expected choices[0].message.content as OpenAI's API gives it, got ${JSON.stringify(body.slice(0, 100))}`,
    {
      code: 'judge/answer',
      hint: 'Check judge.url: it is the part before /chat/completions, often ending in /v1.',
    },
  );
}
