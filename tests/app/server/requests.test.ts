/** @file What requests may say: each parameter that is not taken is named; bodies of all kinds end in an answer. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { embeddedModel, type Served, served } from '../../support/serving.ts';

let at: Served;
beforeAll(async () => {
  at = await served({ maxBody: 64 * 1024, maxItems: 5, maxItemChars: 100, maxNewTokens: 64 });
  at.store.putUser('u1', {});
});
afterAll(() => at[Symbol.asyncDispose]());

const body = { model: 'embedded', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 1 };
const failure = async (path: string, given: unknown, headers?: Record<string, string>) => {
  const response = await at.call('POST', path, given, headers);
  const { error } = (await response.json()) as {
    error: { code: string; param: string | null; type: string };
  };
  return { status: response.status, code: error?.code, param: error?.param };
};

it('a server whose compute thread has ended is not ready, and says so to all who ask for work', async () => {
  const opened = await embeddedModel();
  let isAlive = true;
  const thread = { ...opened.model.thread!, isAlive: () => isAlive };
  await using at = await served({ model: { ...opened, model: { ...opened.model, thread } } });
  expect((await at.call('GET', '/ready')).status).toBe(200);
  isAlive = false;
  const ready = await at.call('GET', '/ready');
  expect([ready.status, await ready.json()]).toEqual([503, { status: 'failed' }]);
  expect((await at.call('GET', '/v1/models')).status).toBe(503);
  expect((await at.call('GET', '/health')).status).toBe(200);
});

// Found by an example: a comparison with nobody was an internal error.
it('effects beside others, where there are none, are the caller’s mistake', async () => {
  await using at = await served();
  at.store.putUser('u1', {});
  at.store.addItems('u1', [{ query: 'a', text: 'b' }]);
  const body = { model: 'embedded', user: 'u1', query: 'q', response: 'r', placebo: 2 };
  const response = await at.call('POST', '/v1/nextquill/effects', body);
  const { error } = (await response.json()) as { error: object };
  expect([response.status, error]).toMatchObject([400, { code: 'invalid_parameter', param: 'placebo' }]);
});

describe('a chat', () => {
  const cases: readonly (readonly [string, object, number, string, string])[] = [
    ['an unknown parameter', { temprature: 1 }, 400, 'unknown_parameter', 'temprature'],
    ['one that OpenAI has', { logit_bias: {} }, 400, 'unsupported_parameter', 'logit_bias'],
    ['tools', { tools: [{ type: 'function' }] }, 400, 'unsupported_parameter', 'tools'],
    ['a penalty', { presence_penalty: 0.5 }, 400, 'unsupported_parameter', 'presence_penalty'],
    [
      'JSON mode',
      { response_format: { type: 'json_object' } },
      400,
      'unsupported_parameter',
      'response_format.type',
    ],
    [
      'an unknown field of ours',
      { nextquill: { strenght: 1 } },
      400,
      'unknown_parameter',
      'nextquill.strenght',
    ],
    ['a temperature out of range', { temperature: 3 }, 400, 'invalid_parameter', 'temperature'],
    ['too many texts', { n: 9 }, 400, 'invalid_parameter', 'n'],
    [
      'an image',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] },
      400,
      'invalid_parameter',
      'messages[0].content[0].type',
    ],
    [
      'a tool message',
      { messages: [{ role: 'tool', content: 'x' }] },
      400,
      'invalid_parameter',
      'messages[0].role',
    ],
    [
      'an end by the assistant',
      { messages: [{ role: 'assistant', content: 'x' }] },
      400,
      'invalid_parameter',
      'messages',
    ],
    ['no messages', { messages: [] }, 400, 'invalid_parameter', 'messages'],
    ['another model', { model: 'embeded' }, 404, 'model_not_found', 'model'],
    [
      'an adapter that is not there',
      { nextquill: { adapter: 'a' } },
      404,
      'adapter_not_found',
      'nextquill.adapter',
    ],
    ['a user that is not there', { user: 'u9' }, 404, 'user_not_found', 'nextquill.user'],
    ['two users', { user: 'u1', nextquill: { user: 'u2' } }, 400, 'invalid_parameter', 'user'],
    ['an id with a slash', { user: '../u' }, 400, 'invalid_parameter', 'user'],
    [
      'a strength beyond the dial',
      { nextquill: { strength: 3.5 } },
      400,
      'invalid_parameter',
      'nextquill.strength',
    ],
    [
      'effects without logprobs',
      { nextquill: { effects: true } },
      400,
      'invalid_parameter',
      'nextquill.effects',
    ],
    ['top without logprobs', { top_logprobs: 2 }, 400, 'invalid_parameter', 'top_logprobs'],
    [
      'memory without a user',
      { nextquill: { remember: true } },
      400,
      'invalid_parameter',
      'nextquill.remember',
    ],
    [
      'an unknown template',
      { nextquill: { template: 'summary' } },
      400,
      'invalid_parameter',
      'nextquill.template',
    ],
    ['too many tokens', { max_tokens: 65 }, 400, 'invalid_parameter', 'max_tokens'],
    [
      'a prompt that never fits',
      { messages: [{ role: 'user', content: 'word '.repeat(600) }] },
      400,
      'context_length_exceeded',
      'messages',
    ],
    [
      'half of a surrogate pair',
      { messages: [{ role: 'user', content: '\ud800' }] },
      400,
      'invalid_parameter',
      'body',
    ],
  ];
  it.each(cases)('with %s is refused by name', async (_, more, status, code, param) => {
    expect(await failure('/v1/chat/completions', { ...body, ...more })).toEqual({ status, code, param });
  });

  it('takes what changes nothing, and null for absent', async () => {
    const more = {
      metadata: { a: 1 },
      store: false,
      tools: [],
      tool_choice: 'none',
      presence_penalty: 0,
      seed: null,
      stop: null,
    };
    const given = { ...body, ...more, response_format: { type: 'text' }, nextquill: { user: null } };
    expect((await at.call('POST', '/v1/chat/completions', given)).status).toBe(200);
  });
});

describe('completions', () => {
  const raw = { model: 'embedded', prompt: 'Hello', max_tokens: 1 };
  const cases: readonly (readonly [string, object, number, string, string])[] = [
    ['a user', { user: 'u1' }, 400, 'unsupported_parameter', 'user'],
    ['a user of ours', { nextquill: { user: 'u1' } }, 400, 'unsupported_parameter', 'user'],
    ['a suffix', { suffix: 'x' }, 400, 'unsupported_parameter', 'suffix'],
    ['ids beyond the vocabulary', { prompt: [5, 4096] }, 400, 'invalid_parameter', 'prompt'],
    ['no tokens and no scores', { max_tokens: 0 }, 400, 'invalid_parameter', 'max_tokens'],
    ['streamed scores', { stream: true, prompt_logprobs: 1 }, 400, 'invalid_parameter', 'stream'],
    ['an empty prompt', { prompt: '' }, 400, 'invalid_parameter', 'prompt'],
    [
      'ids that fill the context',
      { prompt: new Array(512).fill(5) },
      400,
      'context_length_exceeded',
      'prompt',
    ],
  ];
  it.each(cases)('with %s are refused by name', async (_, more, status, code, param) => {
    expect(await failure('/v1/completions', { ...raw, ...more })).toEqual({ status, code, param });
  });
});

describe('histories', () => {
  const path = '/v1/nextquill/users/u1/history';
  it('go in whole or not at all, with the line that is wrong', async () => {
    const ndjson = { 'content-type': 'application/x-ndjson' };
    const good = JSON.stringify({ id: 'a', text: 'one', query: 'q', time: '2020-01-01' });
    expect(await failure(path, `${good}\n\n{"id": "b"}`, ndjson)).toMatchObject({
      status: 400,
      code: 'invalid_parameter',
      param: 'line 3: text',
    });
    expect(at.store.user('u1')!.historyItems).toBe(0);
    const first = await at.call('POST', path, `${good}\n`, ndjson);
    expect(await first.json()).toMatchObject({ added: 1, unchanged: 0, historyItems: 1, historyVersion: 1 });
    expect(await (await at.call('POST', path, `${good}\n`, ndjson)).json()).toMatchObject({
      added: 0,
      unchanged: 1,
    });
    const changed = { items: [{ id: 'a', text: 'two' }] };
    const conflict = await at.call('POST', path, changed);
    expect([conflict.status, conflict.headers.get('x-should-retry')]).toEqual([409, 'false']);
    expect(await failure(path, { items: [{ text: 'x'.repeat(101) }] })).toMatchObject({ param: 'items[0]' });
    const many = { items: Array.from({ length: 5 }, (_, i) => ({ text: `many ${i}` })) };
    expect(await failure(path, many)).toMatchObject({ status: 400, param: 'items' });
  });

  it('are listed by pages in their order, exported, and forgotten item by item', async () => {
    await at.call('PUT', '/v1/nextquill/users/u3', { strength: 1.2, meta: { plan: 'pro' } });
    const items = ['c', 'a', 'b'].map((id, i) => ({
      id,
      text: `A text of some length called ${id}`,
      time: `2020-01-0${3 - i}`,
    }));
    await at.call('POST', '/v1/nextquill/users/u3/history', { items });
    const list = async (query: string) =>
      (await (await at.call('GET', `/v1/nextquill/users/u3/history?${query}`)).json()) as {
        data: { id: string }[];
        has_more: boolean;
        last_id: string;
      };
    const page = await list('limit=2');
    expect([page.data.map(({ id }) => id), page.has_more]).toEqual([['b', 'a'], true]);
    expect((await list(`limit=2&after=${page.last_id}`)).data.map(({ id }) => id)).toEqual(['c']);
    expect((await list('order=newest')).data.map(({ id }) => id)).toEqual(['c', 'a', 'b']);
    expect(await (await at.call('GET', '/v1/nextquill/users/u3')).json()).toMatchObject({
      strength: 1.2,
      historyItems: 3,
      meta: { plan: 'pro' },
    });
    const lines = (await (await at.call('GET', '/v1/nextquill/users/u3/export')).text()).trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(['u3', 'b', 'a', 'c']);
    const receipt = (await (await at.call('DELETE', '/v1/nextquill/users/u3/history/a')).json()) as {
      status: string;
      id: string;
    };
    expect(receipt.status).toBe('complete');
    expect(await (await at.call('GET', `/v1/nextquill/receipts/${receipt.id}`)).json()).toEqual(receipt);
    expect((await list('')).data.map(({ id }) => id)).toEqual(['b', 'c']);
    expect((await at.call('DELETE', '/v1/nextquill/users/u3/history/a')).status).toBe(404);
  });
});

describe('bodies', () => {
  it('that are too large, no JSON or too deep are refused', async () => {
    const path = '/v1/chat/completions';
    expect(await failure(path, `"${'x'.repeat(70_000)}"`)).toMatchObject({
      status: 413,
      code: 'body_too_large',
    });
    for (const text of [
      '',
      '{',
      '[1e',
      'NaN',
      '{"model": NaN}',
      `${'['.repeat(30_000)}`,
      '{"__proto__": {}}',
    ])
      expect(await failure(path, text), text.slice(0, 20)).toMatchObject({
        status: 400,
        code: 'invalid_json',
      });
    const method = await at.call('PATCH', path);
    expect([method.status, method.headers.get('allow')]).toEqual([405, 'POST']);
  });

  it('of any kind end in an answer that names what is wrong, never in a 500', async () => {
    const random = randomStream(6, 'tests/server/mutations');
    const count = Number(process.env.NEXTQUILL_SERVER_MUTATIONS ?? 250);
    const bodies = [
      [
        '/v1/chat/completions',
        {
          ...body,
          stop: ['a'],
          logprobs: true,
          nextquill: { user: 'u1', strength: 1.5, history: [{ text: 'x' }] },
        },
      ],
      ['/v1/completions', { model: 'embedded', prompt: [5, 6], max_tokens: 1, echo: true, logprobs: 1 }],
      ['/v1/nextquill/effects', { model: 'embedded', user: 'u1', query: 'q', response: 'r' }],
      [
        '/v1/nextquill/users/u1/history',
        { items: [{ id: 'm', text: 't', query: 'q', time: '2020-01-01', meta: {} }] },
      ],
      ['/v1/nextquill/users/u1/keys', { name: 'k', expires: '2030-01-01' }],
    ] as const;
    const values = [
      'null',
      '-1',
      '1e999',
      '"\\ud800"',
      '[]',
      '{}',
      '""',
      'true',
      '"\\u0000"',
      '1e-7',
      '[[[[]]]]',
      '9007199254740993',
    ];
    const seen = new Set<number>();
    for (let i = 0; i < count; i++) {
      const [path, of] = random.pick(bodies);
      let text = JSON.stringify(of);
      for (let change = 0; change <= random.integer(3); change++) {
        const place = random.integer(text.length);
        text = random.pick([
          () => text.slice(0, place) + text.slice(place + 1 + random.integer(4)),
          () =>
            text.slice(0, place) + random.pick(['"', '{', ']', ',', '\u0000', 'é', '𝄞']) + text.slice(place),
          () =>
            text.replace(/:("[^"]*"|[^,{}[\]]+)/g, (found) =>
              random.integer(4) === 0 ? `:${random.pick(values)}` : found,
            ),
        ])();
      }
      const response = await at.server.app.request(path, {
        method: 'POST',
        headers: { authorization: 'Bearer nq_test-admin', 'content-type': 'application/json' },
        body: text,
      });
      seen.add(response.status);
      expect(response.status, text).toBeLessThan(500);
      const answer = (await response.json()) as { error?: { param: string | null; code: string } };
      if (response.status >= 400) expect(answer.error?.param, text).toEqual(expect.any(String));
    }
    expect(seen.size).toBeGreaterThan(1);
  });
});
