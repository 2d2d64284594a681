/** @file `nextquill serve`: OpenAI's API for the users of a store, with their histories and adapters. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, EngineError, throwIfAborted } from '../../../base/errors.ts';
import { exists } from '../../../base/exists.ts';
import { promptTemplates } from '../../../method/prompts/template.ts';
import { bytesOfSize, MEMORY_SIZE } from '../../config/memory-size.ts';
import { MODEL_WORDS } from '../../open/model-words.ts';
import { open } from '../../open/open.ts';
import { createServer, type NextQuillServer } from '../../server/create-server.ts';
import { isLoopback } from '../../server/doors.ts';
import { requestLog } from '../../server/request-log.ts';
import { putAdapter } from '../../server/routes/adapters.ts';
import type { ServerSettings } from '../../server/settings.ts';
import { openStore } from '../../server/store/store.ts';
import type { Store } from '../../server/store-contract.ts';
import type { CliCommand, Session } from '../command.ts';
import { addFlag, numberBetween, oneOf, repeated, required, wholeNumber } from '../flags.ts';
import { openingOf } from '../scoring.ts';

interface ServeFlags {
  readonly model?: string;
  readonly store?: string;
  readonly adapter?: readonly string[];
  readonly defaultAdapter?: string;
  readonly host?: string;
  readonly port?: number;
  readonly allowHost?: readonly string[];
  readonly allowOrigin?: readonly string[];
  /** False by `--no-auth`. */
  readonly auth: boolean;
  readonly log?: string;
  readonly cacheMemory?: number;
  readonly adapterMemory?: number;
  readonly maxBatch?: number;
  readonly maxQueue?: number;
  readonly maxPerUser?: number;
  readonly maxPerKey?: number;
  readonly rpm?: number;
  readonly tpm?: number;
  readonly maxNewTokens?: number;
  readonly maxBody?: number;
  readonly maxItems?: number;
  readonly maxItemChars?: number;
  readonly maxStrength?: number;
  readonly maxEffectPasses?: number;
  readonly template?: string;
  readonly requestTimeout?: number;
  readonly queueTimeout?: number;
  readonly stallTimeout?: number;
  readonly drain?: number;
}

/** The environment's key, for containers: no key stands in a list of processes. */
const KEY_VARIABLE = 'NEXTQUILL_API_KEY';

export const serveCommand: CliCommand = {
  define: (command) => {
    const whole = (flags: string, description: string, least = 1) =>
      addFlag(command, flags, description, (flag) => wholeNumber(flag, least));
    const seconds = (flags: string, description: string) =>
      addFlag(command, flags, description, (flag) => secondsOf(flag));
    const size = (flags: string, description: string) =>
      addFlag(command, flags, description, (flag) => sizeOf(flag));
    addFlag(command, '--model <M>', `the base: ${MODEL_WORDS}`);
    addFlag(
      command,
      '--store <folder>',
      'users, histories, keys, adapters, receipts; made when absent (default: in memory)',
    );
    addFlag(command, '--adapter <NAME=FOLDER>', 'a shared adapter; may be given several times', repeated);
    addFlag(command, '--default-adapter <name>', 'for users without an adapter of their own');
    addFlag(command, '--host <address>', 'where to listen (default: 127.0.0.1)');
    whole('--port <n>', '0 takes a free one (default: 8577)', 0);
    addFlag(
      command,
      '--allow-host <name>',
      'a name that clients reach the server by; may be given several times',
      repeated,
    );
    addFlag(
      command,
      '--allow-origin <url>',
      'a page that may call the server; may be given several times',
      repeated,
    );
    command.option('--no-auth', 'everybody is an administrator; on 127.0.0.1 only');
    size('--cache-memory <size>', 'key/value cache (default: a quarter of the free memory)');
    size('--adapter-memory <size>', 'loaded adapters (default: 512MiB)');
    whole(
      '--max-batch <n>',
      'rows of one pass; with 1 no answer depends on its neighbours by a bit (default: all)',
    );
    whole('--max-queue <n>', 'waiting requests of all callers (default: 256)', 0);
    whole('--max-per-user <n>', 'running and waiting requests of a user (default: 4)');
    whole('--max-per-key <n>', 'running and waiting requests of a key (default: 64)');
    whole('--rpm <n>', 'requests of a key in a minute (default: no limit)');
    whole('--tpm <n>', 'tokens of a key in a minute (default: no limit)');
    whole('--max-new-tokens <n>', 'tokens of an answer at most (default: 1024)');
    size('--max-body <size>', 'of a request (default: 1MiB)');
    whole('--max-items <n>', 'history items of a user (default: 10000)');
    whole('--max-item-chars <n>', 'characters of a history item (default: 20000)');
    addFlag(command, '--max-strength <s>', 'the end of the dial, on both sides (default: 3)', (flag) =>
      numberBetween(flag, 0, 100),
    );
    whole('--max-effect-passes <n>', 'passes of one request for effects of items (default: 200)');
    addFlag(
      command,
      '--template <name>',
      'how prompts are worded, in place of what adapters were trained with',
      (flag) =>
        oneOf(
          flag,
          promptTemplates.map(({ id }) => id),
        ),
    );
    seconds('--request-timeout <time>', 'of a whole request (default: 300s)');
    seconds('--queue-timeout <time>', 'of waiting for a turn (default: 60s)');
    seconds(
      '--stall-timeout <time>',
      'a reader that takes nothing for so long loses its answer (default: 30s)',
    );
    seconds('--drain <time>', 'running requests may go on for so long at the end (default: 30s)');
    addFlag(command, '--log <file>', 'one line of JSON for each request, without texts (default: stderr)');
    command.addHelpText(
      'after',
      `\n${KEY_VARIABLE} is one more key that may everything. A store without a key gets an administrator's at the first start, shown once.\n` +
        'Example: nextquill serve --model embedded --store people\n' +
        '         nextquill serve --model embedded --store people --adapter house=runs/a/adapter --default-adapter house',
    );
  },
  run: async (_operands, given, session) => {
    const flags = given as unknown as ServeFlags;
    const source = required(flags.model, '--model', `Name ${MODEL_WORDS}.`);
    if (/^https?:/.test(source))
      throw new ConfigError('--model: expected a model that is opened here, got the address of a server', {
        code: 'usage/model',
        hint: 'Name a folder, a .gguf file, a hub id or embedded: a proxy is not offered.',
      });
    const { auth, host = '127.0.0.1' } = flags;
    const { json, quiet, seed, threads, verbose } = session.options;
    if (!auth && !isLoopback(host))
      throw new ConfigError('--no-auth: expected an address of this machine alone, got another', {
        code: 'server/no-keys',
        hint: 'Remove --no-auth, or listen on 127.0.0.1.',
      });
    if (flags.store === undefined)
      session.warn('no --store: users, histories and keys are in memory, and end with the server');
    await using store = await openStore(flags.store);
    const adminKey = process.env[KEY_VARIABLE];
    const model = await open(source, openingOf(session));
    if (!auth) session.warn('--no-auth: everybody who reaches this machine is an administrator');
    const adapters = (flags.adapter ?? []).map(namedFolder);
    const { defaultAdapter } = flags;
    const log = flags.log ?? (quiet ? undefined : 'stderr');
    await using server = await createServer({
      ...settingsOf(flags),
      model,
      store,
      host,
      ...(flags.port !== undefined && { port: flags.port }),
      allowHosts: flags.allowHost ?? [],
      allowOrigins: flags.allowOrigin ?? [],
      auth,
      ...(adminKey !== undefined && adminKey !== '' && { adminKey }),
      ...(seed !== undefined && { seed }),
      ...(threads !== undefined && { threads }),
      ...(verbose && { verbose }),
      ...(log !== undefined && { log: requestLog(log === 'stderr' ? process.stderr : { file: log }) }),
      prepare: async (context) => {
        for (const { name, folder } of adapters) await putAdapter(context, name, await adapterFiles(folder));
      },
      ...(defaultAdapter !== undefined && { defaultAdapter }),
    });
    const made = auth && adminKey === undefined ? firstKey(store) : undefined;
    const told = {
      url: server.url,
      pid: process.pid,
      model: server.context.modelId,
      store: flags.store ?? null,
      ...(made !== undefined && { key: made }),
    };
    session.print(json ? `${JSON.stringify(told)}\n` : `nextquill: listening on ${server.url}\n`);
    if (!json && made !== undefined)
      session.print(`nextquill: key of an administrator, shown once: ${made}\n`);
    const { rowsTotal } = server.context.scheduler.status();
    session.note(`${rowsTotal} rows of cache: a text takes one, and two where strength is neither 0 nor 1`);
    await serveUntilStopped(server, session);
  },
};

/** Ends gracefully when the program is told to; what had to be cut is a failure. */
async function serveUntilStopped(server: NextQuillServer, { signal }: Session): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const { cut } = await server.close();
  if (cut === 0 && (signal.reason as Error).message === 'interrupted') throwIfAborted(signal);
  if (cut > 0)
    throw new EngineError(`server: expected all requests to end within the drain, got ${cut} that were cut`, {
      code: 'server/cut',
      hint: 'Raise --drain.',
    });
}

/** A key for the first minute; undefined where the store has keys already. */
function firstKey(store: Store): string | undefined {
  if (store.keys().length > 0) return undefined;
  return store.addKey({ role: 'admin', name: 'first' }).token;
}

function namedFolder(text: string): { name: string; folder: string } {
  const at = text.indexOf('=');
  if (at > 0 && at < text.length - 1) return { name: text.slice(0, at), folder: text.slice(at + 1) };
  throw new ConfigError(`--adapter: expected NAME=FOLDER, got "${text}"`, {
    code: 'usage/adapter',
    hint: 'Write --adapter house=runs/a/adapter.',
  });
}

/** The files of an adapter's folder, by name. */
async function adapterFiles(folder: string): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (const name of ['adapter_config.json', 'adapter_model.safetensors', 'nextquill.json'])
    if (await exists(join(folder, name))) files[name] = await readFile(join(folder, name));
  return files;
}

function settingsOf(flags: ServeFlags): Partial<ServerSettings> {
  const { rpm, tpm, ...rest } = flags;
  const names = [
    ...(['cacheMemory', 'adapterMemory', 'maxBatch', 'maxQueue', 'maxPerUser', 'maxPerKey'] as const),
    ...(['maxNewTokens', 'maxBody', 'maxItems', 'maxItemChars', 'maxStrength', 'maxEffectPasses'] as const),
    ...(['template', 'requestTimeout', 'queueTimeout', 'stallTimeout', 'drain'] as const),
  ];
  return {
    ...Object.fromEntries(names.flatMap((name) => (rest[name] === undefined ? [] : [[name, rest[name]]]))),
    ...(rpm !== undefined && { requestsPerMinute: rpm }),
    ...(tpm !== undefined && { tokensPerMinute: tpm }),
  };
}

/** `90`, `90s` or `5m` in seconds. */
function secondsOf(flag: string): (text: string) => number {
  return (text) => {
    const match = /^(\d+(?:\.\d+)?)(s|m|)$/.exec(text);
    if (match !== null) return Number(match[1]) * (match[2] === 'm' ? 60 : 1);
    throw new ConfigError(`${flag}: expected a time such as 30s or 5m, got "${text}"`, {
      code: 'usage/time',
    });
  };
}

function sizeOf(flag: string): (text: string) => number {
  return (text) => {
    if (MEMORY_SIZE.test(text)) return bytesOfSize(text);
    throw new ConfigError(`${flag}: expected a size such as 512MiB or 4G, got "${text}"`, {
      code: 'usage/size',
    });
  };
}
