/** @file What the environment says of the Hugging Face hub, by the names that Python's huggingface_hub reads. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../base/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** HF_ENDPOINT without its last slash; default the hub itself. */
export function hubEndpoint({ HF_ENDPOINT }: Environment): string {
  const endpoint = (HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
  if (/^https?:\/\/[^/]/.test(endpoint)) return endpoint;
  throw new ConfigError(`HF_ENDPOINT: expected an address that begins with https://, got "${endpoint}"`, {
    code: 'hub/endpoint',
    hint: 'Mend HF_ENDPOINT, or unset it.',
  });
}

/** The folder of the standard cache: HF_HUB_CACHE, HF_HOME/hub, or below the user's cache folder. */
export function hubCacheFolder(env: Environment): string {
  const explicit = env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE;
  if (explicit) return explicit;
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
  return join(home, 'hub');
}

/** Whether HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids the network. */
export function isOffline({ HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE }: Environment): boolean {
  return /^(1|on|yes|true)$/i.test(HF_HUB_OFFLINE || TRANSFORMERS_OFFLINE || '');
}

/**
 * HF_TOKEN, which is sent to the endpoint and written nowhere.
 * @throws {ConfigError} when it is no token; the message does not hold it
 */
export function hubToken({ HF_TOKEN }: Environment): string | undefined {
  if (!HF_TOKEN) return undefined;
  if (/^hf_[\x21-\x7e]+$/.test(HF_TOKEN)) return HF_TOKEN;
  throw new ConfigError('HF_TOKEN: expected a token that begins with hf_, got another text', {
    code: 'hub/token',
    hint: 'Copy the token again, or unset HF_TOKEN.',
  });
}
