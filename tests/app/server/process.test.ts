/**
 * @file `nextquill serve` as a process: killed, full disk, warm start, signals, slow clients. NEXTQUILL_SERVER_KILLS=100 kills as
 * often in a long run.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../src/app/server/store/store.ts';
import { randomStream } from '../../../src/base/random.ts';
import { filesOf, formOf, randomAdapter } from '../../support/adapter-files.ts';
import { privateMount } from '../../support/private-mount.ts';
import { ADMIN, embeddedModel, served } from '../../support/serving.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-serve-'));
const program = resolve(import.meta.dirname, '../../../dist/app/cli/main.js');
const random = randomStream(16, 'tests/server-kills');
const KILLS = Number(process.env.NEXTQUILL_SERVER_KILLS ?? 1);
const files = await filesOf(randomAdapter((await embeddedModel()).model, 1));

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly exited: Promise<number | null>;
  call(method: string, path: string, body?: unknown): Promise<Response>;
}

/** Starts the built server on a store, with {@link ADMIN} as the key of its environment. */
async function start(store: string, flags: readonly string[] = []): Promise<Running> {
  const words = ['serve', '--model', 'embedded', '--store', store, '--port', '0', '--json', '--threads', '1'];
  const child = spawn(process.execPath, [program, ...words, '--quiet', '--cache-memory', '64MiB', ...flags], {
    env: { ...process.env, NEXTQUILL_API_KEY: ADMIN },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<number | null>((done) => child.on('exit', done));
  const url = await new Promise<string>((begun, failed) => {
    let output = '';
    child.stdout!.on('data', (data: Buffer) => {
      output += data;
      if (output.includes('\n')) begun((JSON.parse(output) as { url: string }).url);
    });
    child.on('exit', (code) => failed(new Error(`the server ended with ${code}`)));
  });
  return { child, url, exited, call: callerOf(url) };
}

const callerOf = (url: string) => (method: string, path: string, body?: unknown) =>
  fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${ADMIN}`,
      ...(body !== undefined && !(body instanceof FormData) && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: body instanceof FormData ? body : JSON.stringify(body) }),
  });

const chat = (max_tokens: number, nextquill: object = {}) => ({
  ...{ model: 'embedded', messages: [{ role: 'user', content: 'Hello' }], max_tokens },
  ...{ temperature: 0, stream: true, nextquill },
});

/** All items of a user, page by page. */
async function itemsOf({ call }: Pick<Running, 'call'>, user: string): Promise<string[]> {
  const ids: string[] = [];
  for (let after = ''; ; after = ids.at(-1)!) {
    const page = await call(
      'GET',
      `/nextquill/users/${user}/history?limit=500&order=oldest${after && `&after=${after}`}`,
    );
    const { data, has_more } = (await page.json()) as { data: { id: string }[]; has_more: boolean };
    ids.push(...data.map(({ id }) => id));
    if (!has_more) return ids;
  }
}

describe('kill -9 of a server', () => {
  it('loses no acknowledged write, and the next start serves what was there', {
    timeout: 600_000,
  }, async () => {
    const store = join(home, 'killed');
    const acknowledged: string[] = [];
    const forgotten: string[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const server = await start(store);
      const { call, child, exited } = server;
      expect((await call('PUT', '/nextquill/users/u', {})).status).toBe(200);
      let writes = 0;
      /** Until the server is gone. */
      const repeat = async (work: (n: number) => Promise<void>) => {
        for (let n = 0; child.exitCode === null && child.signalCode === null; n++)
          await work(n).catch(() => {});
      };
      const writers = [
        repeat(async (n) => {
          const ids = ['a', 'b'].map((half) => `${kill}-${n}-${half}`);
          const items = ids.map((id) => ({ id, text: `text of ${id}` }));
          const { status } = await call('POST', '/nextquill/users/u/history', { items });
          if (status !== 200) return;
          acknowledged.push(...ids);
          writes += 1;
        }),
        repeat(async (n) => {
          await call('PUT', `/nextquill/adapters/a${n % 3}`, formOf(files));
        }),
        repeat(async (n) => {
          const user = `gone-${kill}-${n}`;
          await call('PUT', `/nextquill/users/${user}`, {});
          const items = [{ text: `a text that only ${user} has ever written` }];
          await call('POST', `/nextquill/users/${user}/history`, { items });
          const { status } = await call('DELETE', `/nextquill/users/${user}?evidence=false`);
          if (status === 200) forgotten.push(user);
        }),
        repeat(async () => {
          await (await call('POST', '/chat/completions', chat(40, { user: 'u', strength: 1.5 }))).text();
        }),
      ];
      await expect.poll(() => writes, { timeout: 60_000 }).toBeGreaterThan(3);
      await sleep(random.integer(400));
      child.kill('SIGKILL');
      await Promise.all([exited, ...writers]);
    }
    const again = await start(store);
    const stored = await itemsOf(again, 'u');
    expect(new Set(stored).size).toBe(stored.length);
    expect(acknowledged.filter((id) => !stored.includes(id))).toEqual([]);
    // What was not acknowledged is there whole or not at all.
    expect(stored.length % 2).toBe(0);
    for (const user of forgotten)
      expect((await again.call('GET', `/nextquill/users/${user}`)).status).toBe(404);
    const adapters = await (await again.call('GET', '/nextquill/adapters')).json();
    for (const { name } of (adapters as { data: { name: string }[] }).data)
      expect((await again.call('POST', '/chat/completions', chat(2, { adapter: name }))).status).toBe(200);
    again.child.kill('SIGTERM');
    expect(await again.exited).toBe(0);
    await using opened = await openStore(store);
    expect(await opened.check()).toEqual([]);
  });
});

describe('a store that is warm', () => {
  it('serves users, keys, adapters and receipts as before, with the same words', async () => {
    const store = join(home, 'warm');
    const first = await start(store);
    await first.call('PUT', '/nextquill/users/u', {});
    await first.call('PUT', '/nextquill/users/gone', {});
    await first.call('POST', '/nextquill/users/u/history', { items: [{ query: 'One', text: 'Two three' }] });
    await first.call('PUT', '/nextquill/adapters/style', formOf(files, { owner: 'u' }));
    const made = await first.call('POST', '/nextquill/users/u/keys', { name: 'phone' });
    const { key } = (await made.json()) as { key: string };
    const receipt = (await (await first.call('DELETE', '/nextquill/users/gone')).json()) as { id: string };
    const words = async ({ url }: Running) => {
      const response = await fetch(`${url}/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ ...chat(12), stream: false }),
      });
      const { choices, nextquill } = (await response.json()) as { choices: unknown; nextquill: object };
      return { choices, ...nextquill, queueMs: 0, firstTokenMs: 0, seed: 0 };
    };
    const before = await words(first);
    expect(before).toMatchObject({ user: 'u', adapter: { name: 'style' } });
    first.child.kill('SIGTERM');
    expect(await first.exited).toBe(0);
    const second = await start(store);
    expect(await words(second)).toEqual(before);
    expect(await (await second.call('GET', `/nextquill/receipts/${receipt.id}`)).json()).toEqual(receipt);
    second.child.kill('SIGTERM');
    expect(await second.exited).toBe(0);
    expect(await readdir(store)).not.toContain('nextquill.db-wal');
  });
});

describe('signals', () => {
  it('end a server gracefully, and a second one at once', async () => {
    const server = await start(join(home, 'signals'), ['--drain', '60s']);
    const { child, exited, call } = server;
    const answer = await call('POST', '/chat/completions', chat(450));
    const reader = answer.body!.getReader();
    await reader.read();
    // A reader that takes nothing more: the answer would go on until the drain ends.
    child.kill('SIGTERM');
    await expect
      .poll(async () => (await fetch(server.url.replace('/v1', '/ready'))).status, { timeout: 20_000 })
      .toBe(503);
    expect([child.exitCode, child.signalCode]).toEqual([null, null]);
    child.kill('SIGTERM');
    expect(await exited).toBe(143);
    await reader.cancel().catch(() => {});
  });
});

describe('clients that send slowly', () => {
  it('lose their connection, and others are served meanwhile', async () => {
    await using at = await served({ headersTimeout: 0.3, requestTimeout: 1.5 });
    const { hostname, port } = new URL(at.server.url);
    const slow = async (lines: readonly string[]) => {
      const socket = connect(Number(port), hostname);
      let heard = '';
      socket.on('data', (data) => {
        heard += data;
      });
      const closed = new Promise<string>((done) => socket.on('close', () => done(heard.split('\r\n')[0]!)));
      socket.on('error', () => {});
      for (const line of lines) {
        if (socket.destroyed) break;
        socket.write(line);
        await sleep(100);
      }
      return closed;
    };
    const key = `Authorization: Bearer ${ADMIN}\r\nContent-Type: application/json\r\n`;
    const drip = Array.from({ length: 100 }, (_, i) => `X-${i}: y\r\n`);
    const [headers, body, ok] = await Promise.all([
      slow(['POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n', ...drip]),
      slow([
        `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n${key}Content-Length: 500\r\n\r\n`,
        ...Array.from({ length: 100 }, () => ' '),
      ]),
      at.call('GET', '/v1/models'),
    ]);
    expect([headers, body]).toEqual(['HTTP/1.1 408 Request Timeout', 'HTTP/1.1 408 Request Timeout']);
    expect(ok.status).toBe(200);
    // Half of what the server gives, so that no request meets a connection that is being closed.
    expect([ok.headers.get('connection'), ok.headers.get('keep-alive')]).toEqual([
      'keep-alive',
      'timeout=30',
    ]);
  });
});

describe('a disk that is full', () => {
  const mounted = privateMount('a server on a full tmpfs');

  it.skipIf(mounted === undefined)('refuses writes as 507 and serves on', async () => {
    const disk = join(home, 'disk');
    mkdirSync(disk);
    const output = join(home, 'full.json');
    const script = resolve(import.meta.dirname, '../../support/full-disk-child.ts');
    const shell = `mount -t tmpfs -o size=2m none "${disk}" || exit 99
      "${process.execPath}" --import tsx "${script}" "${disk}/store" "${output}"`;
    mounted!(shell);
    const told = JSON.parse(readFileSync(output, 'utf8')) as Record<string, unknown>;
    expect(told.written).toBeGreaterThan(10);
    expect(told).toMatchObject({
      refused: [507, 'store_full'],
      adapter: [507, 'store_full'],
      user: 200,
      kept: true,
      chat: 200,
      health: 200,
      check: [],
    });
  });
});
