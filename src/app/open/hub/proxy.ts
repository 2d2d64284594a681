/** @file Requests through the proxy that the environment names, by the variables that Python's huggingface_hub reads. */
import { ConfigError } from '../../../base/errors.ts';
import type { Environment } from './environment.ts';

export interface ProxiedFetch {
  readonly fetch: typeof fetch;
  /** The proxy of an address without user and password, for messages; undefined where none is used. */
  readonly proxyOf: (url: string) => string | undefined;
}

/**
 * Node's fetch, or one that goes through HTTPS_PROXY, HTTP_PROXY or ALL_PROXY (in lower case too, which wins) for all
 * hosts but those of NO_PROXY. Node's own fetch knows none of them.
 * @throws {ConfigError} for a proxy that is not an address; the message does not hold its password
 */
export async function proxiedFetch(env: Environment): Promise<ProxiedFetch> {
  const noProxy = env.no_proxy || env.NO_PROXY || '';
  const proxies = { 'https:': proxyAddress(env, 'HTTPS_PROXY'), 'http:': proxyAddress(env, 'HTTP_PROXY') };
  if (proxies['https:'] === undefined && proxies['http:'] === undefined)
    return { fetch, proxyOf: () => undefined };
  // Loaded here, since hardly anybody has a proxy.
  const { EnvHttpProxyAgent, fetch: fetchThrough } = await import('undici');
  const agents = new Map<string, InstanceType<typeof EnvHttpProxyAgent>>();
  const addressOf = (url: string) => proxies[new URL(url).protocol as 'https:' | 'http:'];
  const agentOf = (proxy: string) => {
    // A tunnel for https alone: many proxies refuse one to another port than 443.
    const agent =
      agents.get(proxy) ??
      new EnvHttpProxyAgent({ httpProxy: proxy, httpsProxy: proxy, noProxy, proxyTunnel: false });
    agents.set(proxy, agent);
    return agent;
  };
  const through = (input: string | URL | Request, init?: RequestInit) => {
    const url = input instanceof Request ? input.url : String(input);
    const proxy = addressOf(url);
    if (proxy === undefined) return fetch(input, init);
    return fetchThrough(url, { ...(init as object), dispatcher: agentOf(proxy) });
  };
  return {
    fetch: through as typeof fetch,
    proxyOf: (url) => {
      const proxy = addressOf(url);
      return proxy === undefined ? undefined : new URL(proxy).origin;
    },
  };
}

/** @throws {ConfigError} naming the variable */
function proxyAddress(env: Environment, name: 'HTTPS_PROXY' | 'HTTP_PROXY'): string | undefined {
  const names = [name.toLowerCase(), name, 'all_proxy', 'ALL_PROXY'];
  const found = names.find((each) => env[each]);
  if (found === undefined) return undefined;
  const text = env[found]!.trim();
  // As Python's clients do with `host:port`.
  const address = text.includes('://') ? text : `http://${text}`;
  if (URL.canParse(address) && /^(https?|socks5):/.test(address)) return address;
  throw new ConfigError(`${found}: expected the address of a proxy, http://host:port, got another text`, {
    code: 'hub/proxy',
    hint: `Correct ${found}, or unset it.`,
  });
}
