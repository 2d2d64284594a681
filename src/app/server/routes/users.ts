/** @file Users, their histories, their keys, and the receipts of forgetting them. */
import { performance } from 'node:perf_hooks';
import { ApiError, invalid } from '../api-error.ts';
import type { ServerContext } from '../context.ts';
import { forgettingMeasures } from '../forgetting-measures.ts';
import { visibleAdapters } from '../prompt-plan.ts';
import { json, type Route, type RouteRequest, route } from '../route.ts';
import { checkId } from '../store/ids.ts';
import type { NewItem, Page, Receipt, StoredItem, StoredUser, UserChange } from '../store-contract.ts';
import {
  forgetQuery,
  historyQuery,
  item,
  itemList,
  keyRequest,
  userChange,
  userQuery,
} from '../wire/fields.ts';
import { checked, parseJson, readBytes } from '../wire/read-body.ts';

const USER = '/v1/nextquill/users/{user}';

/** The user of the path. @throws {ApiError} 404 `user_not_found` */
function userOf({ server, params }: RouteRequest): StoredUser {
  const id = userIdOf(params);
  const user = server.store.user(id);
  if (user !== undefined) return user;
  throw new ApiError(404, `user: expected one of the store, got ${JSON.stringify(id)}`, {
    code: 'user_not_found',
    param: 'user',
  });
}

function userIdOf(params: Readonly<Record<string, string>>): string {
  checkId('user', params.user!);
  return params.user!;
}

const userJson = ({
  id,
  adapter,
  strength,
  meta,
  historyItems,
  historyVersion,
  created,
  forgetting,
}: StoredUser) => ({
  id,
  adapter: adapter ?? null,
  strength: strength ?? null,
  historyItems,
  historyVersion,
  created,
  meta,
  ...(forgetting && { forgetting }),
});

const pageJson = <T extends { readonly id: string }>(
  { data, hasMore }: Page<T>,
  show: (of: T) => object = (of) => of,
) =>
  json({
    object: 'list',
    data: data.map(show),
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: hasMore,
  });

/** A write, whose time is measured until it is on disk. */
function written<T>({ metrics }: ServerContext, write: () => T): T {
  const begun = performance.now();
  const result = write();
  metrics.storeCommit((performance.now() - begun) / 1000);
  return result;
}

const body = async ({ request, server }: RouteRequest) =>
  parseJson(await readBytes(request, server.settings.maxBody), 'body');

export const userRoutes: Route[] = [
  route({
    method: 'get',
    path: '/v1/nextquill/users',
    access: 'app',
    summary: 'Users in the order of their ids',
    query: userQuery,
    handler: ({ server, query: { limit, after, prefix } }) =>
      pageJson(
        server.store.users({
          limit,
          ...(after !== undefined && { after }),
          ...(prefix !== undefined && { prefix }),
        }),
        userJson,
      ),
  }),
  route({
    method: 'get',
    path: USER,
    access: 'own',
    summary: 'One user',
    handler: (context) => json(userJson(userOf(context))),
  }),
  route({
    method: 'put',
    path: USER,
    access: 'own',
    summary: 'Makes a user, or sets adapter, strength and meta',
    bodies: ['json'],
    body: userChange,
    handler: async (context) => {
      const { server, caller, params } = context;
      const id = userIdOf(params);
      const change = checked(userChange, await body(context));
      checkChange(server, caller.role, id, change);
      return json(userJson(written(server, () => server.store.putUser(id, change as UserChange))));
    },
  }),
  route({
    method: 'delete',
    path: USER,
    access: 'own',
    summary: 'Forgets a user, with a receipt of what was removed, searched and measured',
    query: forgetQuery,
    handler: async ({ server, params, query }) => {
      const user = userIdOf(params);
      await using measures = forgettingMeasures(server);
      if (query.evidence === 'true')
        return receiptAnswer(server, await server.store.forgetUser(user, { measures }));
      const receipt = await server.store.forgetUser(user);
      await measures.releaseUser(user);
      return receiptAnswer(server, receipt);
    },
  }),
  route({
    method: 'get',
    path: `${USER}/history`,
    access: 'own',
    summary: 'Items of a history',
    query: historyQuery,
    handler: (context) => {
      const { limit, after, order } = context.query;
      const { id } = userOf(context);
      return pageJson(
        context.server.store.items(id, { limit, order, ...(after !== undefined && { after }) }),
      );
    },
  }),
  route({
    method: 'post',
    path: `${USER}/history`,
    access: 'own',
    summary: 'Adds items, all or none: {"items": […]}, or one item a line',
    bodies: ['json', 'ndjson'],
    body: itemList,
    handler: async (context) => {
      const { server, request, params } = context;
      const id = userIdOf(params);
      const bytes = await readBytes(request, server.settings.maxBody);
      const isLines = request.headers.get('content-type')?.includes('ndjson') === true;
      const items = isLines ? lines(bytes) : checked(itemList, parseJson(bytes, 'body')).items;
      const { maxItemChars, maxItems } = server.settings;
      for (const [i, { text, query }] of items.entries())
        if (text.length + query.length > maxItemChars)
          throw invalid(
            `items[${i}]`,
            `at most ${maxItemChars} characters`,
            String(text.length + query.length),
          );
      return json(written(server, () => server.store.addItems(id, items as NewItem[], { most: maxItems })));
    },
  }),
  route({
    method: 'delete',
    path: `${USER}/history/{item}`,
    access: 'own',
    summary: 'Forgets one item',
    handler: async ({ server, params }) =>
      receiptAnswer(server, await server.store.removeItem(userIdOf(params), params.item!)),
  }),
  route({
    method: 'get',
    path: `${USER}/export`,
    access: 'own',
    summary: 'Everything held of a user, one JSON object a line',
    handler: (context) => exportOf(context.server, userOf(context)),
  }),
  route({
    method: 'get',
    path: `${USER}/keys`,
    access: 'app',
    summary: 'Keys of a user, without the keys themselves',
    handler: (context) => json({ object: 'list', data: context.server.store.keys(userOf(context).id) }),
  }),
  route({
    method: 'post',
    path: `${USER}/keys`,
    access: 'app',
    summary: 'Makes a key of a user, which is shown once',
    bodies: ['json'],
    body: keyRequest,
    handler: async (context) => {
      const { name, expires } = checked(keyRequest, await body(context), { nullIsAbsent: true });
      if (expires !== undefined && Number.isNaN(new Date(expires).getTime()))
        throw invalid('expires', 'an ISO 8601 time', 'another text');
      const user = userOf(context).id;
      const { token, key } = written(context.server, () =>
        context.server.store.addKey({ role: 'user', user, name, ...(expires !== undefined && { expires }) }),
      );
      return json({ ...key, key: token }, 201);
    },
  }),
  route({
    method: 'delete',
    path: `${USER}/keys/{name}`,
    access: 'app',
    summary: 'Removes a key of a user',
    handler: (context) => {
      const { server, params } = context;
      const { id } = userOf(context);
      written(server, () => server.store.removeKey(params.name!, id));
      return json({ object: 'nextquill.key.deleted', name: params.name, deleted: true });
    },
  }),
  route({
    method: 'get',
    path: '/v1/nextquill/receipts/{id}',
    access: 'app',
    summary: 'A receipt of forgetting',
    handler: ({ server, params }) => {
      const receipt = server.store.receipt(params.id!);
      if (receipt !== undefined) return json(receipt);
      throw new ApiError(404, 'receipt: expected one of the store, got another', {
        code: 'not_found',
        param: 'id',
      });
    },
  }),
];

function checkChange(
  server: ServerContext,
  role: string,
  id: string,
  change: { adapter?: unknown; strength?: unknown },
): void {
  const { maxStrength } = server.settings;
  const { adapter, strength } = change;
  if (role === 'user' && adapter !== undefined)
    throw new ApiError(403, 'adapter: expected an app to set it, got a key of a user', {
      code: 'role_not_allowed',
      param: 'adapter',
    });
  if (typeof strength === 'number' && Math.abs(strength) > maxStrength)
    throw invalid('strength', `a number from -${maxStrength} to ${maxStrength}`, String(strength));
  if (typeof adapter === 'string' && !visibleAdapters(server, id).some(({ name }) => name === adapter))
    throw new ApiError(404, `adapter: expected one that may serve the user, got ${JSON.stringify(adapter)}`, {
      code: 'adapter_not_found',
      param: 'adapter',
    });
}

/** Items, one on each line. */
function lines(bytes: Uint8Array) {
  const texts = Buffer.from(bytes).toString('latin1').split('\n');
  const items = texts.flatMap((text, i) => {
    const line = Buffer.from(text, 'latin1');
    if (text.trim() === '') return [];
    const where = `line ${i + 1}`;
    return [checked(item, parseJson(line, where), { where: `${where}: ` })];
  });
  if (items.length === 0) throw invalid('body', 'an item on each line', 'no lines');
  return items;
}

function receiptAnswer({ metrics }: ServerContext, receipt: Receipt): Response {
  metrics.forgotten(receipt.status);
  if (receipt.status !== 'incomplete') return json(receipt);
  const error = new ApiError(500, 'forgetting: expected no trace in the files of the store, got some', {
    code: 'forget_incomplete',
    hint: 'Look at "search" of the receipt, and repeat when nothing else reads the store.',
  });
  return json(
    {
      error: {
        message: `${error.message}. ${error.hint}`,
        type: 'server_error',
        param: null,
        code: error.code,
      },
      receipt,
    },
    500,
  );
}

/** A line for the user and one for each item, read page by page as the reader takes them. */
function exportOf({ store }: ServerContext, user: StoredUser): Response {
  const encode = (value: object) => new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  let after: string | undefined;
  let isDone = false;
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) =>
      controller.enqueue(encode({ object: 'nextquill.user', ...userJson(user), keys: store.keys(user.id) })),
    pull: (controller) => {
      if (isDone) return controller.close();
      const page: Page<StoredItem> = store.items(user.id, {
        limit: 100,
        ...(after !== undefined && { after }),
      });
      for (const each of page.data) controller.enqueue(encode({ object: 'nextquill.item', ...each }));
      after = page.data.at(-1)?.id;
      isDone = !page.hasMore;
      if (page.data.length === 0) controller.close();
    },
  });
  return new Response(stream, { headers: { 'content-type': 'application/x-ndjson; charset=utf-8' } });
}
