/**
 * @file Many at once: streams of several adapters, adapters that are swapped under fire, readers that are slow or leave, users
 * whose texts never meet, an end that lets the running finish. `npm run check:server` runs the same in large.
 */
import type OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { filesOf, formOf, randomAdapter } from '../../support/adapter-files.ts';
import { ADMIN, embeddedModel, type Served, served } from '../../support/serving.ts';

const size = process.env.NEXTQUILL_SERVER_SIZE === 'large' ? 'large' : 'small';
const sizes = {
  small: { streams: 12, tokens: 10, swaps: 4, swapClients: 3, canaries: 48, users: 6, leavers: 6 },
  large: { streams: 100, tokens: 64, swaps: 200, swapClients: 40, canaries: 10_000, users: 50, leavers: 50 },
}[size];
/** More of them than a machine has time for at once are asked for in parts, each with a seed of its own. */
const canaryRequests = Number(process.env.NEXTQUILL_SERVER_CANARIES ?? sizes.canaries);
const canarySeed = Number(process.env.NEXTQUILL_SERVER_SEED ?? 8);
const TIME = size === 'large' ? 1_800_000 : 60_000;

const model = (await embeddedModel()).model;
const adapters = await Promise.all([1, 2, 3, 4].map((seed) => filesOf(randomAdapter(model, seed, 2 * seed))));
const put = async (
  at: Served,
  name: string,
  files: Record<string, Uint8Array>,
  more: Record<string, string> = {},
) =>
  (await (await at.call('PUT', `/v1/nextquill/adapters/${name}`, formOf(files, more))).json()) as {
    hash: string;
  };

type Body = Omit<OpenAI.Chat.ChatCompletionCreateParamsNonStreaming, 'model' | 'stream'>;
interface Answer {
  readonly text: string;
  readonly finish: string | null | undefined;
  readonly nextquill: { readonly adapter: { readonly hash: string } | null; readonly historyItems: string[] };
}
const streamed = async (at: Served, body: Body, fields: object, key?: string): Promise<Answer> => {
  const stream = await at.client(key).chat.completions.create({
    ...{ model: 'embedded', temperature: 0, ...body, stream: true as const },
    ...({ nextquill: fields } as object),
  });
  let text = '';
  let finish: Answer['finish'];
  let own = {};
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    finish = chunk.choices[0]?.finish_reason ?? finish;
    own = { ...own, ...(chunk as { nextquill?: object }).nextquill };
  }
  return { text, finish, nextquill: own as Answer['nextquill'] };
};
const ask = (content: string): Pick<Body, 'messages'> => ({ messages: [{ role: 'user', content }] });

describe('streams', () => {
  it('of many users and four adapters all end, each as it is alone', { timeout: TIME }, async () => {
    const cacheMemory = size === 'large' ? 512 * 2 ** 20 : 64 * 2 ** 20;
    await using at = await served({
      maxPerKey: 1000,
      maxPerUser: 4,
      cacheMemory,
      queueTimeout: 600,
      requestTimeout: 1200,
    });
    for (const [i, files] of adapters.entries()) await put(at, `a${i}`, files);
    const users = Array.from({ length: Math.ceil(sizes.streams / 4) }, (_, i) => `u${i}`);
    for (const [i, user] of users.entries()) {
      at.store.putUser(user, { adapter: `a${i % 4}` });
      at.store.addItems(user, [
        { id: 'h1', query: `Title ${i}`, text: `The words of user ${i}`, time: '2020-01-01' },
      ]);
    }
    const requests = Array.from({ length: sizes.streams }, (_, i) => ({
      body: { ...ask(`Write about subject ${i}`), max_tokens: sizes.tokens },
      fields: { user: users[i % users.length]!, strength: 1.5 },
    }));
    const answers = await Promise.all(requests.map(({ body, fields }) => streamed(at, body, fields)));
    expect(at.server.context.scheduler.status()).toMatchObject({ rowsUsed: 0, tasks: 0 });
    let different = 0;
    for (const [i, { body, fields }] of requests.entries()) {
      expect(answers[i]!.finish).toMatch(/stop|length/);
      if (i % Math.ceil(sizes.streams / 16) !== 0) continue;
      const alone = await streamed(at, body, fields);
      expect(answers[i]!.nextquill.adapter).toEqual(alone.nextquill.adapter);
      if (answers[i]!.text !== alone.text) different += 1;
    }
    // Rounding by batch can turn a near tie.
    expect(different).toBeLessThanOrEqual(1);
  });

  it('beyond the limit of a user are 429, and beyond the queue 503 with the time to wait', {
    timeout: TIME,
  }, async () => {
    await using at = await served({ maxPerUser: 2, maxQueue: 2, cacheMemory: 1 });
    at.store.putUser('u1', {});
    const body = { ...ask('Hello'), max_tokens: 100 };
    const of = (fields: object) =>
      streamed(at, body, fields).then(
        () => 'done',
        (error: { status: number; code: string; headers: Headers }) =>
          `${error.status} ${error.code} ${Number(error.headers?.get('retry-after-ms')) > 0}`,
      );
    const own = await Promise.all([1, 2, 3].map(() => of({ user: 'u1', strength: 1.5 })));
    expect(own.sort()).toEqual(['429 too_many_for_user true', 'done', 'done']);
    // All rows are taken, so that nothing but the queue decides.
    const { scheduler, queue } = at.server.context;
    const ids = [5];
    const held = await queue.start(
      'held',
      { prompts: [1, 2].map((n) => ({ ids, random: randomStream(n, 'tests/held') })), options: {} },
      new AbortController().signal,
    );
    held.pause();
    const waiting = [1, 2].map(() => of({ strength: 1.5 }));
    await expect.poll(queue.waiting).toBe(2);
    expect(await of({ strength: 1.5 })).toBe('503 overloaded true');
    const stepped = scheduler.status().passes.decode;
    held.cancel();
    await expect(held.done).rejects.toMatchObject({ code: 'aborted' });
    expect(await Promise.all(waiting)).toEqual(['done', 'done']);
    expect(scheduler.status().passes.decode).toBeGreaterThan(stepped);
    expect(at.server.context.scheduler.status().rowsTotal).toBe(2);
  });
});

describe('an adapter that is swapped under fire', () => {
  it('answers by the version that each answer names, whole', { timeout: TIME }, async () => {
    await using at = await served({ maxPerKey: 1000 });
    const body = { ...ask('Write about the sea'), max_tokens: sizes.tokens };
    const expected = new Map<string, string>();
    for (const files of adapters) {
      const { hash } = await put(at, 'style', files);
      expected.set(hash, (await streamed(at, body, { adapter: 'style' })).text);
    }
    expect(new Set(expected.values()).size).toBe(4);
    let isOver = false;
    const seen: Answer[] = [];
    const clients = Array.from({ length: sizes.swapClients }, async () => {
      while (!isOver) seen.push(await streamed(at, body, { adapter: 'style' }));
    });
    const hashesSeen = () => new Set(seen.map(({ nextquill }) => nextquill.adapter!.hash));
    // On a busy machine all swaps may be over before the second answer: then it goes on until two versions have answered.
    for (let i = 0; i < sizes.swaps || hashesSeen().size < 2; i++) await put(at, 'style', adapters[i % 4]!);
    isOver = true;
    await Promise.all(clients);
    expect(hashesSeen().size).toBeGreaterThan(1);
    const wrong = seen.filter(({ text, nextquill }) => text !== expected.get(nextquill.adapter!.hash));
    // Of another version no answer begins alike: a near tie turns late.
    for (const { text, nextquill } of wrong)
      expect(text.slice(0, 8)).toBe(expected.get(nextquill.adapter!.hash)!.slice(0, 8));
    expect(wrong.length).toBeLessThanOrEqual(Math.max(1, seen.length / 20));
    await expect.poll(() => at.server.context.adapters.status().loaded).toBeLessThanOrEqual(1);
  });

  it('of one user serves nobody else, and one that does not fit is refused before it is kept', async () => {
    await using at = await served();
    at.store.putUser('u1', {});
    at.store.putUser('u2', {});
    await put(at, 'own', adapters[0]!, { owner: 'u1' });
    const body = { ...ask('Hello'), max_tokens: 2 };
    expect((await streamed(at, body, { user: 'u1' })).nextquill.adapter).toMatchObject({ name: 'own' });
    expect((await streamed(at, body, { user: 'u2' })).nextquill.adapter).toBeNull();
    await expect(streamed(at, body, { user: 'u2', adapter: 'own' })).rejects.toMatchObject({ status: 404 });
    const half = {
      ...adapters[1]!,
      'adapter_model.safetensors': adapters[1]!['adapter_model.safetensors']!.slice(0, 4000),
    };
    const refused = await at.call('PUT', '/v1/nextquill/adapters/bad', formOf(half));
    const text = await refused.text();
    expect([refused.status, JSON.parse(text)]).toMatchObject([422, { error: { code: 'hostile_adapter' } }]);
    expect(text).not.toContain('/tmp');
    expect(at.store.adapters().map(({ name }) => name)).toEqual(['own']);
    const receipt = (await (
      await at.call('DELETE', '/v1/nextquill/users/u1?evidence=false')
    ).json()) as object;
    expect(receipt).toMatchObject({ status: 'complete' });
    expect(at.store.adapters()).toEqual([]);
  });
});

describe('readers', () => {
  it('that leave free their rows, those that stall are paused and then cut', { timeout: TIME }, async () => {
    await using at = await served({ stallTimeout: 0.3, maxPerKey: 1000, cacheMemory: 256 * 2 ** 20 });
    const { scheduler } = at.server.context;
    const request = (n: number, signal?: AbortSignal) =>
      at.server.app.request('/v1/chat/completions', {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          ...{ model: 'embedded', stream: true, n, max_tokens: 450, temperature: 1.5 },
          ...{ logprobs: true, top_logprobs: 20 },
          ...ask('x'),
        }),
        ...(signal && { signal }),
      });
    // 20 alternatives a token fill the buffer of 64 KiB within some tens of tokens.
    const stalled = (await request(4)).body!.getReader();
    await stalled.read();
    await expect.poll(() => scheduler.status().paused, { timeout: 20_000 }).toBe(1);
    await expect.poll(() => scheduler.status().rowsUsed, { timeout: 5000 }).toBe(0);
    expect(at.lines.at(-1)).toMatchObject({ outcome: 'stalled', code: 'reader_stalled' });
    const readers = await Promise.all(
      Array.from({ length: sizes.leavers }, async () => (await request(1)).body!.getReader()),
    );
    await Promise.all(readers.map((reader) => reader.read()));
    await expect.poll(() => scheduler.status().rowsUsed).toBe(sizes.leavers);
    await Promise.all(readers.map((reader) => reader.cancel()));
    // Freed before the next token: one step of so many rows takes a while on a busy machine.
    await expect
      .poll(() => scheduler.status().rowsUsed, { timeout: size === 'large' ? 10_000 : 1000 })
      .toBe(0);
    expect(at.lines.at(-1)!.outcome).toBe('cancelled');
  });
});

/** A word that stands in the history of one user alone. */
const CANARY = /Zq[a-z]\d+vx/g;

describe('users', () => {
  it.each([
    { maxBatch: 1, steps: 'each text by itself' },
    { maxBatch: 16, steps: 'all texts together' },
  ])(
    'never meet, stepping $steps: no answer, header, log or error holds a text of another, and each is as if alone',
    {
      timeout: TIME,
    },
    async ({ maxBatch }) => {
      await using at = await served({ maxPerKey: 1000, maxBatch, cacheMemory: 128 * 2 ** 20 });
      await using single = await served({ maxBatch: 1 });
      const canaries = Array.from(
        { length: sizes.users },
        (_, i) => `Zq${String.fromCharCode(97 + (i % 26))}${i}vx`,
      );
      const keys: string[] = [];
      for (const [i, canary] of canaries.entries())
        for (const { store } of [at, single]) {
          store.putUser(`u${i}`, {});
          const items = [1, 2].map((n) => ({
            id: `h${n}`,
            query: `Word ${n}`,
            text: `${canary} ${canary} ${canary}`,
            time: `2020-01-0${n}`,
          }));
          store.addItems(`u${i}`, items);
          if (store === at.store) keys.push(store.addKey({ role: 'user', user: `u${i}`, name: 'own' }).token);
        }
      const random = randomStream(canarySeed, 'tests/canaries');
      let repeated = 0;
      const check = async (i: number, headers: Headers, text: string) => {
        const all = text + JSON.stringify([...headers]);
        repeated += all.includes(canaries[i]!) ? 1 : 0;
        const others = (all.match(CANARY) ?? []).filter((canary) => canary !== canaries[i]);
        expect(others).toEqual([]);
      };
      const call = async (of: Served, i: number, kind: number, key: string) => {
        const body = {
          model: 'embedded',
          max_tokens: 8,
          temperature: 0,
          logprobs: true,
          top_logprobs: 5,
          ...ask(`Word ${kind % 3}`),
        };
        const given = [
          ['/v1/chat/completions', { ...body, nextquill: { user: `u${i}`, strength: 2 } }],
          ['/v1/chat/completions', { ...body, nextquill: { user: `u${i}` }, stream: true }],
          ['/v1/chat/completions', { ...body, nextquill: { user: `u${(i + 1) % canaries.length}` } }],
          ['/v1/chat/completions', { ...body, nextquill: { user: `u${i}`, strength: 99 } }],
          // The map of a user holds the items that it shows: a canary of one's own must be there.
          ['/v1/nextquill/effects', { model: 'embedded', user: `u${i}`, query: 'Word 1', response: 'word' }],
        ] as const;
        const [path, request] = given[kind === 11 ? 4 : kind % 4]!;
        return of.call('POST', path, request, { authorization: `Bearer ${key}` });
      };
      const answers = new Map<string, string>();
      const plain = (text: string) =>
        text
          .replace(/^: .*\n\n/gm, '')
          .replace(/"(id|created|queueMs|firstTokenMs|seed)":("[^"]*"|\d+|null),?/g, '');
      /** What is written, without its numbers. */
      const words = (text: string) =>
        [...text.matchAll(/"content":("(?:[^"\\]|\\.)*")/g)].map(([, of]) => JSON.parse(of!)).join('');
      const isAlone = maxBatch === 1;
      // Half of them in either way of stepping.
      let left = Math.ceil(canaryRequests / 2);
      let [answered, turned] = [0, 0];
      const workers = Array.from({ length: 12 }, async () => {
        while (left-- > 0) {
          const [i, kind] = [random.integer(canaries.length), random.integer(12)];
          const response = await call(at, i, kind, keys[i]!);
          const text = await response.text();
          if (response.status === 429) continue;
          await check(i, response.headers, text);
          const name = `${i} ${kind}`;
          const answer = isAlone ? plain(text) : words(text);
          const before = answers.get(name) ?? answer;
          // Bit for bit, whoever ran beside it; rounding by batch can turn a near tie.
          if (isAlone) expect(answer).toBe(before);
          else if (answer !== before) turned += 1;
          answered += 1;
          answers.set(name, before);
        }
      });
      await Promise.all(workers);
      expect(turned).toBeLessThanOrEqual(answered / 50);
      expect(repeated).toBeGreaterThan(0);
      expect(JSON.stringify(at.lines)).not.toMatch(CANARY);
      for (const [name, text] of [...answers].slice(0, 10)) {
        const [i, kind] = name.split(' ').map(Number) as [number, number];
        if (kind % 4 === 2) continue;
        const alone = await (await call(single, i, kind, ADMIN)).text();
        if (isAlone) expect(plain(alone)).toBe(text);
        else expect(words(alone).slice(0, 8)).toBe(text.slice(0, 8));
      }
    },
  );

  it('who are forgotten leave nothing: the effect is 0, and the others answer as before', {
    timeout: TIME,
  }, async () => {
    await using at = await served({ maxBatch: 1 });
    const sentence = (user: string, i: number) => `The ${user} sentence number ${i} about harbours`;
    for (const user of ['u1', 'u2']) {
      at.store.putUser(user, {});
      at.store.addItems(
        user,
        Array.from({ length: 4 }, (_, i) => ({
          id: `h${i}`,
          query: `On harbour ${i}`,
          text: sentence(user, i),
          time: `2020-01-0${i + 1}`,
        })),
      );
    }
    const body = { ...ask('On harbour 9'), max_tokens: 8 };
    const before = await streamed(at, body, { user: 'u2' });
    const running = streamed(at, { ...body, max_tokens: 400 }, { user: 'u1', strength: 1.5 });
    const ended = expect(running).rejects.toMatchObject({ code: 'user_being_forgotten' });
    await expect.poll(() => at.server.context.scheduler.status().tasks).toBe(1);
    const response = await at.call('DELETE', '/v1/nextquill/users/u1');
    const receipt = (await response.json()) as object;
    await ended;
    expect(receipt).toMatchObject({
      status: 'complete',
      removed: { items: 4 },
      others: { usersBefore: 2, usersAfter: 1 },
      search: { hits: 0 },
      effect: { after: { value: 0 }, equalsNewUser: true },
    });
    expect(JSON.stringify(receipt)).not.toContain('harbours');
    expect((await at.call('DELETE', '/v1/nextquill/users/u1')).status).toBe(404);
    await expect(streamed(at, body, { user: 'u1' })).rejects.toMatchObject({
      status: 404,
      code: 'user_not_found',
    });
    expect((await streamed(at, body, { user: 'u2' })).text).toBe(before.text);
  });
});

describe('the end', () => {
  it('lets the running finish and refuses the waiting; what is stuck is told', {
    timeout: TIME,
  }, async () => {
    const at = await served({ maxPerKey: 100, cacheMemory: 1, drain: 20 });
    const body = { ...ask('Hello'), max_tokens: 40 };
    const of = () =>
      streamed(at, body, { strength: 1.5 }).then(
        ({ finish }) => finish,
        (error: { code: string }) => error.code,
      );
    const all = Array.from({ length: 5 }, of);
    await expect.poll(() => at.server.context.queue.waiting()).toBe(3);
    const { cut } = await at.server.close();
    expect(cut).toBe(0);
    expect((await Promise.all(all)).sort()).toEqual([
      'length',
      'length',
      'shutting_down',
      'shutting_down',
      'shutting_down',
    ]);
    await at.store[Symbol.asyncDispose]();

    const stuck = await served({ drain: 0.1 });
    const endless = streamed(stuck, { ...body, max_tokens: 450 }, {}).catch(
      (error: { code: string }) => error.code,
    );
    await expect.poll(() => stuck.server.context.scheduler.status().tasks).toBe(1);
    expect(await stuck.server.close()).toEqual({ cut: 1 });
    expect(await endless).toBe('shutting_down');
    await stuck.store[Symbol.asyncDispose]();
  });
});
