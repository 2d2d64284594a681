/** @file The flags for models that a server has, and what they come to. */
import type { Command } from 'commander';
import { ConfigError } from '../../base/errors.ts';
import type { PromptSettings } from '../../method/prompts/pair.ts';
import { isRemoteSource } from '../remote/address.ts';
import { openRemote, type RemoteOptions } from '../remote/open-remote.ts';
import { type RemoteKind, remoteKinds } from '../remote/probe.ts';
import type { Session } from './command.ts';
import { addFlag, oneOf, wholeNumber } from './flags.ts';

/** The flags of every command that scores by a server. */
export interface RemoteFlags {
  readonly tokenizer?: string;
  readonly remoteModel?: string;
  readonly remoteKind?: RemoteKind | 'auto';
  readonly remoteKeyEnv?: string;
  readonly sendTexts?: boolean;
  readonly remoteConcurrency?: number;
  readonly remoteTimeout?: number;
  readonly remoteRetries?: number;
  readonly remoteRepeat?: number;
  readonly remoteLikeliest?: number;
}

const names = [
  ...['tokenizer', 'remoteModel', 'remoteKind', 'remoteKeyEnv', 'sendTexts', 'remoteConcurrency'],
  ...['remoteTimeout', 'remoteRetries', 'remoteRepeat', 'remoteLikeliest'],
] as readonly (keyof RemoteFlags)[];

/** Adds them. */
export function addRemoteFlags(command: Command): void {
  addFlag(
    command,
    '--tokenizer <T>',
    'with --model http://HOST/v1: the tokenizer of the server’s model, named as a model is',
  );
  addFlag(command, '--remote-model <name>', 'which of the server’s models (default: its only one)');
  addFlag(
    command,
    '--remote-kind <kind>',
    `what the server is: auto, ${remoteKinds.join(', ')} (default: auto)`,
    (flag) => oneOf(flag, ['auto', ...remoteKinds] as const),
  );
  addFlag(
    command,
    '--remote-key-env <variable>',
    'the variable of the environment that holds the server’s key',
  );
  command.option('--send-texts', 'users’ texts may be sent to a server on another machine');
  addFlag(command, '--remote-concurrency <n>', 'requests at a time (default: 2)', (flag) =>
    wholeNumber(flag, 1),
  );
  addFlag(command, '--remote-timeout <seconds>', 'for one answer (default: 120)', (flag) =>
    wholeNumber(flag, 1),
  );
  addFlag(command, '--remote-retries <n>', 'attempts after a failed one (default: 3)', (flag) =>
    wholeNumber(flag, 0),
  );
  addFlag(
    command,
    '--remote-repeat <K>',
    'how often each of the first four prompts is asked for: their spread is the noise (default: 2)',
    (flag) => wholeNumber(flag, 1),
  );
  addFlag(
    command,
    '--remote-likeliest <K>',
    'likeliest tokens asked for in each place: they bound the divergence from below; 0 for none (default: 20 or what it gives)',
    (flag) => wholeNumber(flag, 0),
  );
}

/** @throws {ConfigError} for a flag of servers beside a model that is none */
export function refuseRemoteFlags(flags: RemoteFlags): void {
  const given = names.find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  throw new ConfigError(`${flagOf(given)}: expected --model http://… beside it, got another model`, {
    code: 'config/no-effect',
    hint: 'Leave it out, or name a server.',
  });
}

const flagOf = (name: string) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Opens a server's model as the flags say, and tells where texts go. @throws {ConfigError} as `openRemote` does */
export async function openRemoteModel(
  source: string,
  flags: RemoteFlags,
  session: Session,
  { prompt, onCheck }: Pick<RemoteOptions, 'onCheck'> & { readonly prompt?: Partial<PromptSettings> } = {},
) {
  const { options, progress, warn, signal, note } = session;
  const { remoteKeyEnv, remoteTimeout, remoteRetries, remoteRepeat, remoteConcurrency } = flags;
  const { remoteModel, remoteKind, remoteLikeliest, tokenizer, sendTexts } = flags;
  const key = remoteKeyEnv === undefined ? undefined : process.env[remoteKeyEnv];
  if (remoteKeyEnv !== undefined && !key)
    throw new ConfigError(
      `--remote-key-env: expected a variable that holds a key, got ${remoteKeyEnv}, which is empty`,
      {
        code: 'remote/key',
        hint: `Set ${remoteKeyEnv} to the key of the server.`,
      },
    );
  if (sendTexts && isRemoteSource(source)) note(`texts are sent to ${new URL(source).host}`);
  const opened = await openRemote(source, {
    ...(options.offline !== undefined && { offline: options.offline }),
    ...(tokenizer !== undefined && { tokenizer }),
    ...(remoteModel !== undefined && { model: remoteModel }),
    ...(remoteKind !== undefined && { kind: remoteKind }),
    ...(key !== undefined && { key }),
    ...(sendTexts !== undefined && { sendTexts }),
    ...(remoteConcurrency !== undefined && { concurrency: remoteConcurrency }),
    ...(remoteTimeout !== undefined && { timeout: remoteTimeout * 1000 }),
    ...(remoteRetries !== undefined && { retries: remoteRetries }),
    ...(remoteRepeat !== undefined && { repeat: remoteRepeat }),
    ...(remoteLikeliest !== undefined && { likeliest: remoteLikeliest }),
    ...(prompt !== undefined && { prompt }),
    ...(onCheck !== undefined && { onCheck }),
    onProgress: progress,
    onWarning: warn,
    signal,
  });
  const { likeliest, fingerprint } = opened.probe;
  if (remoteLikeliest !== undefined && likeliest < remoteLikeliest)
    session.warn(
      `--remote-likeliest ${remoteLikeliest}: the server gives ${likeliest} likeliest tokens in each place`,
    );
  if (fingerprint === undefined)
    note(
      'the server does not say when it changes: remove kept scores (--out, --cache) when it serves another model',
    );
  return opened;
}
