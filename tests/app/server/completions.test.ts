/** @file Raw completions: echo and prompt log-probabilities equal what scoring gives, ids and texts alike. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { promptPair } from '../../../src/method/prompts/pair.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { embeddedModel, type Served, served } from '../../support/serving.ts';

let at: Served;
beforeAll(async () => {
  at = await served();
});
afterAll(() => at[Symbol.asyncDispose]());

it('echo sums are the log-likelihoods of scoring, in OpenAI’s shape and in vLLM’s', async () => {
  const { model, prompt } = await embeddedModel();
  const history = [{ id: 'h1', query: 'On roads', text: 'We need roads.' }];
  const example = {
    id: 'e',
    user: 'u',
    query: 'On the treasury',
    response: 'The revenue has been ample.',
    history,
  };
  const pair = promptPair(example, model.tokenizer, prompt);
  await using scorer = createScorer({ model }, { threads: 1 });
  const [effects] = await scorer.effects([pair]);
  const prompts = [pair.withHistoryIds, pair.withoutHistoryIds].map((ids) => [...ids, ...pair.responseIds]);
  const answer = await at.client().completions.create({
    ...{ model: 'embedded', prompt: prompts, max_tokens: 0, echo: true, logprobs: 2 },
    ...({ prompt_logprobs: 1, return_token_ids: true } as object),
  });
  for (const [i, expected] of [effects!.logProbWithHistory, effects!.logProbWithoutHistory].entries()) {
    const choice = answer.choices[i]! as (typeof answer.choices)[0] & {
      prompt_logprobs: (Record<string, { logprob: number; rank: number }> | null)[];
      prompt_token_ids: number[];
    };
    const values = choice.logprobs!.token_logprobs!;
    expect(values).toHaveLength(prompts[i]!.length);
    expect(values[0]).toBeNull();
    expect(choice.prompt_logprobs[0]).toBeNull();
    expect(choice.prompt_token_ids).toEqual(prompts[i]);
    for (const [t, value] of expected.entries()) {
      const place = prompts[i]!.length - expected.length + t;
      expect(values[place]).toBeCloseTo(value, 4);
      expect(choice.prompt_logprobs[place]![prompts[i]![place]!]!.logprob).toBeCloseTo(value, 4);
    }
    expect(choice.text).toBe(model.tokenizer.decode(prompts[i]!));
    expect(choice.logprobs!.tokens!.join('')).toBe(choice.text);
    expect(Object.keys(choice.logprobs!.top_logprobs![5]!).length).toBeGreaterThanOrEqual(2);
    const offset = choice.logprobs!.text_offset![7]!;
    expect(choice.text.slice(offset)).toBe(choice.logprobs!.tokens!.slice(7).join(''));
  }
});

it('goes on from texts and ids alike, streamed or whole, with the log-probabilities of what it writes', async () => {
  const { model } = await embeddedModel();
  const prompt = 'Fellow citizens of the Senate';
  const body = { model: 'embedded', max_tokens: 6, temperature: 0, logprobs: 1 };
  const whole = await at.client().completions.create({ ...body, prompt: [prompt, 'The people'], n: 2 });
  expect(whole.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
  expect(whole.choices[0]!.text).toBe(whole.choices[1]!.text);
  expect(whole.usage!.completion_tokens).toBe(24);
  const ids = model.tokenizer.encode(prompt).ids;
  const byIds = await at.client().completions.create({ ...body, prompt: ids, echo: true });
  expect(byIds.choices[0]!.text).toBe(prompt + whole.choices[0]!.text);
  expect(byIds.choices[0]!.logprobs!.tokens).toHaveLength(ids.length + 6);
  let text = '';
  const stream = await at.client().completions.create({ ...body, prompt, stream: true });
  for await (const chunk of stream) text += chunk.choices[0]?.text ?? '';
  expect(text).toBe(whole.choices[0]!.text);
});

it('takes texts as data: what they spell is no special token', async () => {
  const answer = await at.client().completions.create({
    ...{ model: 'embedded', prompt: '<|user|>Hello<|end|>', max_tokens: 1 },
    ...({ return_token_ids: true } as object),
  });
  const { tokenizer } = (await embeddedModel()).model;
  const [{ prompt_token_ids: ids }] = answer.choices as unknown as [{ prompt_token_ids: number[] }];
  expect(ids.some((id) => tokenizer.isSpecial(id))).toBe(false);
});
