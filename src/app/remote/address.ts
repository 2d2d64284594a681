/** @file The address of a server after `--model`: what it may be, and whether texts leave this machine. */
import { ConfigError } from '../../base/errors.ts';

/** A server's address. */
export interface RemoteAddress {
  /** Ends in `/v1`, without user, password or query. */
  readonly api: string;
  /** Without `/v1`: where servers have what is not OpenAI's. */
  readonly root: string;
  readonly host: string;
  readonly isLoopback: boolean;
}

/** Whether what stands after `--model` is the address of a server. */
export const isRemoteSource = (source: string): boolean => /^https?:\/\//i.test(source);

/** @throws {ConfigError} `remote/address` for one that is malformed, or that holds a password or a query */
export function remoteAddress(source: string): RemoteAddress {
  const fail = (got: string, hint: string) =>
    new ConfigError(
      `--model: expected the address of a server such as http://127.0.0.1:8000/v1, got ${got}`,
      {
        code: 'remote/address',
        hint,
      },
    );
  if (!URL.canParse(source)) throw fail(JSON.stringify(source.slice(0, 200)), 'Correct the address.');
  const url = new URL(source);
  if (url.username !== '' || url.password !== '')
    throw fail(
      'one with a user or a password',
      'Put the key into a variable, and name that by --remote-key-env.',
    );
  if (url.search !== '' || url.hash !== '')
    throw fail('one with a query', 'Leave out what follows the path.');
  const path = url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '');
  const root = `${url.origin}${path}`;
  return { api: `${root}/v1`, root, host: url.host, isLoopback: isLoopbackName(url.hostname) };
}

function isLoopbackName(name: string): boolean {
  return (
    name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127(\.\d+){3}$/.test(name)
  );
}

/** What needs more than scores of tokens is refused. */
export function needsWeights(url: string): ConfigError {
  return new ConfigError(`${url}: expected a model whose weights are here, got a server's`, {
    code: 'remote/needs-weights',
    hint: 'Name a folder, a .gguf file, a hub id or embedded; a server serves effects, audit, evaluate, explain and refute.',
  });
}
