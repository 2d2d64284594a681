/** @file A running batch: texts that join and leave at any step are those that each gets alone; freed memory is NaN throughout. */
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AbortedError } from '../../../src/base/errors.ts';
import { randomStream } from '../../../src/base/random.ts';
import { openTextGenerator } from '../../../src/engine/generate/decode.ts';
import {
  type BatchTask,
  type KeyedAdapter,
  openScheduler,
  type Scheduler,
} from '../../../src/engine/generate/scheduler.ts';
import type {
  GenerationPrompt,
  SequenceStep,
  WritingOptions,
} from '../../../src/engine/generate/text-sequence.ts';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { loraParameters } from '../../../src/engine/models/parameters.ts';
import { logitsOf } from '../../support/logits.ts';
import { tinyModel } from '../../support/tiny-model.ts';

const plain = await tinyModel('tiny-llama');
const decode = (ids: readonly number[]) => ids.map((id) => String.fromCodePoint(0x4e00 + id)).join('');
const model = {
  ...plain,
  tokenizer: {
    ...plain.tokenizer,
    endIds: [],
    decode,
    tokenBytes: (id: number) => new TextEncoder().encode(decode([id])),
    isSpecial: () => false,
    vocabularySize: plain.config.vocabularySize,
  },
};
const loaded = await loadAdapter(resolve('tests/golden/tiny-llama/adapter'), plain);
const adapter: KeyedAdapter = { lora: loaded.lora, tensors: loaded.tensors, key: 'golden' };
const weaker: KeyedAdapter = {
  key: 'weaker',
  lora: loaded.lora,
  tensors: Object.fromEntries(
    Object.entries(loaded.tensors).map(([name, { data, shape }]) => [
      name,
      { shape, data: name.includes('lora_B') ? data.map((value) => value / 2) : data },
    ]),
  ),
};

const random = randomStream(4, 'tests/scheduler');
const ids = (length: number) => Array.from({ length }, () => 3 + random.integer(58));
const sampling: WritingOptions = { temperature: 1.1, topK: 40, maxNewTokens: 12, logProbs: 2 };

interface Case {
  readonly name: string;
  readonly ids: readonly number[];
  readonly guidance?: GenerationPrompt['guidance'];
  readonly adapter: KeyedAdapter | undefined;
}
const cases = Array.from(
  { length: 12 },
  (_, i): Case => ({
    name: `text ${i}`,
    ids: ids(1 + random.integer(14)),
    ...(i % 3 === 0 && { guidance: { ids: ids(4), strength: 1.5 } }),
    adapter: [undefined, adapter, weaker][i % 3 === 0 ? (i / 3) % 3 : i % 3],
  }),
);
const promptOf = ({ ids, guidance, name }: Case): GenerationPrompt => ({
  ids,
  ...(guidance && { guidance }),
  random: randomStream(3, name),
});

/** What a generator that runs nothing else writes. */
async function alone(of: Case, options: WritingOptions): Promise<SequenceStep[]> {
  await using generator = await openTextGenerator(model, of.adapter && { adapter: of.adapter }, {
    threads: 1,
  });
  const steps: SequenceStep[] = [];
  for await (const { prompt: _, ...step } of generator.generate([promptOf(of)], options)) steps.push(step);
  return steps;
}
const expected = await Promise.all(cases.map((of) => alone(of, sampling)));

const run = async (scheduler: Scheduler, task: Omit<BatchTask, 'onStep'>) => {
  const texts: SequenceStep[][] = task.prompts.map(() => []);
  await scheduler.start({ ...task, onStep: (text, step) => texts[text]!.push(step) }).done;
  return texts;
};
const tokens = (steps: readonly SequenceStep[]) => steps.map(({ token }) => token);

describe('a running batch', () => {
  const open = (options: { rows: number; maxBatch?: number; chunk?: number }) =>
    openScheduler(model, { capacity: 40, threads: 1, poison: true, ...options });

  it('writes what each text gets alone, whoever joins and leaves at whatever step', async () => {
    await using scheduler = await open({ rows: 5, chunk: 4 });
    const order = randomStream(5, 'tests/order');
    const results = new Array<SequenceStep[]>(cases.length);
    const waiting = order.shuffle(cases.map((_, i) => i));
    const workers = Array.from({ length: 4 }, async () => {
      for (let i = waiting.pop(); i !== undefined; i = waiting.pop()) {
        const task = { prompts: [promptOf(cases[i]!)], options: sampling, adapter: cases[i]!.adapter };
        while (scheduler.rowsFree() < scheduler.rowsFor(task))
          await new Promise((resolve) => setTimeout(resolve, 1));
        [results[i]] = (await run(scheduler, task)) as [SequenceStep[]];
      }
    });
    await Promise.all(workers);
    for (const [i, steps] of results.entries()) {
      expect(tokens(steps), cases[i]!.name).toEqual(tokens(expected[i]!));
      expect(steps.map(({ text }) => text)).toEqual(expected[i]!.map(({ text }) => text));
      for (const [t, { logProbs }] of steps.entries())
        expect(logProbs!.logProb).toBeCloseTo(expected[i]![t]!.logProbs!.logProb, 4);
    }
    expect(scheduler.status()).toMatchObject({ rowsUsed: 0, tasks: 0, groups: 0 });
  });

  it('depends on no neighbour by a bit where every text steps alone', async () => {
    await using scheduler = await open({ rows: 16, maxBatch: 1 });
    const some = cases.slice(0, 8);
    const results = await Promise.all(
      some.map((of) => run(scheduler, { prompts: [promptOf(of)], options: sampling, adapter: of.adapter })),
    );
    expect(results.map(([steps]) => steps)).toEqual(expected.slice(0, 8));
  });

  it('writes several texts of one prompt that runs once, and each as alone', async () => {
    await using scheduler = await open({ rows: 6 });
    const of = cases[0]!;
    const prompts = ['text 0', 'b', 'text 0'].map((name) => promptOf({ ...of, name }));
    const texts = await run(scheduler, { prompts, options: sampling, adapter: of.adapter });
    expect(scheduler.status().passes.prefill).toBe(2);
    expect(tokens(texts[0]!)).toEqual(tokens(expected[0]!));
    expect(tokens(texts[2]!)).toEqual(tokens(expected[0]!));
    expect(tokens(texts[1]!)).not.toEqual(tokens(expected[0]!));
  });

  it('tells log-probabilities of both passes and of their mixture, before penalties and filters', async () => {
    await using scheduler = await open({ rows: 2 });
    const of = cases[3]!;
    const options = { ...sampling, repetitionPenalty: 1.5, temperature: 0.3, maxNewTokens: 3 };
    const [steps] = await run(scheduler, { prompts: [promptOf(of)], options, adapter: of.adapter });
    const written: number[] = [];
    const logProbs = (logits: readonly number[]) => {
      const normaliser = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
      return logits.map((logit) => logit - normaliser);
    };
    const source = of.adapter && loraParameters(of.adapter.lora);
    for (const { token, logProbs: told } of steps!) {
      const last = async (prompt: readonly number[]) => {
        const { data } = await logitsOf(model, [...prompt, ...written], source, of.adapter?.tensors);
        return [...(data as Float32Array)].slice(-model.config.vocabularySize);
      };
      const [z, z0] = [await last(of.ids), await last(of.guidance!.ids)];
      const mixed = logProbs(z.map((logit, v) => z0[v]! + 1.5 * (logit - z0[v]!)));
      expect(told!.logProb).toBeCloseTo(mixed[token]!, 4);
      expect(told!.byPrompt).toBeCloseTo(logProbs(z)[token]!, 4);
      expect(told!.byGuidance).toBeCloseTo(logProbs(z0)[token]!, 4);
      const best = mixed.map((value, v) => [value, v] as const).sort((a, b) => b[0] - a[0]);
      expect(told!.top.map((each) => each.token)).toEqual(best.slice(0, 2).map(([, v]) => v));
      written.push(token);
    }
  });

  it('scores the tokens of a prompt by the pass that then writes on, or writes nothing', async () => {
    await using scheduler = await open({ rows: 1 });
    const prompt = promptOf({ ...cases[1]!, ids: ids(20) });
    const V = model.config.vocabularySize;
    const logits = [...((await logitsOf(model, prompt.ids)).data as Float32Array)];
    for (const options of [undefined, sampling]) {
      let scores: readonly { token: number; logProb: number; rank: number }[] = [];
      const texts: number[] = [];
      await scheduler.start({
        prompts: [prompt],
        ...(options && { options }),
        promptLogProbs: 1,
        onPromptScores: (all) => {
          scores = all;
        },
        onStep: (_, { token }) => texts.push(token),
      }).done;
      expect(scores.map(({ token }) => token)).toEqual(prompt.ids.slice(1));
      for (const [t, score] of scores.entries()) {
        const at = logits.slice(t * V, (t + 1) * V);
        const normaliser = Math.log(at.reduce((sum, logit) => sum + Math.exp(logit), 0));
        expect(score.logProb).toBeCloseTo(at[score.token]! - normaliser, 4);
        expect(score.rank).toBe(1 + at.filter((logit) => logit > at[score.token]!).length);
      }
      expect(texts).toHaveLength(options === undefined ? 0 : 12);
    }
  });

  it('computes nothing for a paused text, and frees the rows of a cancelled one', async () => {
    await using scheduler = await open({ rows: 4 });
    const seen: number[] = [];
    const paused = scheduler.start({
      prompts: [promptOf(cases[1]!)],
      options: sampling,
      adapter: cases[1]!.adapter,
      onStep: (_, { token }) => {
        seen.push(token);
        if (seen.length === 3) paused.pause();
      },
    });
    const left = scheduler.start({
      prompts: [promptOf(cases[0]!)],
      options: sampling,
      onStep: () => left.cancel('gone'),
    });
    await expect(left.done).rejects.toBeInstanceOf(AbortedError);
    await run(scheduler, { prompts: [promptOf(cases[4]!)], options: sampling });
    expect(seen).toHaveLength(3);
    expect(scheduler.status()).toMatchObject({ rowsUsed: 1, tasks: 1, paused: 1 });
    paused.resume();
    await paused.done;
    expect(seen).toEqual(tokens(expected[1]!));
  });

  it('refuses what has no room before it takes anything', async () => {
    await using scheduler = await open({ rows: 1 });
    const long = promptOf({ ...cases[1]!, ids: ids(40) });
    expect(() => scheduler.start({ prompts: [long], options: sampling })).toThrowError(
      expect.objectContaining({ code: 'generate/prompt-length' }),
    );
    expect(() => scheduler.start({ prompts: [promptOf(cases[0]!)], options: sampling })).toThrowError(
      expect.objectContaining({ code: 'generate/rows' }),
    );
    expect(() => scheduler.start({ prompts: [promptOf(cases[1]!)], options: { topP: 2 } })).toThrowError(
      expect.objectContaining({ code: 'config/range' }),
    );
    expect(scheduler.rowsFree()).toBe(1);
  });
});
