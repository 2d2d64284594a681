/** @file A server from a model and a store: what its routes share, its socket, and its end. */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { ConfigError } from '../../base/errors.ts';
import { openScheduler } from '../../engine/generate/scheduler.ts';
import type { Model } from '../../engine/models/model.ts';
import { openComputeThread } from '../../engine/runtime/compute-thread.ts';
import { defaultPromptSettings } from '../../method/prompts/pair.ts';
import { promptTemplate } from '../../method/prompts/template.ts';
import { keptGraphs } from '../../method/scoring/kept-graphs.ts';
import type { Subject } from '../verbs.ts';
import { ApiError } from './api-error.ts';
import { liveRequests, type ServerContext } from './context.ts';
import { isLoopback } from './doors.ts';
import { effectsDesk } from './effects-desk.ts';
import { concurrency, failureLimit, rateLimits } from './limits.ts';
import { serverMetrics } from './metrics.ts';
import { modelIdOf } from './model-id.ts';
import { mountedApp, type ServerApp } from './mount.ts';
import type { RequestLine } from './request-log.ts';
import { adapterRoutes } from './routes/adapters.ts';
import { chatCompletions } from './routes/chat-completions.ts';
import { completions } from './routes/completions.ts';
import { effectsRoute } from './routes/effects.ts';
import { serviceRoutes } from './routes/models-and-status.ts';
import { userRoutes } from './routes/users.ts';
import { servedAdapters } from './served-adapters.ts';
import { cacheRows, defaultSettings, type ServerSettings } from './settings.ts';
import type { Store } from './store-contract.ts';
import { textQueue } from './text-queue.ts';

/** How a server is made. */
export interface CreateServerOptions extends Partial<ServerSettings> {
  /** What `open` gives; an adapter that it has is the default for users without one of their own. */
  readonly model: Subject;
  /** What `openStore` gives; whoever opened it disposes of it, after the server. */
  readonly store: Store;
  /** Where it listens: 127.0.0.1 by default. */
  readonly host?: string;
  /** 8577 by default; 0 takes a free one; false opens no socket, and `app.request` answers. */
  readonly port?: number | false;
  /** Names and pages beyond loopback. */
  readonly allowHosts?: readonly string[];
  readonly allowOrigins?: readonly string[];
  /** False: everybody is an administrator; on loopback only. */
  readonly auth?: boolean;
  /** One more key that may everything, as from the environment of a container. */
  readonly adminKey?: string;
  readonly defaultAdapter?: string;
  /** Draws of requests that give no seed; fresh ones by default. */
  readonly seed?: number;
  readonly threads?: number;
  /** One line for each request; none by default. */
  readonly log?: (line: RequestLine) => void;
  /** Whether lines hold the pseudonym of the user. */
  readonly verbose?: boolean;
  /** Done before the server is ready, such as putting adapters. */
  readonly prepare?: (context: ServerContext) => Promise<void>;
  /** Fills freed memory with NaN. For tests. */
  readonly poison?: boolean;
  /** Ends the server as {@link NextQuillServer.close} does. */
  readonly signal?: AbortSignal;
}

/** A running server. */
export interface NextQuillServer extends AsyncDisposable {
  /** What clients take as their base URL, `http://127.0.0.1:8577/v1`; '' without a socket. */
  readonly url: string;
  /** Answers requests without a socket: `app.request('/health')`. */
  readonly app: Pick<Hono<{ Bindings: object }>, 'request' | 'fetch'>;
  readonly context: ServerContext;
  /** Takes nothing new, lets running requests end within `drain` seconds. @returns how many were cut */
  close(): Promise<{ readonly cut: number }>;
}

/** Graphs of effects that nobody uses and that stay compiled: over prompts and over pairs, with an adapter and without. */
const MOST_GRAPHS = 4;
/** Between looks at whether running requests have ended. */
const LOOK_MS = 10;
/** Between looks at whether clients take too long for their headers. */
const CONNECTIONS_MS = 1000;
const MOST_HEADER_BYTES = 16 * 1024;

/**
 * A server of OpenAI's API for a model and the users of a store.
 * @throws {ConfigError} for an address beyond loopback without keys, a limit out of range, or an unknown adapter or template
 * @throws {EngineError} when the port is in use
 * @example
 * await using server = await createServer({ model: await open('embedded'), store: await openStore(), port: 0 });
 */
export async function createServer(options: CreateServerOptions): Promise<NextQuillServer> {
  const { model: subject, store, host = '127.0.0.1', port = 8577, auth = true, adminKey, threads } = options;
  const settings = settingsOf(options);
  checkDoors(options, host);
  if (subject.adapter !== undefined || subject.trained !== undefined)
    throw new ConfigError('model: expected a base, got one with an adapter or trained values', {
      code: 'server/model',
      hint: 'Serve the base, and name the adapter by --adapter NAME=FOLDER and --default-adapter NAME.',
    });
  const { maxPositions } = subject.model.config;
  const prompt = subject.prompt ?? defaultPromptSettings(maxPositions);
  if (settings.template !== undefined) promptTemplate(settings.template);
  const capacity = Math.min(maxPositions, prompt.maxTokens);
  // A pass holds the thread that it is asked for by; this one hears clients.
  const own = subject.model.thread === undefined ? openComputeThread() : undefined;
  const thread = own ?? subject.model.thread!;
  const model: Model = { ...subject.model, thread };
  const scheduler = await openScheduler(model, {
    rows: cacheRows(model, capacity, settings),
    capacity,
    maxBatch: settings.maxBatch,
    ...(threads !== undefined && { threads }),
    ...(options.poison !== undefined && { poison: options.poison }),
  }).catch(async (error) => {
    await own?.[Symbol.asyncDispose]();
    throw error;
  });
  const graphs = keptGraphs(MOST_GRAPHS);
  const queue = textQueue(scheduler, settings);
  const adapters = servedAdapters(model, store, settings);
  const release = async () => {
    await scheduler[Symbol.asyncDispose]();
    await graphs[Symbol.asyncDispose]();
    adapters[Symbol.dispose]();
    await own?.[Symbol.asyncDispose]();
  };
  const now = () => Date.now();
  let state: 'loading' | 'draining' | undefined = 'loading';
  const context: ServerContext = {
    model,
    modelId: modelIdOf(subject),
    prompt,
    version: packageVersion(),
    created: Math.floor(now() / 1000),
    settings,
    store,
    defaultAdapter: options.defaultAdapter,
    seed: options.seed,
    scheduler,
    queue,
    effects: effectsDesk(settings),
    graphs,
    adapters,
    rates: rateLimits(settings, now),
    perUser: concurrency(settings.maxPerUser, 'too_many_for_user'),
    perKey: concurrency(settings.maxPerKey, 'too_many_for_key'),
    failures: failureLimit(now),
    metrics: serverMetrics({
      scheduler: scheduler.status,
      waiting: queue.waiting,
      adapters: adapters.status,
      store: store.counts,
    }),
    live: liveRequests(),
    log: options.log ?? (() => {}),
    notReady: () => (thread.isAlive() ? state : 'failed'),
  };
  const app = mountedApp(
    context,
    [
      ...serviceRoutes(() => documentOf(app, context)),
      chatCompletions,
      completions,
      effectsRoute,
      ...userRoutes,
      ...adapterRoutes,
    ],
    {
      hosts: options.allowHosts ?? [],
      origins: options.allowOrigins ?? [],
      auth,
      adminKey,
      verbose: options.verbose ?? false,
    },
  );
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', { type: 'http', scheme: 'bearer' });
  let socket: { readonly server: Server; readonly url: string } | undefined;
  try {
    socket = port === false ? undefined : await listen(app, host, port, settings);
    await scheduler.prepare();
    await options.prepare?.(context);
    checkDefault(options);
    for (const { name } of store.adapters()) await warm(context, name);
  } catch (error) {
    socket?.server.close();
    await release();
    throw error;
  }
  state = undefined;
  let closing: Promise<{ readonly cut: number }> | undefined;
  const close = () => {
    closing ??= end();
    return closing;
  };
  const end = async () => {
    state = 'draining';
    queue.close();
    const { live } = context;
    const last = now() + settings.drain * 1000;
    while (live.all().length > 0 && now() < last) await pause();
    const cut = live.all();
    for (const request of cut)
      request.stop(
        new ApiError(503, 'server: expected to be running, got shutting down', {
          code: 'shutting_down',
          retryAfter: 5,
        }),
      );
    while (live.all().length > 0) await pause();
    await closeSocket(socket?.server);
    await release();
    return { cut: cut.length };
  };
  options.signal?.addEventListener('abort', () => void close(), { once: true });
  return {
    url: socket?.url ?? '',
    app,
    context,
    close,
    [Symbol.asyncDispose]: async () => {
      await close();
    },
  };
}

const pause = () => new Promise((resolve) => setTimeout(resolve, LOOK_MS));

function settingsOf(options: Partial<ServerSettings>): ServerSettings {
  const defaults = defaultSettings();
  const given = Object.entries(options).filter(([key, value]) => key in defaults && value !== undefined);
  const settings: ServerSettings = { ...defaults, ...Object.fromEntries(given) };
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value !== 'number') continue;
    const least = name === 'maxQueue' || name === 'drain' ? 0 : Number.MIN_VALUE;
    if (!(value >= least))
      throw new ConfigError(`${name}: expected a number above 0, got ${value}`, { code: 'config/range' });
  }
  return settings;
}

function checkDefault({ store, defaultAdapter }: CreateServerOptions): void {
  if (defaultAdapter === undefined || store.adapter(defaultAdapter) !== undefined) return;
  throw new ConfigError(`default adapter: expected one of the store, got "${defaultAdapter}"`, {
    code: 'server/default-adapter',
    hint: 'Name it by --adapter NAME=FOLDER first.',
  });
}

/** Beyond loopback nobody comes in without a key. */
function checkDoors({ store, auth = true, adminKey }: CreateServerOptions, host: string): void {
  if (isLoopback(host)) return;
  const refuse = (got: string, hint: string) =>
    new ConfigError(`host ${host}: expected keys for an address that others reach, got ${got}`, {
      code: 'server/no-keys',
      hint,
    });
  if (!auth) throw refuse('no keys at all', 'Remove --no-auth, or listen on 127.0.0.1.');
  if (adminKey === undefined && store.keys().length === 0)
    throw refuse('a store without one', 'Make one: nextquill store keys add --role admin --store DIR.');
}

/** Compiles for the shape of a stored adapter; one that no longer fits is told when it is asked for. */
async function warm({ store, adapters, scheduler }: ServerContext, name: string): Promise<void> {
  const hold = await adapters.hold(store.adapter(name)!).catch(() => undefined);
  if (hold === undefined) return;
  await scheduler.prepare(hold.adapter);
  hold.release();
}

async function listen(
  app: ServerApp,
  host: string,
  port: number,
  { headersTimeout, idleTimeout, requestTimeout }: ServerSettings,
): Promise<{ server: Server; url: string }> {
  const server = createAdaptorServer({
    fetch: app.fetch as (request: Request, env: unknown) => Promise<Response>,
    // We are a library too: nobody's Request is replaced.
    overrideGlobalObjects: false,
    serverOptions: {
      maxHeaderSize: MOST_HEADER_BYTES,
      headersTimeout: headersTimeout * 1000,
      requestTimeout: requestTimeout * 1000,
      keepAliveTimeout: idleTimeout * 1000,
      connectionsCheckingInterval: CONNECTIONS_MS,
    },
  }) as Server;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new ConfigError(`port ${port}: expected to listen on ${host}, got ${cause.code}`, {
          code: 'server/listen',
          hint:
            cause.code === 'EADDRINUSE'
              ? 'Choose another port, or 0 for a free one.'
              : 'Choose another host or port.',
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
  const address = server.address() as { port: number };
  const name = host.includes(':') ? `[${host}]` : host === '0.0.0.0' ? '127.0.0.1' : host;
  return { server, url: `http://${name}:${address.port}/v1` };
}

async function closeSocket(server: Server | undefined): Promise<void> {
  if (server === undefined) return;
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  // What was written last is on its way; nothing more comes.
  setTimeout(() => server.closeAllConnections(), 500).unref();
  await closed;
}

function documentOf(app: ServerApp, { version }: ServerContext): object {
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'NextQuill', version, description: 'OpenAI’s API with the histories of users' },
  });
}

function packageVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
