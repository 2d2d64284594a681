/** @file What a request must show before anything of it is read: its host, its origin, its content type, its key. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import { ApiError } from './api-error.ts';
import type { Caller, ServerContext } from './context.ts';
import type { Access, BodyKind } from './route.ts';

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]', '::1']);

/** Whether an address to listen on is reached from this machine alone. */
export const isLoopback = (host: string): boolean => LOOPBACK.has(host) || /^127(\.\d{1,3}){3}$/.test(host);

export interface Doors {
  /** Names that the server is reached by, beyond those of loopback. */
  readonly hosts: readonly string[];
  /** Origins of pages that may call it. */
  readonly origins: readonly string[];
}

/** Headers that decide something: with two of them two readers could read two things. */
const SINGLE = ['host', 'authorization', 'content-type', 'content-length', 'origin'];

/**
 * Pages of other sites, and names that were bound to this address by somebody else (DNS rebinding), end here.
 * @throws {ApiError} 400, 403 `host_not_allowed`, `origin_not_allowed`
 */
export function checkPlace(
  request: Request,
  { hosts, origins }: Doors,
  incoming: HttpBindings['incoming'] | undefined,
): void {
  const names = (incoming?.rawHeaders ?? []).filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  const twice = SINGLE.find((name) => names.filter((each) => each === name).length > 1);
  if (twice !== undefined)
    throw new ApiError(400, `${twice}: expected one header, got several`, {
      code: 'invalid_parameter',
      param: twice,
    });
  const host = hostName(request.headers.get('host') ?? new URL(request.url).host);
  if (!isLoopback(host) && !hosts.includes(host))
    throw new ApiError(
      403,
      `host: expected a name of this server, got ${JSON.stringify(host.slice(0, 100))}`,
      {
        code: 'host_not_allowed',
        param: 'host',
        hint: 'Start the server with --allow-host for this name.',
      },
    );
  const origin = request.headers.get('origin');
  if (origin === null || origins.includes(origin) || isOwn(origin, request, hosts)) return;
  throw new ApiError(
    403,
    `origin: expected a page of this server, got ${JSON.stringify(origin.slice(0, 100))}`,
    {
      code: 'origin_not_allowed',
      param: 'origin',
      hint: 'Start the server with --allow-origin for this page.',
    },
  );
}

const hostName = (host: string) => host.replace(/:\d+$/, '').toLowerCase();

function isOwn(origin: string, request: Request, hosts: readonly string[]): boolean {
  try {
    const { protocol, host } = new URL(origin);
    const name = hostName(host);
    const isKnown = isLoopback(name) || hosts.includes(name);
    return isKnown && /^https?:$/.test(protocol) && host === (request.headers.get('host') ?? '');
  } catch {
    return false;
  }
}

const TYPES: Readonly<Record<BodyKind, string>> = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  multipart: 'multipart/form-data',
};

/** @throws {ApiError} 415 `unsupported_media_type` for a body of another type than the route takes */
export function checkContentType(request: Request, bodies: readonly BodyKind[] = []): void {
  const { headers } = request;
  const type = (headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  if (bodies.some((each) => TYPES[each] === type)) return;
  // Clients may name a type where they send nothing.
  if (bodies.length === 0 && !Number(headers.get('content-length') ?? 0) && !headers.has('transfer-encoding'))
    return;
  throw new ApiError(
    415,
    `content-type: expected ${bodies.map((each) => TYPES[each]).join(' or ') || 'no body'}, got ${JSON.stringify(type.slice(0, 60))}`,
    { code: 'unsupported_media_type', param: 'content-type' },
  );
}

/** Keys beside those of the store. */
export interface KeySettings {
  /** False: everybody is an administrator. */
  readonly auth: boolean;
  /** A key from the environment, which may everything. */
  readonly adminKey: string | undefined;
}

const NOBODY: Caller = { role: 'user', id: 'nobody' };

/** Who calls. @throws {ApiError} 401, and 429 for an address that sent too many wrong keys */
export function callerOf(
  request: Request,
  access: Access,
  { store, failures, metrics }: Pick<ServerContext, 'store' | 'failures' | 'metrics'>,
  { auth, adminKey }: KeySettings,
  address: string,
  now: Date,
): Caller {
  if (access === 'public') return NOBODY;
  if (!auth) return { role: 'admin', id: 'no-auth' };
  const header = request.headers.get('authorization');
  const token = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
  const refuse = (code: string, message: string) => {
    metrics.authFailed();
    // A right key always comes in: neighbours behind one address cannot lock each other out.
    if (token !== undefined) failures.failed(address);
    return new ApiError(401, message, {
      code,
      hint: 'Send "Authorization: Bearer nq_…" with a key of this server.',
    });
  };
  if (token === undefined)
    throw refuse('missing_api_key', 'key: expected one in the header Authorization, got none');
  if (adminKey !== undefined && areEqual(token, adminKey)) return { role: 'admin', id: 'environment' };
  const key = store.authenticate(token);
  if (key === undefined) throw refuse('invalid_api_key', 'key: expected one of this server, got another');
  if (key.expires !== undefined && new Date(key.expires) <= now)
    throw refuse('expired_api_key', 'key: expected one that is valid, got one that has expired');
  const { role, user, name } = key;
  return { role, ...(user !== undefined && { user }), id: `${role}/${user ?? ''}/${name}` };
}

const areEqual = (a: string, b: string) => timingSafeEqual(digest(a), digest(b));
const digest = (text: string) => createHash('sha256').update(text).digest();

/** @throws {ApiError} 403 `role_not_allowed`, `wrong_user` */
export function checkAccess(
  { role, user }: Caller,
  access: Access,
  params: Readonly<Record<string, string>>,
): void {
  if (role === 'admin' || access === 'public' || access === 'any') return;
  const refuse = (code: string, message: string) => new ApiError(403, message, { code });
  if (access === 'admin' || (access === 'app' && role === 'user'))
    throw refuse(
      'role_not_allowed',
      `key: expected the role ${access === 'admin' ? 'admin' : 'app or admin'}, got ${role}`,
    );
  if (access === 'own' && role === 'user' && params.user !== user)
    throw refuse('wrong_user', 'user: expected the user of the key, got another');
}
