/** @file A server on the embedded model for tests: in memory, on a free port, with NaN in all freed memory. */
import OpenAI from 'openai';
import { type Opened, open } from '../../src/app/open/open.ts';
import { type CreateServerOptions, createServer } from '../../src/app/server/create-server.ts';
import type { RequestLine } from '../../src/app/server/request-log.ts';
import { openStore } from '../../src/app/server/store/store.ts';
import { openComputeThread } from '../../src/engine/runtime/compute-thread.ts';

export const ADMIN = 'nq_test-admin';

let embedded: Promise<Opened> | undefined;
/** The embedded model, opened once for a file of tests, with one thread that computes for all its servers. */
export const embeddedModel = (): Promise<Opened> => {
  embedded ??= open('embedded', { offline: true }).then((opened) => ({
    ...opened,
    model: { ...opened.model, thread: openComputeThread() },
  }));
  return embedded;
};

/** A running server, a client of it, and the lines of its log. */
export async function served(options: Partial<CreateServerOptions> & { readonly folder?: string } = {}) {
  const { folder, ...rest } = options;
  const store = await openStore(folder);
  const lines: RequestLine[] = [];
  const server = await createServer({
    model: await embeddedModel(),
    store,
    port: 0,
    adminKey: ADMIN,
    threads: 1,
    poison: true,
    cacheMemory: 64 * 2 ** 20,
    drain: 2,
    log: (line) => lines.push(line),
    ...rest,
  });
  const client = (apiKey = ADMIN, more: ConstructorParameters<typeof OpenAI>[0] = {}) =>
    new OpenAI({ baseURL: server.url, apiKey, maxRetries: 0, ...more });
  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetchTold(server.url.replace(/\/v1$/, path), {
      method,
      headers: {
        authorization: `Bearer ${ADMIN}`,
        ...(body !== undefined && !(body instanceof FormData) && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && {
        body: body instanceof FormData || typeof body === 'string' ? body : JSON.stringify(body),
      }),
    });
  return {
    server,
    store,
    lines,
    client,
    call,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

export type Served = Awaited<ReturnType<typeof served>>;

/** As `fetch`; why a socket failed is told by the message, which is all that a report of many requests shows. */
const fetchTold: typeof fetch = async (...args) => {
  const begun = Date.now();
  try {
    return await fetch(...args);
  } catch (error) {
    const { code, message } = ((error as Error).cause ?? {}) as { code?: string; message?: string };
    throw new Error(`fetch failed after ${Date.now() - begun} ms: ${code} ${message}`, { cause: error });
  }
};
