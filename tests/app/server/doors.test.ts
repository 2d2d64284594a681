/** @file Who comes in: every route by every kind of key, hosts, origins, content types, limits, and what logs never hold. */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServer } from '../../../src/app/server/create-server.ts';
import { openStore } from '../../../src/app/server/store/store.ts';
import { ADMIN, embeddedModel, type Served, served } from '../../support/serving.ts';

let at: Served;
const keys: Record<string, string> = {};
beforeAll(async () => {
  at = await served({ maxPerUser: 2 });
  for (const user of ['u1', 'u2']) {
    at.store.putUser(user, {});
    keys[user] = at.store.addKey({ role: 'user', user, name: user }).token;
  }
  keys.app = at.store.addKey({ role: 'app', name: 'web' }).token;
  keys.admin = at.store.addKey({ role: 'admin', name: 'root' }).token;
  const past = new Date(Date.now() + 50).toISOString();
  keys.expired = at.store.addKey({ role: 'admin', name: 'old', expires: past }).token;
  await new Promise((resolve) => setTimeout(resolve, 80));
});
afterAll(() => at[Symbol.asyncDispose]());

/** All routes of the document, with the least key that may: none, any, own, app, admin. */
type Access = keyof typeof ORDER;
const ORDER = { public: 0, any: 1, own: 2, app: 3, admin: 4 };
const routes: [method: string, path: string, access: Access, type?: string][] = [
  ['GET', '/health', 'public'],
  ['GET', '/ready', 'public'],
  ['GET', '/v1/models', 'any'],
  ['GET', '/v1/models/embedded', 'any'],
  ['POST', '/v1/chat/completions', 'any', 'application/json'],
  ['POST', '/v1/completions', 'app', 'application/json'],
  ['POST', '/v1/nextquill/effects', 'any', 'application/json'],
  ['GET', '/v1/nextquill/users', 'app'],
  ['GET', '/v1/nextquill/users/u1', 'own'],
  ['PUT', '/v1/nextquill/users/u1', 'own', 'application/json'],
  ['DELETE', '/v1/nextquill/users/u1', 'own'],
  ['GET', '/v1/nextquill/users/u1/history', 'own'],
  ['POST', '/v1/nextquill/users/u1/history', 'own', 'application/json'],
  ['DELETE', '/v1/nextquill/users/u1/history/nothing', 'own'],
  ['GET', '/v1/nextquill/users/u1/export', 'own'],
  ['GET', '/v1/nextquill/users/u1/keys', 'app'],
  ['POST', '/v1/nextquill/users/u1/keys', 'app', 'application/json'],
  ['DELETE', '/v1/nextquill/users/u1/keys/nothing', 'app'],
  ['GET', '/v1/nextquill/adapters', 'app'],
  ['PUT', '/v1/nextquill/adapters/a', 'admin', 'multipart/form-data'],
  ['DELETE', '/v1/nextquill/adapters/a', 'admin'],
  ['GET', '/v1/nextquill/receipts/x', 'app'],
  ['GET', '/v1/nextquill/status', 'app'],
  ['GET', '/metrics', 'admin'],
  ['GET', '/openapi.json', 'any'],
  ['GET', '/nothing', 'any'],
];

const request = (
  [method, path, , type]: (typeof routes)[number],
  headers: Record<string, string>,
  host = '127.0.0.1',
) =>
  at.server.app.request(`http://${host}${path}`, {
    method,
    headers: { host, ...(type && { 'content-type': type }), ...headers },
    // A body that no route takes: whoever comes in gets no further.
    ...(type && { body: '[]' }),
  });
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const codeOf = async (response: Response) =>
  ((await response.json()) as { error: { code: string } }).error.code;

describe('a route', () => {
  it.each(routes)('%s %s takes whom it should: %s', async (...route) => {
    const [method, path, access] = route;
    // Of what deletes, only what nobody may is tried.
    const deletes = method === 'DELETE' && path === '/v1/nextquill/users/u1';
    const open = ORDER[access];
    const expected: [string | undefined, boolean][] = [
      [undefined, open === 0],
      ['u2', open <= 1],
      ['u1', open <= 2],
      ['app', open <= 3],
      ['admin', true],
    ];
    for (const [name, may] of expected) {
      if (may && deletes) continue;
      const response = await request(route, name === undefined ? {} : bearer(keys[name]!));
      if (may) expect([401, 403], `${name}`).not.toContain(response.status);
      else expect(response.status, `${name}`).toBe(name === undefined ? 401 : 403);
    }
  });

  it('is in the document, and every route of the document is tested here', async () => {
    const document = (await (await at.call('GET', '/openapi.json')).json()) as {
      paths: Record<string, object>;
    };
    const documented = Object.entries(document.paths).flatMap(([path, of]) =>
      Object.keys(of).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const tested = routes.map(
      ([method, path]) =>
        `${method} ${path
          .replace('/v1/models/embedded', '/v1/models/{id}')
          .replace('/users/u1', '/users/{user}')
          .replace('/history/nothing', '/history/{item}')
          .replace('/keys/nothing', '/keys/{name}')
          .replace('/adapters/a', '/adapters/{name}')
          .replace('/receipts/x', '/receipts/{id}')}`,
    );
    expect([...documented, 'GET /nothing'].sort()).toEqual([...tested].sort());
  });

  it.each(routes)('%s %s refuses other hosts, other origins and other content types', async (...route) => {
    const admin = bearer(keys.admin!);
    const rebound = await request(route, admin, 'evil.example');
    expect([rebound.status, await codeOf(rebound)]).toEqual([403, 'host_not_allowed']);
    const crossed = await request(route, { ...admin, origin: 'https://evil.example' });
    expect([crossed.status, await codeOf(crossed)]).toEqual([403, 'origin_not_allowed']);
    if (route[3] === undefined) return;
    const plain = await request(route, { ...admin, 'content-type': 'text/plain' });
    expect([plain.status, await codeOf(plain)]).toEqual([415, 'unsupported_media_type']);
  });
});

describe('keys', () => {
  it('that are missing, wrong or expired are told apart, and guessing ends', async () => {
    const route = routes[2]!;
    expect(await codeOf(await request(route, {}))).toBe('missing_api_key');
    expect(await codeOf(await request(route, bearer('nq_wrong')))).toBe('invalid_api_key');
    expect(await codeOf(await request(route, bearer(keys.expired!)))).toBe('expired_api_key');
    await using other = await served();
    const guesses = [];
    for (let i = 0; i < 12; i++)
      guesses.push((await other.call('GET', '/v1/models', undefined, bearer(`nq_${i}`))).status);
    expect(guesses).toEqual([...new Array(10).fill(401), 429, 429]);
    expect((await other.call('GET', '/v1/models')).status).toBe(200);
  });

  it('of a user decide the user, and a body that says otherwise is refused before anything is looked up', async () => {
    const own = at.client(keys.u1);
    const messages = [{ role: 'user' as const, content: 'Hello' }];
    const body = { model: 'embedded', messages, max_tokens: 1 };
    const answer = await own.chat.completions.create(body);
    expect(answer).toMatchObject({ nextquill: { user: 'u1' } });
    for (const user of ['u2', 'nobody']) {
      const failed = await own.chat.completions.create({ ...body, user }).catch((error: unknown) => error);
      expect(failed).toMatchObject({ status: 403, code: 'wrong_user' });
    }
    const own2 = await at.call('PUT', '/v1/nextquill/users/u1', { adapter: 'a' }, bearer(keys.u1!));
    expect([own2.status, await codeOf(own2)]).toEqual([403, 'role_not_allowed']);
  });

  it('are needed beyond loopback', async () => {
    await using store = await openStore();
    const model = await embeddedModel();
    for (const more of [{}, { auth: false, adminKey: 'x' }])
      await expect(createServer({ model, store, host: '0.0.0.0', port: 0, ...more })).rejects.toMatchObject({
        code: 'server/no-keys',
      });
  });
});

describe('limits', () => {
  it('of one user and of a minute are 429 with the time to wait, which the client waits and succeeds', async () => {
    await using limited = await served({ requestsPerMinute: 120, maxPerUser: 1 });
    const client = limited.client(ADMIN, { maxRetries: 2 });
    const { response } = await client.models.list().withResponse();
    expect(response.headers.get('x-ratelimit-limit-requests')).toBe('120');
    const ask = async () => limited.server.app.request('/v1/models', { headers: bearer(ADMIN) });
    for (let i = 0; i < 118; i++) expect((await ask()).status).toBe(200);
    // Two come back each second: a slow machine asks for some more.
    let refused = await ask();
    for (let i = 0; i < 500 && refused.status === 200; i++) refused = await ask();
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after-ms'))).toBeGreaterThan(0);
    expect((await client.models.list()).data[0]!.id).toBe('embedded');

    limited.store.putUser('u1', {});
    await new Promise((resolve) => setTimeout(resolve, 1600));
    const body = { model: 'embedded', messages: [{ role: 'user' as const, content: 'Hi' }], user: 'u1' };
    const both = await Promise.allSettled(
      [1, 2].map(() => limited.client().chat.completions.create({ ...body, max_tokens: 30, temperature: 0 })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const [{ reason }] = both.filter((each) => each.status === 'rejected') as [PromiseRejectedResult];
    expect(reason).toBeInstanceOf(OpenAI.RateLimitError);
    expect(reason).toMatchObject({ code: 'too_many_for_user' });
  });
});

describe('logs and metrics', () => {
  it('hold no text, no key and no id of a user', async () => {
    const canary = 'canarytext';
    at.store.putUser('canaryuser', {});
    at.store.addItems('canaryuser', [{ text: canary, query: canary }]);
    await at.client().chat.completions.create({
      ...{
        model: 'embedded',
        messages: [{ role: 'user', content: canary }],
        max_tokens: 2,
        user: 'canaryuser',
      },
    });
    await at.call('GET', '/v1/nextquill/users/canaryuser');
    await at.call('POST', '/v1/nextquill/users/canaryuser/history', { items: [{ text: canary, query: 5 }] });
    const written = JSON.stringify(at.lines) + (await (await at.call('GET', '/metrics')).text());
    for (const secret of [canary, 'canaryuser', ADMIN, ...Object.values(keys)])
      expect(written).not.toContain(secret);
    expect(at.lines.length).toBeGreaterThan(10);
  });

  it('name users by pseudonyms where that is asked for', async () => {
    await using told = await served({ verbose: true });
    told.store.putUser('canaryuser', {});
    await told.client().chat.completions.create({
      ...{ model: 'embedded', messages: [{ role: 'user', content: 'x' }], max_tokens: 1, user: 'canaryuser' },
    });
    expect(told.lines.at(-1)!.user).toBe(told.store.pseudonym('canaryuser'));
    expect(JSON.stringify(told.lines)).not.toContain('canaryuser');
  });
});
