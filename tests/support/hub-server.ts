/** @file A server that speaks as much of the hub's API as a download needs, and fails where a test wants it to. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HubRepository {
  readonly name: string;
  readonly commit: string;
  readonly files: Readonly<Record<string, Buffer>>;
}

/** Files at least so large are stored as the hub stores large files: SHA-256, and a redirect to another address. */
const LARGE_BYTES = 20_000;

export interface HubServer extends AsyncDisposable {
  readonly endpoint: string;
  /** Method, path and range of every request. */
  readonly requests: readonly string[];
  /** Answers with a status instead, for paths that match; returns undefined to go on as usual. */
  fail: (path: string) => { status: number; code?: string; headers?: Record<string, string> } | undefined;
  /** Cuts the connection after so many bytes of a large file, once for each number. */
  dropAfter: number[];
  /** Ignores ranges of large files. */
  ignoresRanges: boolean;
  /** Bytes served of a large file, in place of its own. */
  corrupt?: Buffer;
  /** The Authorization header of every request, by the address it came to. */
  readonly authorizations: { at: 'hub' | 'cdn'; value: string | undefined }[];
}

/** Starts a hub with one repository, and a second address (the CDN) for its large files. */
export async function startHub(repository: HubRepository): Promise<HubServer> {
  const { name, commit, files } = repository;
  const isLarge = (content: Buffer) => content.length >= LARGE_BYTES;
  const hashOf = (content: Buffer) =>
    isLarge(content)
      ? createHash('sha256').update(content).digest('hex')
      : createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
  const json = (response: ServerResponse, status: number, body: unknown, headers = {}) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

  const sendContent = (request: IncomingMessage, response: ServerResponse, content: Buffer) => {
    const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '');
    const ignored = hub.ignoresRanges && Number(range?.[1]) > 0;
    const from = range === null || ignored ? 0 : Number(range[1]);
    const to = range === null || ignored || range[2] === '' ? content.length - 1 : Number(range[2]);
    if (from >= content.length) return response.writeHead(416).end();
    const part = content.subarray(from, to + 1);
    response.writeHead(range === null || ignored ? 200 : 206, {
      'content-length': part.length,
      etag: `"${hashOf(content)}"`,
      'x-repo-commit': commit,
      ...(range !== null && !ignored && { 'content-range': `bytes ${from}-${to}/${content.length}` }),
    });
    const drop = part.length > 1 && isLarge(content) ? hub.dropAfter.shift() : undefined;
    if (drop === undefined) return response.end(part);
    return response.write(part.subarray(0, drop), () => response.destroy());
  };

  const cdn = createServer((request, response) => {
    hub.authorizations.push({ at: 'cdn', value: request.headers.authorization });
    const content = files[request.url!.slice('/content/'.length)]!;
    sendContent(request, response, hub.corrupt ?? content);
  });
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url!);
    requests.push(`${request.method} ${path} ${request.headers.range ?? ''}`.trim());
    hub.authorizations.push({ at: 'hub', value: request.headers.authorization });
    const failure = hub.fail(path);
    if (failure !== undefined)
      return json(
        response,
        failure.status,
        { error: `status ${failure.status}` },
        { ...failure.headers, ...(failure.code && { 'x-error-code': failure.code }) },
      );
    const [, revision] = new RegExp(`^/api/models/${name}/revision/([^?]+)`).exec(path) ?? [];
    if (revision === 'main' || revision === commit)
      return json(response, 200, { _id: '1', id: name, sha: commit, lastModified: '2026-01-01' });
    if (path.startsWith(`/api/models/${name}/tree/${commit}`))
      return json(
        response,
        200,
        Object.entries(files).map(([file, content]) => ({
          type: 'file',
          path: file,
          size: content.length,
          oid: isLarge(content)
            ? createHash('sha1').update(`pointer of ${file}`).digest('hex')
            : hashOf(content),
          ...(isLarge(content) && { lfs: { oid: hashOf(content), size: content.length, pointerSize: 134 } }),
        })),
      );
    const [, file] = new RegExp(`^/${name}/resolve/(?:main|${commit})/(.+)$`).exec(path) ?? [];
    const content = file === undefined ? undefined : files[file];
    if (content === undefined)
      return json(response, 404, { error: 'not found' }, { 'x-error-code': 'RepoNotFound' });
    if (!isLarge(content)) return sendContent(request, response, content);
    return response
      .writeHead(302, {
        location: `${addressOf(cdn)}/content/${file}`,
        'x-repo-commit': commit,
        'x-linked-size': content.length,
        'x-linked-etag': `"${hashOf(content)}"`,
      })
      .end();
  });

  const requests: string[] = [];
  const hub: HubServer = {
    endpoint: '',
    requests,
    fail: () => undefined,
    dropAfter: [],
    ignoresRanges: false,
    authorizations: [],
    [Symbol.asyncDispose]: async () => {
      for (const each of [server, cdn]) {
        const closed = new Promise((done) => each.close(done));
        each.closeAllConnections();
        await closed;
      }
    },
  };
  // Two names of this machine, as the hub and its CDN are two hosts.
  for (const each of [server, cdn]) await new Promise<void>((done) => each.listen(0, '127.0.0.1', done));
  const addressOf = (each: typeof server) => `http://127.0.0.1:${(each.address() as AddressInfo).port}`;
  return Object.assign(hub, { endpoint: addressOf(server) });
}
