/** @file Routes on a Hono app: every request passes the doors, is answered once, and leaves one line in the log. */
import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { HttpBindings } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { ApiError, apiErrorOf, errorBody, errorHeaders } from './api-error.ts';
import type { Caller, ServerContext } from './context.ts';
import {
  callerOf,
  checkAccess,
  checkContentType,
  checkPlace,
  type Doors,
  type KeySettings,
} from './doors.ts';
import { errorForLog, type Outcome } from './request-log.ts';
import { json, type Route, type Told } from './route.ts';
import { checked } from './wire/read-body.ts';

export type ServerApp = OpenAPIHono<{ Bindings: Partial<HttpBindings> }>;

/** What stands on every answer. */
const HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

export interface MountOptions extends Doors, KeySettings {
  readonly verbose: boolean;
}

/** An app of all routes. */
export function mountedApp(
  server: ServerContext,
  routes: readonly Route[],
  options: MountOptions,
): ServerApp {
  const app: ServerApp = new OpenAPIHono();
  const known = new Map<string, Set<string>>();
  for (const each of routes) {
    const path = each.path.replace(/\{(\w+)\}/g, ':$1');
    known.set(path, (known.get(path) ?? new Set()).add(each.method.toUpperCase()));
    describe(app, each);
    app.on(each.method.toUpperCase(), path, (c) => answer(c, server, each, options));
  }
  for (const [path, methods] of known)
    app.all(path, (c) => {
      const allowed = [...methods].join(', ');
      return answer(
        c,
        server,
        {
          ...refusal(
            `${c.req.method} of this path: expected ${allowed}, got another method`,
            405,
            'method_not_allowed',
            { allow: allowed },
          ),
          path,
        },
        options,
      );
    });
  app.notFound((c) =>
    answer(
      c,
      server,
      refusal('path: expected a route of this server, got another', 404, 'not_found'),
      options,
    ),
  );
  return app;
}

/** A route that refuses whoever has a key: without one nothing is told of which routes there are. */
function refusal(message: string, status: number, code: string, headers: Record<string, string> = {}): Route {
  const error = new ApiError(status, message, { code });
  return {
    method: 'get',
    path: '(none)',
    access: 'any',
    summary: '',
    bodies: 'any',
    handler: () => json(errorBody(error), status, headers),
  };
}

const OWN_ID = /^[\x21-\x7e]{1,128}$/;

async function answer(
  c: Context<{ Bindings: Partial<HttpBindings> }>,
  server: ServerContext,
  of: Route,
  options: MountOptions,
): Promise<Response> {
  const begun = performance.now();
  const request = c.req.raw;
  const given = request.headers.get('x-request-id');
  const requestId = given !== null && OWN_ID.test(given) ? given : randomUUID();
  const told: Told = {};
  let caller: Caller | undefined;
  let later: Promise<void> | undefined;
  let response: Response;
  try {
    checkPlace(request, options, c.env?.incoming);
    const address = c.env?.incoming === undefined ? 'local' : (getConnInfo(c).remote.address ?? 'local');
    caller = callerOf(request, of.access, server, options, address, new Date());
    const params = c.req.param() as Record<string, string>;
    checkAccess(caller, of.access, params);
    if (of.access !== 'public') server.rates.take(caller.id);
    if (of.bodies !== 'any') checkContentType(request, of.bodies);
    const state = server.notReady();
    if (state !== undefined && of.access !== 'public')
      throw new ApiError(503, `server: expected to be ready, got ${state}`, {
        code: state === 'loading' ? 'loading' : 'shutting_down',
        retryAfter: 2,
      });
    const query = checked(of.query ?? z.strictObject({}), c.req.query());
    response = await of.handler({
      server,
      caller,
      requestId,
      params,
      query,
      request,
      signal: request.signal,
      outgoing: c.env?.outgoing,
      told,
      finishLater: (end) => {
        later = end;
      },
    });
  } catch (error) {
    const failure = apiErrorOf(error, requestId);
    told.code = failure.code;
    if (failure.status === 500) told.error = errorForLog(failure.cause ?? error);
    told.outcome ??= failure.status === 499 ? 'cancelled' : failure.status === 504 ? 'timeout' : 'error';
    response = json(errorBody(failure), failure.status, errorHeaders(failure));
  }
  const { status } = response;
  const headers = {
    ...HEADERS,
    'x-request-id': requestId,
    'openai-processing-ms': String(Math.round(performance.now() - begun)),
    'x-nextquill-version': server.version,
    ...(caller !== undefined && of.access !== 'public' ? server.rates.headers(caller.id) : {}),
    ...keepAlive(server, c.env?.outgoing),
  };
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  const end = () => {
    const seconds = (performance.now() - begun) / 1000;
    const outcome: Outcome = told.outcome ?? (status >= 400 ? 'error' : 'done');
    server.metrics.request({ route: of.path, status, outcome }, seconds);
    const { user, ...line } = told;
    server.log({
      requestId,
      method: request.method,
      route: of.path,
      status,
      role: caller?.role,
      ...line,
      ...(options.verbose && { user }),
      totalMs: Math.round(seconds * 1000),
      outcome,
    });
  };
  if (later === undefined) end();
  else void later.finally(end);
  return response;
}

/**
 * How long a client may count on an idle connection: half of what the server gives, so that no request is sent on one that is
 * just being closed. Clients cannot repeat a POST that was lost like that.
 */
function keepAlive(
  { settings, notReady }: ServerContext,
  outgoing: HttpBindings['outgoing'] | undefined,
): Record<string, string> {
  if (outgoing === undefined || !('shouldKeepAlive' in outgoing) || !outgoing.shouldKeepAlive) return {};
  if (notReady() === 'draining') return { connection: 'close' };
  return { connection: 'keep-alive', 'keep-alive': `timeout=${Math.floor(settings.idleTimeout / 2)}` };
}

/** The route in the document of the API. */
function describe(app: ServerApp, { method, path, summary, access, query, body, bodies = [] }: Route): void {
  const content: Record<string, { schema: z.ZodType }> = {};
  if (body !== undefined) content['application/json'] = { schema: body };
  if (bodies.includes('ndjson')) content['application/x-ndjson'] = { schema: z.string() };
  if (bodies.includes('multipart')) content['multipart/form-data'] = { schema: z.unknown() };
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  app.openAPIRegistry.registerPath({
    method,
    path,
    summary,
    ...(access !== 'public' && { security: [{ key: [] }], description: `Access: ${access}` }),
    request: {
      ...(names.length > 0 && {
        params: z.object(Object.fromEntries(names.map((name) => [name, z.string()]))),
      }),
      ...(query !== undefined && { query: query as z.ZodObject }),
      ...(Object.keys(content).length > 0 && { body: { content, required: true } }),
    },
    responses: { 200: { description: 'Done' }, default: { description: 'An error as OpenAI writes it' } },
  });
}
