/** @file The endpoint of a judge, against a real HTTP server on this machine: what is sent, what is repeated, what is refused. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openJudge } from '../../../src/app/benchmark/judge-endpoint.ts';

interface Asked {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: { model: string; temperature: number; messages: { role: string; content: string }[] };
}

let server: Server;
let url: string;
let asked: Asked[];
/** Answers still to be given, the last one for ever: a status and a body. */
let answers: (readonly [number, string, Record<string, string>?])[];

const read = async (request: IncomingMessage) => {
  let text = '';
  for await (const part of request) text += part;
  return JSON.parse(text) as Asked['body'];
};
const said = (content: string) =>
  [200, JSON.stringify({ choices: [{ message: { role: 'assistant', content } }] })] as const;

beforeAll(async () => {
  server = createServer((request, response) => {
    void read(request).then((body) => {
      asked.push({ path: request.url!, authorization: request.headers.authorization, body });
      const [status, text, headers] = answers.length > 1 ? answers.shift()! : answers[0]!;
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/`;
});
afterAll(() => server.close());
beforeEach(() => {
  asked = [];
});

const judge = { model: 'scripted-judge' };
const options = { env: { JUDGE_KEY: 'secret' }, retryMs: 1 };

describe('a judge on this machine', () => {
  it('is asked as OpenAI’s API is, without permission, with its key', async () => {
    answers = [said('2')];
    const ask = await openJudge({ ...judge, url, keyEnv: 'JUDGE_KEY' }, { ...options, offline: true });
    expect(await ask('Which?')).toBe('2');
    expect(asked).toEqual([
      {
        path: '/v1/chat/completions',
        authorization: 'Bearer secret',
        body: { model: 'scripted-judge', temperature: 0, messages: [{ role: 'user', content: 'Which?' }] },
      },
    ]);
  });

  it('is asked again when it is busy, and not when it refuses', async () => {
    answers = [[503, 'loading'], [429, ''], said('1')];
    const ask = await openJudge({ ...judge, url }, options);
    expect(await ask('Which?')).toBe('1');
    expect(asked).toHaveLength(3);
    answers = [[401, 'no such key']];
    await expect(ask('Which?')).rejects.toMatchObject({
      code: 'judge/no-answer',
      message: expect.stringContaining('401 (no such key)'),
    });
    expect(asked).toHaveLength(4);
  });

  it('is refused where it answers in another shape, or sends the texts on', async () => {
    const ask = await openJudge({ ...judge, url, keyEnv: 'JUDGE_KEY' }, options);
    answers = [[200, '<html>']];
    await expect(ask('Which?')).rejects.toMatchObject({ code: 'judge/answer' });
    answers = [[307, '', { location: 'http://127.0.0.2:9/v1/chat/completions' }]];
    const failure = await ask('Which?').catch((error: Error) => error);
    expect(failure).toMatchObject({ code: 'judge/no-answer' });
    expect(String(failure)).not.toContain('secret');
  });

  it('stops with its signal', async () => {
    answers = [[503, '']];
    const stop = new AbortController();
    const ask = await openJudge({ ...judge, url }, { retryMs: 60_000, signal: stop.signal });
    const asking = ask('Which?');
    setTimeout(() => stop.abort(), 50);
    await expect(asking).rejects.toMatchObject({ name: expect.stringMatching(/Abort/) });
  });
});

describe('a judge on another machine', () => {
  const remote = { ...judge, url: 'https://judge.example/v1' };

  it('needs permission, a network and its key, before anything is sent', async () => {
    await expect(openJudge(remote, options)).rejects.toMatchObject({ code: 'judge/send-texts' });
    // Names that only look like this machine's.
    for (const name of ['localhost.example', '127.0.0.1.example', 'my-localhost'])
      await expect(openJudge({ ...judge, url: `http://${name}/v1` }, options)).rejects.toMatchObject({
        code: 'judge/send-texts',
      });
    const allowed = { ...remote, sendTexts: true };
    await expect(openJudge(allowed, { ...options, offline: true })).rejects.toMatchObject({
      code: 'judge/offline',
    });
    await expect(openJudge({ ...allowed, keyEnv: 'OTHER_KEY' }, options)).rejects.toMatchObject({
      code: 'judge/key',
    });
    await expect(openJudge(allowed, options)).resolves.toBeTypeOf('function');
    expect(asked).toEqual([]);
  });
});
