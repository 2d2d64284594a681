/** @file Making the pairs of many examples: told as progress, and stopped by a signal. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Progress } from '../../../src/base/progress.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import type { Example } from '../../../src/method/data/example.ts';
import { comparedPrompts } from '../../../src/method/prompts/compared-prompts.ts';
import { examplesThatFit } from '../../../src/method/prompts/left-out.ts';
import { defaultPromptSettings } from '../../../src/method/prompts/pair.ts';
import { trainingPrompts } from '../../../src/method/training/pairs.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { writtenUsers } from '../../support/written-users.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-pairs-'));
await writeModelFolder(join(home, 'model'));
const model = await loadModel(join(home, 'model'), join(home, 'cache'));
const prompt = defaultPromptSettings(model.config.maxPositions);
afterEach(() => vi.restoreAllMocks());

/** A clock on which every look takes a second. */
const slowClock = () => {
  let seconds = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => 1000 * seconds++);
};

it('long work tells of each example, and gives the same pairs as work that nobody watches', async () => {
  const quiet = await trainingPrompts(writtenUsers, model, prompt, { seed: 0 });
  slowClock();
  const told: Progress[] = [];
  const watched = await trainingPrompts(writtenUsers, model, prompt, {
    seed: 0,
    onProgress: (progress) => told.push(progress),
  });
  expect(watched).toEqual(quiet);
  expect(told.map(({ done, total }) => [done, total])).toEqual([
    [1, 4],
    [2, 4],
    [3, 4],
    [4, 4],
  ]);
});

it('a signal stops it between two examples', async () => {
  slowClock();
  const controller = new AbortController();
  const told: number[] = [];
  const making = trainingPrompts(writtenUsers, model, prompt, {
    seed: 0,
    onProgress: ({ done }) => {
      told.push(done);
      if (done === 2) controller.abort();
    },
    signal: controller.signal,
  });
  await expect(making).rejects.toMatchObject({ name: 'AbortedError' });
  expect(told).toEqual([1, 2]);
});

it('the reference is the one that effects and evaluation show, and no other history is its user’s', async () => {
  const settings = { ...prompt, reference: 'placebo' as const };
  const alone = await trainingPrompts(writtenUsers, model, settings, { seed: 4 });
  const made = await trainingPrompts(writtenUsers, model, settings, { seed: 4, others: 2 });
  expect(made.pairs).toEqual(alone.pairs);
  for (const [i, example] of writtenUsers.entries()) {
    const compared = { pool: writtenUsers, others: 1, seed: 4 };
    const { pair } = comparedPrompts(example, model.tokenizer, settings, compared);
    expect(made.pairs[i]).toEqual(pair);
    for (const { promptIds } of made.others![i]!) expect(promptIds).not.toEqual(pair.withoutHistoryIds);
  }
  const again = await trainingPrompts(writtenUsers, model, settings, { seed: 4, others: 2 });
  expect(again).toEqual(made);
});

it('another history that does not fit is no empty history: its weights are told to be made of A', async () => {
  const [me, ...rest] = writtenUsers as [Example, ...Example[]];
  const text = 'kettle '.repeat(prompt.maxTokens);
  const long = rest.map((other) => ({ ...other, history: [{ id: `l${other.id}`, query: '', text }] }));
  const { others, notices } = await trainingPrompts([me, ...long], model, prompt, {
    seed: 0,
    others: 2,
  });
  expect(others!.map(({ length }) => length)).toEqual([0, 0, 0, 0]);
  expect(notices).toHaveLength(2);
  expect(notices[1]).toMatchObject({
    code: 'prompts/others-hidden',
    count: 1,
    total: 4,
    example: 'e0',
    consequence: 'weighted-by-total',
  });
});

it('an objective that compares text with the history and without is refused where no example has one', async () => {
  // Such a run trained as sft, without a word.
  const bare = writtenUsers.map((example) => ({ ...example, history: [] }));
  const options = { seed: 0, isAboutHistory: true };
  await expect(trainingPrompts(bare, model, prompt, options)).rejects.toMatchObject({
    code: 'data/no-history',
  });
  expect((await trainingPrompts(bare, model, prompt, { seed: 0 })).notices).toEqual([]);
  const { notices } = await trainingPrompts([writtenUsers[0]!, bare[1]!], model, prompt, options);
  expect(notices).toMatchObject([
    { code: 'prompts/no-history', count: 1, total: 2, example: bare[1]!.id, consequence: 'trained-plainly' },
  ]);
});

it('texts that are too long are told from those that fit, without their histories', async () => {
  const long = { ...writtenUsers[1]!, id: 'long', response: 'x '.repeat(2 * prompt.maxTokens) };
  const { used, leftOut } = await examplesThatFit([...writtenUsers, long], model.tokenizer, prompt);
  expect(used).toEqual(writtenUsers);
  expect(leftOut).toMatchObject({ tooLong: 1, first: { tooLong: 'long' } });
  const strict = examplesThatFit([...writtenUsers, long], model.tokenizer, prompt, { strict: true });
  await expect(strict).rejects.toMatchObject({ code: 'data/too-long' });
  await expect(examplesThatFit([long], model.tokenizer, prompt)).rejects.toMatchObject({
    code: 'data/too-long',
  });
});

describe('copied tokens', () => {
  const shown = 'She drew the old bay from memory, and rowed home late.';
  const response = 'From here she drew The Old bay from memory. She rowed home late.';
  const example: Example = {
    ...writtenUsers[0]!,
    id: 'copy',
    response,
    history: [{ id: 'drawn', query: 'Q', text: shown }],
  };
  const whole = { ...prompt, maxTokens: model.config.maxPositions };

  it('are those of runs of five or more words that the history shows, whatever their case', async () => {
    const { pairs } = await trainingPrompts([example], model, whole, { seed: 0, marksCopied: true });
    const { copied, responseStarts, responseEnds } = pairs[0]!;
    expect(copied).toHaveLength(responseStarts.length);
    expect(copied!.at(-1)).toBe(false); // the end of the turn
    const inRun = (t: number) =>
      responseStarts[t]! < response.indexOf('. She') && responseEnds[t]! > response.indexOf('she');
    expect(copied).toEqual(responseStarts.map((_, t) => inRun(t)));
    expect(copied).toContain(true);
  });

  it('are none where the item does not fit into the prompt, and not marked where nobody asks', async () => {
    const hidden = { ...whole, maxHistory: 0 };
    const { pairs } = await trainingPrompts([example], model, hidden, { seed: 0, marksCopied: true });
    expect(pairs[0]!.copied).not.toContain(true);
    const plain = await trainingPrompts([example], model, whole, { seed: 0 });
    expect(plain.pairs[0]).not.toHaveProperty('copied');
  });
});
