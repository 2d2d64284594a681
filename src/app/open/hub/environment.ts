/** @file What the environment says of the Hugging Face hub, by the names that Python's huggingface_hub reads. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../../base/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** HF_ENDPOINT without its last slash; default the hub itself. */
export function hubEndpoint({ HF_ENDPOINT }: Environment): string {
  const endpoint = (HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
  if (/^https?:\/\/[^/]/.test(endpoint)) return endpoint;
  throw new ConfigError(`HF_ENDPOINT: expected an address that begins with https://, got "${endpoint}"`, {
    code: 'hub/endpoint',
    hint: 'Fix HF_ENDPOINT, or unset it.',
  });
}

/** The folder of the standard cache: HF_HUB_CACHE, HF_HOME/hub, or below the user's cache folder. */
export function hubCacheFolder(env: Environment): string {
  const explicit = env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE;
  if (explicit) return explicit;
  return join(hubHome(env), 'hub');
}

/** HF_HOME, or below the user's cache folder. */
function hubHome({ HF_HOME, XDG_CACHE_HOME }: Environment): string {
  return HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
}

const isOn = (value: string | undefined) => /^(1|on|yes|true)$/i.test(value ?? '');

/** Whether HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids the network. */
export function isOffline({ HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE }: Environment): boolean {
  return isOn(HF_HUB_OFFLINE || TRANSFORMERS_OFFLINE);
}

/**
 * The user's token, which is sent to the endpoint and written nowhere: HF_TOKEN, else the file that `hf auth login` leaves
 * (HF_TOKEN_PATH, or `token` in HF_HOME); none where HF_HUB_DISABLE_IMPLICIT_TOKEN says so.
 * @throws {ConfigError} when it is no token or the file cannot be read; the message does not hold it
 */
export async function hubToken(env: Environment): Promise<string | undefined> {
  if (isOn(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  const named = env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN;
  const path = env.HF_TOKEN_PATH || join(hubHome(env), 'token');
  const token = (named || (await tokenFile(path)))?.replace(/[\r\n]/g, '').trim();
  if (!token) return undefined;
  // Other hubs have tokens of other kinds.
  const isHub = /^https:\/\/(huggingface\.co|hf\.co)$/.test(hubEndpoint(env));
  if (/^[\x21-\x7e]+$/.test(token) && (!isHub || token.startsWith('hf_'))) return token;
  throw new ConfigError(
    `${named ? 'HF_TOKEN' : path}: expected a token ${isHub ? 'that begins with hf_' : 'without spaces and other signs than ASCII'}, got another text`,
    {
      code: 'hub/token',
      hint: named ? 'Copy the token again, or unset HF_TOKEN.' : 'Log in again, or remove the file.',
    },
  );
}

async function tokenFile(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return undefined;
    throw new ConfigError(`${path}: expected a token that can be read, got ${cause.code}`, {
      code: 'hub/token',
      hint: 'Let the file be read, or set HF_TOKEN.',
      cause,
    });
  });
}
