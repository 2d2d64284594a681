/** @file A system whose users have adapters: every history is read by its own user's adapter, and no history by none. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import { mean } from '../../../src/base/statistics/mean.ts';
import type { Adapter } from '../../../src/engine/lora/adapter.ts';
import { adapterShapes } from '../../../src/engine/lora/layers.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import { promptOfSystem, scoreSystem } from '../../../src/method/benchmark/score-system.ts';
import { benchmarkSystem } from '../../../src/method/benchmark/systems.ts';
import { promptOf } from '../../../src/method/prompts/collate.ts';
import { comparedPrompts } from '../../../src/method/prompts/compared-prompts.ts';
import { defaultPromptSettings } from '../../../src/method/prompts/pair.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import type { UserAdapters } from '../../../src/method/scoring/user-adapters.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';
import { writeModelFolder } from '../../support/model-folder.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-score-system-'));
await writeModelFolder(join(home, 'model'));
const model = await loadModel(join(home, 'model'), join(home, 'cache'));
const examples = simulate({ users: 4, seed: 3, historyItems: 2 });
const prompt = { ...defaultPromptSettings(model.config.maxPositions), maxHistory: 1 };
const lora = { rank: 2, loraAlpha: 4, targetModules: ['q_proj', 'v_proj'] };

/** A random adapter, its own for each user; the last user has none. */
function tensorsOf(user: string): Adapter['tensors'] | undefined {
  if (user === examples[3]!.user) return undefined;
  const random = randomStream(1, user);
  return Object.fromEntries(
    adapterShapes(model, lora).map(({ name, shape }) => {
      const data = Float32Array.from({ length: shape[0]! * shape[1]! }, () => random.normal() / 4);
      return [name, { data, shape }];
    }),
  );
}
const adapters: UserAdapters = { lora, adapterOf: async (user) => tensorsOf(user) };

/** f32 sums in batches of other sizes. */
const DIGITS = 4;

describe.each(['oppu', 'oppu-bm25'] as const)('%s', (name) => {
  it('scores own and strangers’ texts as a model with that user’s adapter alone does', async () => {
    const system = benchmarkSystem(name);
    const settings = promptOfSystem(system, prompt);
    const asked = { pool: examples, others: 2, seed: 0, threads: 1 };
    const scores = await scoreSystem({ model }, system, examples, { ...asked, adapters, prompt });
    expect(scores.map(({ user }) => user)).toEqual(examples.map(({ user }) => user));
    const ids = name === 'oppu' ? 'withoutHistoryIds' : 'withHistoryIds';
    const nll = async (user: string | undefined, pair: Parameters<typeof promptOf>[0], of: typeof ids) => {
      const tensors = user === undefined ? undefined : tensorsOf(user);
      await using scorer = createScorer(
        { model, ...(tensors && { adapter: { lora, tensors } }) },
        { threads: 1 },
      );
      const [values] = await scorer.logProbabilities([promptOf(pair, of)]);
      return -mean(values!);
    };
    for (const i of [0, 3]) {
      const example = examples[i]!;
      const { pair, others, matched } = comparedPrompts(example, model.tokenizer, settings, asked);
      const score = scores[i]!;
      expect(score.nllWithHistory).toBeCloseTo(await nll(example.user, pair, ids), DIGITS);
      expect(score.nllWithoutHistory).toBeCloseTo(await nll(undefined, pair, 'withoutHistoryIds'), DIGITS);
      const strangers: number[] = [];
      for (const [k, { user }] of matched!.others.entries())
        strangers.push(await nll(user, name === 'oppu' ? pair : others[k]!, ids));
      expect(score.nllOtherHistory).toBeCloseTo(mean(strangers), DIGITS);
      expect(Math.abs(score.nllOtherHistory - score.nllWithHistory)).toBeGreaterThan(1e-3);
    }
  });
});
