/** @file Servers that lie, stumble or speak another language: each is refused with what it gave, or asked again; none gives a number. */
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { embeddedModelFolder } from '../../../src/app/open/model-source.ts';
import { openRemote, type RemoteOptions } from '../../../src/app/remote/open-remote.ts';
import { loadTokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import { divergenceAtLeast } from '../../../src/method/effects/divergence-bound.ts';
import type { PromptPair } from '../../../src/method/prompts/pair.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import {
  type DoubleHandler,
  honest,
  madeUpList,
  madeUpScores,
  refuse,
  startDouble,
} from '../../support/remote-double.ts';

const tokenizer = await loadTokenizer(embeddedModelFolder);
const textOf = (id: number) => tokenizer.tokenText(id);
const OPTIONS: RemoteOptions = { tokenizer: 'embedded', delay: 1, timeout: 2000 };
const vllm = honest('vllm', madeUpScores, textOf, { lists: false });
const isScoring = (path: string) => path !== '/v1/models';

/** What vLLM says of one token of a prompt, by its id. */
type Entry = Record<string, { logprob: number | null; decoded_token: string }>;
interface Answer {
  readonly choices: [{ prompt_logprobs?: (Entry | null)[] }];
}

/** Two prompts and one response. */
function examplePair(): PromptPair {
  const encode = (text: string) => tokenizer.encode(text).ids;
  const responseIds = [...encode(' and a response'), tokenizer.endOfTurnId];
  return {
    withHistoryIds: encode('What a person wrote before. A prompt of some words'),
    withoutHistoryIds: encode('A prompt of some words'),
    responseIds,
    responseStarts: responseIds.map(() => 0),
    responseEnds: responseIds.map(() => 0),
    historyItemsUsed: 1,
    hasHistory: true,
  };
}

/** The number of a token that was not written. */
const otherOf = (list: Entry, written: string) => list[Object.keys(list).find((id) => id !== written)!]!;

/** What a double's answer becomes before it is sent. */
const changed =
  (change: (answer: Answer) => unknown): DoubleHandler =>
  async (request, response) => {
    const answer = structuredClone(await vllm(request, response)) as Answer | undefined;
    if (isScoring(request.path) && answer !== undefined) change(answer);
    return answer;
  };

const entriesOf = (answer: Answer) => answer.choices[0].prompt_logprobs!;
/** The number of the one token of an entry. */
const tokenAt = (answer: Answer, place: number) => Object.values(entriesOf(answer)[place]!)[0]!;
const placesOf = (answer: Answer) => entriesOf(answer).flatMap((entry, t) => (entry === null ? [] : [t]));

/** The error that opening a double ends with. */
async function refusalOf(handle: DoubleHandler, options: RemoteOptions = {}) {
  await using double = await startDouble(handle);
  const error = await openRemote(double.url, { ...OPTIONS, ...options }).then(
    () => undefined,
    (thrown: unknown) => thrown as Error & { code: string; hint: string },
  );
  return {
    code: error?.code,
    message: error?.message ?? '',
    hint: error?.hint ?? '',
    requests: double.requests,
  };
}

describe('a double of a server that', () => {
  it.each<[string, DoubleHandler, string, RegExp]>([
    [
      'gives one entry, as llama.cpp does to echo',
      changed((a) => entriesOf(a).splice(1)),
      'remote/log-probabilities',
      /of 20 entries, got 1/,
    ],
    [
      'gives null in the place of a number',
      changed((a) => Object.assign(tokenAt(a, 3), { logprob: null })),
      'remote/log-probabilities',
      /log-probability of at most 0 at 3, got null/,
    ],
    [
      'gives a positive log-probability',
      changed((a) => Object.assign(tokenAt(a, 3), { logprob: 0.7 })),
      'remote/log-probabilities',
      /at most 0 at 3, got 0.7/,
    ],
    [
      'has other ids',
      changed((a) => entriesOf(a).splice(4, 1, { 7: tokenAt(a, 4) })),
      'remote/log-probabilities',
      /an entry for token \d+ at 4/,
    ],
    [
      'has another tokenizer',
      changed((a) => {
        for (const t of placesOf(a)) tokenAt(a, t).decoded_token = 'zebra';
      }),
      'remote/tokens',
      /"zebra" for/,
    ],
    ['refuses prompts as long as they will be', vllm, 'remote/length', /maximum context length is 512/],
    [
      'says nothing of log-probabilities',
      changed((a) => {
        delete a.choices[0].prompt_logprobs;
      }),
      'remote/log-probabilities',
      /prompt_logprobs: .*got nothing; echo: /,
    ],
  ])('%s is refused', async (_, handle, code, message) => {
    const options = code === 'remote/length' ? { prompt: { maxTokens: 600 } } : {};
    const refusal = await refusalOf(handle, options);
    expect([refusal.code, refusal.message]).toEqual([code, expect.stringMatching(message)]);
    expect(refusal.hint).not.toBe('');
  });

  it.each([1, -1])('has its entries shifted by %i is refused: they depend on the wrong token', async (by) => {
    const shifted = changed((answer) => {
      const places = placesOf(answer);
      const values = places.map((t) => tokenAt(answer, t).logprob);
      for (const [i, t] of places.entries())
        tokenAt(answer, t).logprob = values[(i + by + values.length) % values.length]!;
    });
    expect((await refusalOf(shifted)).code).toBe('remote/order');
  });

  it('answers NaN, which is no JSON, or is cut off in the middle, is asked again and then refused', async () => {
    for (const tail of ['"logprob": NaN}', '"choices": [{"prompt_log']) {
      const handle: DoubleHandler = (request, response) => {
        if (!isScoring(request.path)) return vllm(request, response);
        response.end(`{"id": 1, ${tail}`);
        return undefined;
      };
      const { code, requests } = await refusalOf(handle, { retries: 2 });
      expect([code, requests.filter(({ path }) => isScoring(path)).length]).toEqual(['remote/not-json', 3]);
    }
    const halved: DoubleHandler = (request, response) => {
      if (!isScoring(request.path)) return vllm(request, response);
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"choices": ');
      setTimeout(() => response.destroy(), 5);
      return undefined;
    };
    expect((await refusalOf(halved, { retries: 1 })).code).toBe('remote/unreachable');
  });

  it('answers with a page or a redirect is refused at once, and the texts go to nobody else', async () => {
    const page: DoubleHandler = (_, response) => void response.end('<!doctype html><title>Gateway</title>');
    const { code, requests } = await refusalOf(page);
    expect([code, requests.length]).toEqual(['remote/not-json', 1]);
    await using other = await startDouble(vllm);
    const redirect: DoubleHandler = ({ path }, response) =>
      void response.writeHead(307, { location: `${other.url.slice(0, -3)}${path}` }).end();
    expect((await refusalOf(redirect)).code).toBe('remote/not-json');
    expect(other.requests).toEqual([]);
  });

  it('is busy is asked again after the time that it names, and then answers', async () => {
    let refusals = 0;
    const busy: DoubleHandler = (request, response) => {
      if (isScoring(request.path) && ++refusals <= 2)
        return refuse(response, 429, 'slow down', { 'retry-after-ms': '60' });
      return vllm(request, response);
    };
    await using double = await startDouble(busy);
    const started = performance.now();
    const { probe } = await openRemote(double.url, { ...OPTIONS, delay: 60_000 });
    expect(performance.now() - started).toBeGreaterThan(110);
    expect(probe.way).toBe('prompt_logprobs');
    const never: DoubleHandler = (_, response) => refuse(response, 503, 'overloaded');
    const { code, message, requests } = await refusalOf(never, { retries: 2 });
    expect([code, requests.length]).toEqual(['remote/failed', 3]);
    expect(message).toContain('503: overloaded');
  });

  it('does not answer is not waited for a third time', async () => {
    const silent: DoubleHandler = () => new Promise(() => {});
    const { code, requests } = await refusalOf(silent, { timeout: 100, retries: 5 });
    expect([code, requests.length]).toEqual(['remote/timeout', 2]);
  });

  it('wants a key says so, and is sent the one that it is given', async () => {
    const guarded: DoubleHandler = (request, response) =>
      request.headers.authorization === 'Bearer secret'
        ? vllm(request, response)
        : refuse(response, 401, 'no key');
    expect(await refusalOf(guarded)).toMatchObject({
      code: 'remote/access',
      hint: expect.stringContaining('--remote-key-env'),
    });
    expect((await refusalOf(guarded, { key: 'secret' })).code).toBeUndefined();
  });

  it('lists no model, several, or another one is asked for the right one', async () => {
    const listing =
      (ids: string[]): DoubleHandler =>
      (request, response) =>
        isScoring(request.path)
          ? vllm(request, response)
          : { data: ids.map((id) => ({ id, owned_by: 'vllm' })) };
    expect((await refusalOf(listing([]))).message).toContain('got none');
    expect((await refusalOf(listing(['a', 'b']))).message).toContain('got a, b');
    expect((await refusalOf(listing(['llama-3']), { model: 'lama-3' })).hint).toContain('llama-3');
    expect((await refusalOf(listing(['a', 'b']), { model: 'b' })).code).toBeUndefined();
  });
});

describe('an honest double of', () => {
  it.each([
    ['vllm', 'prompt_logprobs'],
    ['sglang', 'generate'],
    ['openai', 'echo'],
    ['llama.cpp', 'forced'],
  ])('%s gives its numbers by %s, each at its token', async (kind, way) => {
    const end = tokenizer.endOfTurnId;
    const answers = honest(kind, madeUpScores, textOf);
    // The double of llama.cpp is told which token the end of a turn is.
    await using double = await startDouble(({ body, ...request }, response) =>
      answers({ ...request, body: { ...body, end } }, response),
    );
    const opened = await openRemote(double.url, { ...OPTIONS, prompt: { maxTokens: 128 } });
    expect(opened.probe).toMatchObject({ kind, way, repeats: 0, maxTokens: 513, likeliest: 20 });
    expect(opened.probe.checks.map(({ name, passed }) => [name, passed])).toEqual(
      ['model', 'log-probabilities', 'tokens', 'repeats', 'order', 'length'].map((name) => [name, true]),
    );
    const promptIds = tokenizer.encode('A prompt of some words').ids;
    const responseIds = [...tokenizer.encode(' and a response').ids, end];
    const expected = (await madeUpScores([...promptIds, ...responseIds])).slice(promptIds.length);
    await using scorer = createScorer(opened);
    const [values] = await scorer.logProbabilities([{ promptIds, responseIds }]);
    expect([...values!]).toEqual(expected.map((value) => Math.fround(value!)));
    expect(opened.remote!.record().noise).toEqual({ max: 0, p95: 0 });
  });

  it.each(['vllm', 'sglang', 'openai', 'llama.cpp'])(
    '%s bounds the divergence by its lists',
    async (kind) => {
      const end = tokenizer.endOfTurnId;
      const answers = honest(kind, madeUpScores, textOf);
      await using double = await startDouble(({ body, ...request }, response) =>
        answers({ ...request, body: { ...body, end } }, response),
      );
      const opened = await openRemote(double.url, { ...OPTIONS, prompt: { maxTokens: 128 } });
      const pair = examplePair();
      await using scorer = createScorer(opened, { divergenceBound: true });
      const [effects] = await scorer.effects([pair]);
      const listsAfter = async (promptIds: readonly number[]) => {
        const values = (await madeUpScores([...promptIds, ...pair.responseIds])).slice(promptIds.length);
        return pair.responseIds.map((id, t) => {
          const count = kind === 'llama.cpp' && id === end ? 1000 : 20;
          return new Map(madeUpList(count, id, values[t]!).map((each) => [each.id, each.logprob]));
        });
      };
      const own = await listsAfter(pair.withHistoryIds);
      const none = await listsAfter(pair.withoutHistoryIds);
      const bounds = [...effects!.divergenceAtLeast!];
      expect(bounds).toHaveLength(pair.responseIds.length);
      for (const [t, bound] of bounds.entries()) {
        const expected = divergenceAtLeast(own[t]!, none[t]!);
        // Texts of several tokens are none by which echo may tell them.
        if (kind === 'openai') expect(bound).toBeLessThanOrEqual(expected + 1e-6);
        else expect(bound).toBeCloseTo(expected, 6);
      }
      expect(Math.max(...bounds)).toBeGreaterThan(0.01);
    },
  );

  it.each<[string, (list: Entry, written: string) => void]>([
    ['are short', (list, written) => delete list[Object.keys(list).find((id) => id !== written)!]],
    ['hold what is no number', (list, written) => Object.assign(otherOf(list, written), { logprob: null })],
  ])('lists that %s are none there: the bound is unknown, and the numbers stand', async (_, change) => {
    const answers = honest('vllm', madeUpScores, textOf);
    const pair = examplePair();
    const place = pair.withHistoryIds.length + 1;
    await using double = await startDouble(async (request, response) => {
      const answer = structuredClone(await answers(request, response)) as Answer | undefined;
      const ids = request.body.prompt as number[] | undefined;
      const isOwn = ids?.length === pair.withHistoryIds.length + pair.responseIds.length;
      if (answer === undefined || !isOwn || Number(request.body.prompt_logprobs) === 0) return answer;
      const entry = entriesOf(answer)[place]!;
      change(entry, String(ids![place]));
      return answer;
    });
    const opened = await openRemote(double.url, { ...OPTIONS, prompt: { maxTokens: 128 } });
    await using scorer = createScorer(opened, { divergenceBound: true });
    const [effects] = await scorer.effects([pair]);
    const unknown = [...effects!.divergenceAtLeast!].flatMap((bound, t) => (Number.isNaN(bound) ? [t] : []));
    expect(unknown).toEqual([1]);
    expect([...effects!.logRatio].every(Number.isFinite)).toBe(true);
  });

  it('a server without lists, with fewer, or with those of other places: as many as are right are asked for', async () => {
    const likeliestOf = async (handle: DoubleHandler) => {
      await using double = await startDouble(handle);
      return (await openRemote(double.url, { ...OPTIONS, prompt: { maxTokens: 64 } })).probe.likeliest;
    };
    expect(await likeliestOf(vllm)).toBe(0);
    const five: DoubleHandler = (request, response) =>
      Number(request.body.prompt_logprobs) > 5
        ? refuse(response, 400, 'prompt_logprobs: at most 5')
        : honest('vllm', madeUpScores, textOf)(request, response);
    expect(await likeliestOf(five)).toBe(5);
    const sglang = honest('sglang', madeUpScores, textOf);
    const shifted: DoubleHandler = async (request, response) => {
      const answer = (await sglang(request, response)) as { meta_info?: Record<string, unknown[]> };
      answer.meta_info?.input_top_logprobs?.unshift(null);
      return answer;
    };
    expect(await likeliestOf(shifted)).toBe(0);
  });

  it('a server whose answers differ tells how much, and that is the noise of the result', async () => {
    let requests = 0;
    const unsteady = honest(
      'vllm',
      async (ids) => {
        const shift = ++requests % 2 === 0 ? 0.01 : 0;
        return (await madeUpScores(ids)).map((value) => value && value - shift);
      },
      textOf,
    );
    await using double = await startDouble(unsteady);
    const { remote, probe } = await openRemote(double.url, {
      ...OPTIONS,
      concurrency: 1,
      prompt: { maxTokens: 64 },
    });
    expect(probe.repeats).toBeCloseTo(0.01, 9);
    const runs = remote!.scores([{ promptIds: [5, 6], responseIds: [7, 8, 9] }], {
      likeliest: false,
      signal: undefined,
    });
    for await (const run of runs) expect(run).toHaveLength(1);
    expect(remote!.record().noise!.max).toBeCloseTo(0.01, 9);
  });
});

describe('before anything is sent', () => {
  it('another host needs the word that texts may go there, and none with --offline', async () => {
    const open = (options: RemoteOptions) => openRemote('http://192.0.2.1/v1', { ...OPTIONS, ...options });
    await expect(open({})).rejects.toMatchObject({
      code: 'remote/send-texts',
      message: expect.stringContaining('192.0.2.1'),
    });
    await expect(open({ sendTexts: true, offline: true })).rejects.toMatchObject({ code: 'remote/offline' });
  });

  it('an address with a password or a query is refused, and a server that is not there is told', async () => {
    for (const address of ['http://a:b@127.0.0.1/v1', 'http://127.0.0.1/v1?key=x', 'http://'])
      await expect(openRemote(address, OPTIONS)).rejects.toMatchObject({ code: 'remote/address' });
    const closed = createServer();
    const port = await new Promise<number>((done) =>
      closed.listen(0, '127.0.0.1', () => done((closed.address() as { port: number }).port)),
    );
    await new Promise((done) => closed.close(done));
    await expect(openRemote(`http://127.0.0.1:${port}`, { ...OPTIONS, retries: 1 })).rejects.toMatchObject({
      code: 'remote/unreachable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('a tokenizer is needed', async () => {
    const { tokenizer: _, ...options } = OPTIONS;
    await using double = await startDouble(vllm);
    await expect(openRemote(double.url, options)).rejects.toMatchObject({ code: 'remote/tokenizer' });
  });
});
