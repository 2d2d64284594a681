/** @file Models of the hub against a real server on this machine: cache layout, resuming, pinning, offline, refusals. */

import { mkdir, mkdtemp, readdir, readFile, readlink, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hubModel } from '../../../../src/app/open/hub/hub-model.ts';
import { ConfigError, EngineError, exitCodeOf, WeightsError } from '../../../../src/base/errors.ts';
import { parseHubId } from '../../../../src/base/hub-id.ts';
import type { Progress } from '../../../../src/base/progress.ts';
import { loadModel } from '../../../../src/engine/models/model.ts';
import { type HubServer, startHub } from '../../../support/hub-server.ts';
import { writeModelFolder } from '../../../support/model-folder.ts';

const NAME = 'tests/tiny-llama';
const COMMIT = 'a'.repeat(40);
const TOKEN = 'hf_secretOfTheTests';
let home: string;
let files: Record<string, Buffer>;
let hub: HubServer;
let cache: string;
let caches = 0;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'nextquill-hub-'));
  const source = join(home, 'source');
  await writeModelFolder(source);
  files = {};
  for (const name of await readdir(source)) files[name] = await readFile(join(source, name));
  Object.assign(files, { 'README.md': Buffer.from('read me'), 'pytorch_model.bin': Buffer.alloc(30_000) });
});
beforeEach(async () => {
  cache = join(home, `cache-${caches++}`);
  hub = await startHub({ name: NAME, commit: COMMIT, files });
  return () => hub[Symbol.asyncDispose]();
});
afterAll(() => rm(home, { recursive: true }));

const repository = () => join(cache, 'models--tests--tiny-llama');
const isWhole = async (folder: string) =>
  (await readFile(join(folder, 'model.safetensors'))).equals(files['model.safetensors']!);
const blobs = () => readdir(join(repository(), 'blobs'));

interface Given {
  id?: string;
  offline?: boolean;
  env?: Record<string, string>;
}

async function getModel({ id = NAME, offline = false, env = {} }: Given = {}) {
  const warnings: string[] = [];
  const progress: Progress[] = [];
  const model = await hubModel(parseHubId(id)!, {
    offline,
    // This user's own login has no place here.
    env: { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, HF_HOME: join(home, 'nobody'), ...env },
    retryDelayMs: 1,
    onWarning: (message) => warnings.push(message),
    onProgress: (each) => progress.push(each),
  });
  return { ...model, warnings, progress };
}

const failure = (given: Given = {}): Promise<EngineError> =>
  getModel(given).then(
    () => {
      throw new Error('expected a refusal');
    },
    (error) => error as EngineError,
  );

describe('a model by its id', () => {
  it('is downloaded into the standard cache, pinned, and loads through its links', async () => {
    const { folder, pinned, progress, warnings } = await getModel();
    expect(pinned).toBe(`${NAME}@${COMMIT}`);
    expect(folder).toBe(join(repository(), 'snapshots', COMMIT));
    expect(await readFile(join(repository(), 'refs/main'), 'utf8')).toBe(COMMIT);
    expect(await readlink(join(folder, 'config.json'))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/);
    expect(await readlink(join(folder, 'model.safetensors'))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect((await readdir(folder)).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    expect((await blobs()).some((name) => name.includes('incomplete'))).toBe(false);
    expect(warnings).toEqual([]);
    expect(progress.at(-1)).toMatchObject({ unit: 'MB', done: progress.at(-1)!.total });
    const model = await loadModel(folder);
    expect(model.weights.path).toBe(await realpath(join(folder, 'model.safetensors')));
    expect(model.weights.path).toContain('/blobs/');
  });

  it('asks only for its commit when all is there, and for nothing when the commit is named', async () => {
    const { pinned } = await getModel();
    const before = hub.requests.length;
    await getModel();
    expect(hub.requests.slice(before)).toEqual([
      expect.stringContaining(`/api/models/${NAME}/revision/main`),
    ]);
    await getModel({ id: pinned });
    expect(hub.requests.length).toBe(before + 1);
  });

  it('is found offline, by a branch and by a commit', async () => {
    await getModel();
    await hub[Symbol.asyncDispose]();
    for (const given of [{ offline: true }, { env: { HF_HUB_OFFLINE: '1' } }, { id: `${NAME}@${COMMIT}` }])
      expect((await getModel(given)).pinned).toBe(`${NAME}@${COMMIT}`);
  });

  it('comes from the cache with a warning where the hub cannot be reached', async () => {
    await getModel();
    await hub[Symbol.asyncDispose]();
    expect((await getModel()).warnings).toEqual([
      expect.stringContaining('cannot be reached; using commit aaaa'),
    ]);
  });

  it('may be in shards, and only those of the index are downloaded', async () => {
    const index = {
      weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' },
    };
    const { 'model.safetensors': weights, ...others } = files;
    await using sharded = await startHub({
      name: NAME,
      commit: COMMIT,
      files: {
        ...others,
        'model.safetensors.index.json': Buffer.from(JSON.stringify(index)),
        'model-00001-of-00002.safetensors': weights!,
        'model-00002-of-00002.safetensors': weights!,
        'model-00003-of-00003.safetensors': weights!,
      },
    });
    const { folder } = await getModel({ env: { HF_ENDPOINT: sharded.endpoint } });
    expect((await readdir(folder)).filter((name) => name.startsWith('model')).sort()).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ]);
    // Equal contents are kept once.
    expect(sharded.requests.filter((line) => /resolve.*00002.safetensors bytes=0-0/.test(line))).toHaveLength(
      1,
    );
  });
});

describe('a download that breaks', () => {
  const ranges = () => hub.requests.filter((line) => /resolve.*model\.safetensors/.test(line));

  it('goes on from the byte where the connection was lost', async () => {
    hub.dropAfter = [files['tokenizer.json']!.length, 50_000, 30_000];
    const { folder } = await getModel();
    expect(await isWhole(folder)).toBe(true);
    const starts = ranges().map((line) => Number(/bytes=(\d+)-\d{3,}$/.exec(line)?.[1] ?? 0));
    expect(Math.max(...starts)).toBeGreaterThan(0);
  });

  it('goes on in a later run, without fetching again what is there', async () => {
    hub.fail = (path) =>
      hub.requests.length > 6 && path.includes('model.safetensors') ? { status: 500 } : undefined;
    expect(await failure()).toBeInstanceOf(EngineError);
    hub.fail = () => undefined;
    const [partial] = [join(repository(), 'blobs', `${await blobOfWeights()}.nextquill.incomplete`)];
    await writeFile(partial, files['model.safetensors']!.subarray(0, 77_777));
    const before = hub.requests.length;
    const { folder } = await getModel();
    expect(await isWhole(folder)).toBe(true);
    const later = hub.requests.slice(before);
    expect(later.some((line) => line.includes('tokenizer.json'))).toBe(false);
    expect(later.at(-1)).toContain('bytes=77777-');
  });

  it('is given up after some attempts that bring nothing, with the reason', async () => {
    hub.fail = (path) => (path.includes('/resolve/') ? { status: 503 } : undefined);
    const error = await failure();
    expect(error).toBeInstanceOf(EngineError);
    expect(error.message).toContain('503 from');
    expect(exitCodeOf(error)).toBe(1);
    expect(hub.requests.filter((line) => line.includes('/resolve/'))).toHaveLength(5);
  });

  it('is refused when the content is not what was listed, and nothing of it stays', async () => {
    hub.corrupt = Buffer.from(files['model.safetensors']!);
    hub.corrupt[hub.corrupt.length - 1]! ^= 1;
    const only = { 'config.json': files['config.json']!, 'tokenizer.json': Buffer.from('{}') };
    await using small = await startHub({
      name: NAME,
      commit: COMMIT,
      files: { ...only, 'model.safetensors': files['model.safetensors']! },
    });
    small.corrupt = hub.corrupt;
    const error = await failure({ env: { HF_ENDPOINT: small.endpoint } });
    expect(error).toMatchObject({ code: 'hub/damaged' });
    expect((await blobs()).filter((name) => name.length !== 40)).toEqual([]);
  });

  it('is refused by a server that has no ranges, instead of gluing the beginning to the end', async () => {
    await getModel();
    const hash = await blobOfWeights();
    await rm(join(repository(), 'snapshots'), { recursive: true });
    await rm(join(repository(), 'blobs', hash));
    await writeFile(join(repository(), 'blobs', `${hash}.nextquill.incomplete`), 'x'.repeat(100));
    hub.ignoresRanges = true;
    expect((await failure()).message).toContain('expected the rest of a file from byte 100');
  });
});

async function blobOfWeights(): Promise<string> {
  const { createHash } = await import('node:crypto');
  return createHash('sha256').update(files['model.safetensors']!).digest('hex');
}

describe('the hub’s refusals', () => {
  it.each([
    [401, 'hub/access', ConfigError, 'set HF_TOKEN'],
    [403, 'hub/access', ConfigError, 'set HF_TOKEN'],
    [404, 'hub/not-found', ConfigError, 'Check owner, name and revision'],
    [429, 'hub/busy', EngineError, 'Wait 17 seconds'],
    [500, 'hub/failed', EngineError, 'Run again later'],
  ])('are told: %i', async (status, code, type, hint) => {
    hub.fail = () => ({ status, headers: { 'retry-after': '17' } });
    const error = await failure();
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ code, hint: expect.stringContaining(hint) });
    expect(error.message).toContain(`${NAME}@main`);
  });

  it('are told for a name that it does not have, and for a hub that is not there', async () => {
    expect(await failure({ id: 'tests/other' })).toMatchObject({ code: 'hub/not-found' });
    const error = await failure({ env: { HF_ENDPOINT: 'http://127.0.0.1:9' } });
    expect(error).toMatchObject({ code: 'hub/unreachable', message: expect.stringContaining('127.0.0.1:9') });
  });

  it('are told for a repository without safetensors or tokenizer.json, before anything large is fetched', async () => {
    const { 'model.safetensors': _, ...unsafe } = files;
    const { 'tokenizer.json': __, ...untold } = files;
    for (const [left, name] of [
      [unsafe, 'model.safetensors'],
      [untold, 'tokenizer.json'],
    ] as const) {
      await using poor = await startHub({ name: NAME, commit: COMMIT, files: left });
      const error = await failure({ env: { HF_ENDPOINT: poor.endpoint, HF_HUB_CACHE: join(home, name) } });
      expect(error).toBeInstanceOf(WeightsError);
      expect(error.message).toContain(`expected ${name}, got none beside pytorch_model.bin`);
      expect(poor.requests.some((line) => line.includes('/resolve/'))).toBe(false);
    }
  });

  it('are told offline: what is missing of a model in the cache, or that there is none', async () => {
    expect((await failure({ offline: true })).message).toContain('got no such revision');
    await getModel();
    await rm(join(repository(), 'snapshots', COMMIT, 'tokenizer.json'));
    const error = await failure({ offline: true });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain('got one without tokenizer.json');
  });

  it('do not come from a cache that another tool filled in part: a warning says what is not known', async () => {
    const { folder } = await getModel();
    await rm(join(repository(), '.no_exist'), { recursive: true });
    await rm(join(folder, 'tokenizer_config.json'));
    const { warnings } = await getModel({ offline: true });
    expect(warnings).toEqual([expect.stringMatching(/tokenizer_config\.json.*used without/)]);
    await getModel(); // online, what is unknown is asked for
    expect((await getModel({ offline: true })).warnings).toEqual([]);
  });

  it('are not asked for what leaves its folder', async () => {
    const index = { weight_map: { a: '../../../evil.safetensors' } };
    const { 'model.safetensors': _, ...others } = files;
    await using evil = await startHub({
      name: NAME,
      commit: COMMIT,
      files: { ...others, 'model.safetensors.index.json': Buffer.from(JSON.stringify(index)) },
    });
    expect((await failure({ env: { HF_ENDPOINT: evil.endpoint } })).message).toContain('weight_map');
  });
});

describe('the token', () => {
  it('goes to the hub, not to where it redirects, and into no message', async () => {
    await getModel({ env: { HF_TOKEN: TOKEN } });
    const at = (place: string) =>
      new Set(hub.authorizations.filter((each) => each.at === place).map(({ value }) => value));
    expect(at('hub')).toEqual(new Set([`Bearer ${TOKEN}`]));
    expect(at('cdn')).toEqual(new Set([undefined]));
    hub.fail = () => ({ status: 401 });
    const error = await failure({ env: { HF_TOKEN: TOKEN, HF_HUB_CACHE: join(home, 'other') } });
    expect(error.hint).toContain('check that your token may read it');
    expect(`${error.message} ${error.hint} ${error.stack} ${String(error.cause)}`).not.toContain(TOKEN);
  });

  it.each<[string, string, Record<string, string>]>([
    ['of the login file in HF_HOME', 'token', {}],
    ['of the file that HF_TOKEN_PATH names', 'elsewhere', { HF_TOKEN_PATH: 'elsewhere' }],
    ['of HUGGING_FACE_HUB_TOKEN', 'none', { HUGGING_FACE_HUB_TOKEN: TOKEN }],
    ['of HF_TOKEN before that of a file', 'token', { HF_TOKEN: TOKEN }],
  ])('%s goes to the hub, its line end left out', async (_what, file, given) => {
    const folder = await mkdtemp(join(home, 'login-'));
    const content = given.HF_TOKEN === undefined ? TOKEN : 'hf_another';
    if (file !== 'none') await writeFile(join(folder, file), `${content}\r\n`);
    const path = given.HF_TOKEN_PATH && { HF_TOKEN_PATH: join(folder, given.HF_TOKEN_PATH) };
    await getModel({ env: { HF_HOME: folder, ...given, ...path } });
    const sent = hub.authorizations.filter(({ at }) => at === 'hub').map(({ value }) => value);
    expect(new Set(sent)).toEqual(new Set([`Bearer ${TOKEN}`]));
  });

  it('stays at home where HF_HUB_DISABLE_IMPLICIT_TOKEN says so, and where there is none', async () => {
    await getModel({ env: { HF_TOKEN: TOKEN, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' } });
    await getModel({ env: { HF_HUB_CACHE: join(home, 'without-token') } });
    expect(hub.authorizations.length).toBeGreaterThan(2);
    expect(hub.authorizations.every(({ value }) => value === undefined)).toBe(true);
  });

  it('in a file that holds none is refused by the name of the file, without being shown', async () => {
    const folder = await mkdtemp(join(home, 'login-'));
    await writeFile(join(folder, 'token'), 'my password');
    const error = await failure({ env: { HF_HOME: folder } });
    expect(error).toMatchObject({ code: 'hub/token' });
    expect(error.message).toContain(join(folder, 'token'));
    expect(error.message).not.toContain('my password');
  });

  it('is refused when it is none, without being shown', async () => {
    const error = await failure({ env: { HF_TOKEN: 'not a token' } });
    expect(error).toMatchObject({ code: 'hub/token' });
    expect(error.message).not.toContain('not a token');
  });
});

describe('ids', () => {
  it.each([
    ['HuggingFaceTB/SmolLM2-135M-Instruct', { repo: 'HuggingFaceTB/SmolLM2-135M-Instruct' }],
    ['a/b@refs/pr/1', { repo: 'a/b', revision: 'refs/pr/1' }],
    [`a/b@${COMMIT}`, { repo: 'a/b', revision: COMMIT }],
    ['a/b/c', undefined],
    ['gpt2', undefined],
    ['./a', undefined],
    ['../a', undefined],
    ['models/a.gguf', undefined],
    ['a/b@../../c', undefined],
    ['a/b@', undefined],
  ])('%s', (text, expected) => {
    expect(parseHubId(text)).toEqual(expected);
  });
});

it('an unfinished snapshot of a crash is finished by the next run', async () => {
  await getModel();
  await rm(join(repository(), 'snapshots', COMMIT, 'model.safetensors'));
  await mkdir(join(repository(), 'snapshots', COMMIT), { recursive: true });
  const { folder } = await getModel();
  expect(await isWhole(folder)).toBe(true);
});

describe('a proxy', () => {
  /** What a proxy was asked: the method and the address. */
  async function startProxy(status = 200) {
    const asked: string[] = [];
    const proxy = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      const { hostname, port, pathname, search } = new URL(request.url!);
      const { headers, method } = request;
      get({ hostname, port, path: pathname + search, headers, method }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      });
    });
    proxy.on('connect', (request, socket) => {
      asked.push(`CONNECT ${request.url}`);
      socket.end(`HTTP/1.1 ${status} Refused\r\n\r\n`);
    });
    await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
    return { asked, proxy, address: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
  }

  // Node's fetch asks none: behind one, the hub could not be reached.
  it.each(['HTTP_PROXY', 'http_proxy', 'ALL_PROXY'])('of %s is asked for every file', async (name) => {
    const { asked, proxy, address } = await startProxy();
    const { folder } = await getModel({ env: { [name]: address.replace('//', '//user:secret@') } });
    expect(await isWhole(folder)).toBe(true);
    expect(asked.filter((line) => line.startsWith(`GET ${hub.endpoint}/`)).length).toBeGreaterThan(3);
    proxy.close();
  });

  it('is left out for the hosts of NO_PROXY', async () => {
    const { asked, proxy, address } = await startProxy();
    await getModel({ env: { HTTP_PROXY: address, NO_PROXY: 'example.org,127.0.0.1' } });
    expect(asked).toEqual([]);
    proxy.close();
  });

  it('of HTTPS_PROXY is asked for a tunnel, and named when it refuses', async () => {
    const { asked, proxy, address } = await startProxy(407);
    const given = {
      HF_ENDPOINT: 'https://hub.invalid',
      HTTPS_PROXY: address.replace('//', '//user:secret@'),
    };
    const error = await failure({ env: given });
    expect(asked[0]).toBe('CONNECT hub.invalid:443');
    expect(error).toMatchObject({ code: 'hub/unreachable' });
    expect(error.message).toContain(`through the proxy ${address}`);
    expect(error.message).toContain('407');
    expect(error.message).not.toContain('secret');
    proxy.close();
  });

  it('that is not an address is refused', async () => {
    const error = await failure({ env: { HTTPS_PROXY: 'ftp://user:secret@host' } });
    expect(error).toMatchObject({ code: 'hub/proxy' });
    expect(error.message).not.toContain('secret');
  });
});

// The library takes tokens that begin with hf_ alone, which those of other hubs do not.
it('a token of another kind is sent to another hub, and refused for the hub itself', async () => {
  const token = 'eyJ0b2tlbiI6MX0.abc';
  await getModel({ env: { HF_TOKEN: token } });
  const sent = hub.authorizations.filter(({ at }) => at === 'hub').map(({ value }) => value);
  expect(new Set(sent)).toEqual(new Set([`Bearer ${token}`]));
  const error = await failure({ env: { HF_TOKEN: token, HF_ENDPOINT: '' } });
  expect(error).toMatchObject({ code: 'hub/token' });
});

// Ended in a SyntaxError or TypeError, told as a bug.
it.each([
  ['commit', '<!doctype html><html>Log in</html>'],
  ['commit', '[null]'],
  ['commit', '{}'],
  ['commit', `{"sha": ["${COMMIT}"]}`],
  ['tree', '<html></html>'],
  ['tree', '[null]'],
  ['tree', '{}'],
  ['tree', '[{"type": "file", "path": "config.json", "size": 5, "oid": 5}]'],
])('an answer for a %s that is %s is not a hub’s', async (what, body) => {
  const server = createServer((request, response) => {
    const isCommit = request.url!.includes('/revision/');
    const good = JSON.stringify({ _id: '1', id: NAME, sha: COMMIT, lastModified: '2026-01-01' });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(isCommit && what === 'tree' ? good : body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const error = await failure({ env: { HF_ENDPOINT: endpoint } });
  expect(error).toMatchObject({ code: 'hub/answer' });
  server.closeAllConnections();
  server.close();
});
