/** @file Chat completions by the real `openai` client: whole, streamed, with the dial, and equal to `generate` and `explain`. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explain, generate } from '../../../src/app/verbs.ts';
import type { Example } from '../../../src/method/data/example.ts';
import { embeddedModel, type Served, served } from '../../support/serving.ts';

const history = Array.from({ length: 6 }, (_, i) => ({
  id: `h${i}`,
  time: `2020-01-0${i + 1}`,
  query: `Write the review title for book ${i}`,
  text: [
    'Quietly devastating',
    'Not for the faint',
    'Slow burn, worth it',
    'Overlong',
    'Tender and odd',
    'A mess',
  ][i]!,
}));
const query = 'Write the review title for The Long Night';
const example: Example = { id: 'request', user: 'u1', query, response: '', history };
const messages = [{ role: 'user' as const, content: query }];

let at: Served;
beforeAll(async () => {
  at = await served();
  at.store.putUser('u1', {});
  at.store.addItems('u1', history);
});
afterAll(() => at[Symbol.asyncDispose]());

const textOf = async (options: Parameters<typeof generate>[2]) => {
  let text = '';
  for await (const step of generate(await embeddedModel(), example, { threads: 1, ...options }))
    text += step.text;
  return text;
};
const chat = (body: object, fields: object) =>
  at.client().chat.completions.create({
    model: 'embedded',
    messages,
    temperature: 0,
    ...body,
    ...({ nextquill: fields } as object),
  });

describe('an answer', () => {
  it.each([0, 1, 1.5])(
    'with strength %d is what generate writes for the stored history',
    async (strength) => {
      const answer = await chat({ max_tokens: 24 }, { user: 'u1', strength });
      expect(answer.choices[0]!.message.content).toBe(await textOf({ strength, maxNewTokens: 24 }));
      expect(answer).toMatchObject({
        model: 'embedded',
        nextquill: {
          user: 'u1',
          strength,
          template: 'default',
          historyVersion: 1,
          passes: strength === 1.5 ? 2 : 1,
        },
      });
      const own = (answer as unknown as { nextquill: { historyItems: string[] } }).nextquill;
      expect(own.historyItems.length).toBe(strength === 0 ? 0 : 6);
      expect(answer.usage!.total_tokens).toBe(answer.usage!.prompt_tokens + answer.usage!.completion_tokens);
    },
  );

  it('is drawn as generate draws it, for every one of n', async () => {
    const drawing = { temperature: 0.9, seed: 11, max_tokens: 12 };
    const answer = await chat({ ...drawing, n: 3 }, { user: 'u1', strength: 1.5 });
    const expected: string[] = ['', '', ''];
    const steps = generate(await embeddedModel(), example, {
      ...{ temperature: 0.9, seed: 11, maxNewTokens: 12, strength: 1.5, count: 3, threads: 1 },
    });
    for await (const { sample, text } of steps) expected[sample] += text;
    expect(answer.choices.map(({ message }) => message.content)).toEqual(expected);
    const again = await chat({ ...drawing, n: 3 }, { user: 'u1', strength: 1.5 });
    expect(again.choices).toEqual(answer.choices);
    expect(again.system_fingerprint).toBe(answer.system_fingerprint);
  });

  it('streams the same, with our fields on chunks that have a choice', async () => {
    const whole = await chat({ max_tokens: 24 }, { user: 'u1', strength: 1.5 });
    const { data: stream, response } = await at
      .client()
      .chat.completions.create({
        ...{ model: 'embedded', messages, temperature: 0, max_tokens: 24, stream: true as const },
        stream_options: { include_usage: true },
        ...({ nextquill: { user: 'u1', strength: 1.5 } } as object),
      })
      .withResponse();
    let text = '';
    const chunks = [];
    for await (const chunk of stream) {
      chunks.push(chunk as typeof chunk & { nextquill?: { historyItems?: string[]; passes?: number } });
      text += chunk.choices[0]?.delta.content ?? '';
    }
    expect(text).toBe(whole.choices[0]!.message.content);
    expect(chunks[0]).toMatchObject({
      choices: [{ delta: { role: 'assistant' } }],
      nextquill: { user: 'u1' },
    });
    expect(chunks.at(-2)).toMatchObject({ choices: [{ finish_reason: 'length' }], nextquill: { passes: 2 } });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
  });

  it('tells the log-probability of the mixture, and both passes whose difference explain tells', async () => {
    const answer = await chat(
      { max_tokens: 8, logprobs: true, top_logprobs: 2 },
      { user: 'u1', strength: 1, effects: true },
    );
    const [{ message, logprobs }] = answer.choices as [(typeof answer.choices)[0]];
    const tokens = logprobs!.content as unknown as {
      logprob: number;
      bytes: number[];
      top_logprobs: { logprob: number }[];
      nextquill: { logProbWithHistory: number; logProbWithoutHistory: number; effectLogRatio: number };
    }[];
    const map = await explain(
      await embeddedModel(),
      { ...example, response: message.content! },
      { prompt: { maxTokens: 512 }, threads: 1 },
    );
    expect(Buffer.from(tokens.flatMap(({ bytes }) => bytes)).toString()).toBe(message.content);
    expect(answer).toMatchObject({ nextquill: { passes: 2 } });
    for (const [t, token] of tokens.entries()) {
      expect(token.logprob).toBeCloseTo(token.nextquill.logProbWithHistory, 6);
      expect(token.top_logprobs[0]!.logprob).toBeCloseTo(token.logprob, 6); // greedy
      expect(token.nextquill.logProbWithHistory).toBeCloseTo(map.tokens[t]!.logProbWithHistory, 3);
      expect(token.nextquill.effectLogRatio).toBeCloseTo(map.tokens[t]!.values.logRatio, 3);
    }
  });

  it('ends at a stop text, with which items it used, and remembers what the user wrote', async () => {
    at.store.putUser('u2', {});
    at.store.addItems('u2', history.slice(0, 3));
    const full = await chat({ max_tokens: 24 }, { user: 'u2' });
    const content = full.choices[0]!.message.content!;
    const stop = content.slice(6, 9);
    const answer = await chat({ max_tokens: 24, stop }, { user: 'u2', items: true, remember: true });
    expect(answer.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: content.slice(0, content.indexOf(stop)) },
    });
    const own = (
      answer as unknown as { nextquill: { items: { id: string; kind: string; low: number; high: number }[] } }
    ).nextquill;
    expect(own.items.map(({ id }) => id)).toEqual(['h0', 'h1', 'h2']);
    for (const { low, high } of own.items) expect(low).toBeLessThanOrEqual(high);
    const kept = at.store.history('u2').items;
    expect(kept.map(({ text }) => text)).toContain(query);
    expect(kept).toHaveLength(4);
    expect(at.store.history('u2').version).toBe(2);
  });

  it('takes a conversation, given items, and a history of none', async () => {
    const turns = [
      { role: 'developer' as const, content: 'Be brief.' },
      { role: 'user' as const, content: [{ type: 'text' as const, text: 'Hello' }] },
      { role: 'assistant' as const, content: 'Hello.' },
      ...messages,
    ];
    const given = (await at.client().chat.completions.create({
      ...{ model: 'embedded', messages: turns, temperature: 0, max_tokens: 4 },
      ...({
        nextquill: {
          history: history.slice(0, 2).map(({ query, text }) => ({ query, text })),
          template: 'assistant',
        },
      } as object),
    })) as unknown as { nextquill: object };
    expect(given.nextquill).toMatchObject({ template: 'assistant', historyItems: ['given-1', 'given-2'] });
    const none = (await chat({ max_tokens: 4 }, { user: 'u1', history: 'none' })) as unknown as {
      nextquill: object;
    };
    expect(none.nextquill).toMatchObject({ historyItems: [], historyItemsDropped: 0 });
  });

  it('is not written when nobody waits for it', async () => {
    const stream = await at.client().chat.completions.create({
      ...{ model: 'embedded', messages, max_tokens: 400, stream: true as const },
      ...({ nextquill: { user: 'u1', strength: 1.5 } } as object),
    });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    stream.controller.abort();
    await expect.poll(() => at.server.context.scheduler.status().rowsUsed, { timeout: 1000 }).toBe(0);
    await expect.poll(() => at.lines.at(-1)).toMatchObject({ outcome: 'cancelled' });
  });
});
