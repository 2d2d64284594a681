/** @file What a route is: who may take it, what it takes, and what it does. A route without a declared access has no type. */

import type { HttpBindings } from '@hono/node-server';
import type { z } from '@hono/zod-openapi';
import type { Caller, ServerContext } from './context.ts';
import type { Outcome, RequestLine } from './request-log.ts';

/**
 * Who may: nobody needs a key (`public`), any key, the user of the path with its own key or an app (`own`), an app, an
 * administrator. An administrator may everything.
 */
export type Access = 'public' | 'any' | 'own' | 'app' | 'admin';

/** What is known of a request while it is answered; ends in the log. */
export type Told = {
  -readonly [K in
    | 'model'
    | 'adapter'
    | 'promptTokens'
    | 'completionTokens'
    | 'queueMs'
    | 'firstTokenMs'
    | 'user']?: RequestLine[K];
} & { outcome?: Outcome; code?: string; error?: RequestLine['error'] };

/** A request as a handler sees it. */
export interface RouteRequest<Query = unknown> {
  readonly server: ServerContext;
  readonly caller: Caller;
  readonly requestId: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly request: Request;
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal;
  /** Absent for requests without a socket. */
  readonly outgoing: HttpBindings['outgoing'] | undefined;
  readonly told: Told;
  /** Of an answer that is still being written when the handler returns: settles at its end. */
  finishLater(end: Promise<void>): void;
}

export type BodyKind = 'json' | 'ndjson' | 'multipart';

export interface Route<Q extends z.ZodType = z.ZodType> {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** With `{name}` for its parameters. */
  readonly path: string;
  readonly access: Access;
  readonly summary: string;
  readonly query?: Q;
  /** Content types of the body; none where there is no body, `any` where nothing of it is read. */
  readonly bodies?: readonly BodyKind[] | 'any';
  /** The schema of a JSON body, for the document. */
  readonly body?: z.ZodType;
  handler(request: RouteRequest<z.infer<Q>>): Promise<Response> | Response;
}

/** A route whose query is checked by its schema. */
export const route = <Q extends z.ZodType = z.ZodType<Record<string, never>>>(of: Route<Q>): Route =>
  of as unknown as Route;

export const json = (value: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(value), {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
  });
