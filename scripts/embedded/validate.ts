/** @file How far the embedded model is while it is trained: validation users and validation passages, never those that are reported. */
import type { Example } from '../../src/method/data/example.ts';
import { sotuExamples } from '../../src/method/data/sotu.ts';
import { takeAcrossUsers } from '../../src/method/data/splits.ts';
import { causeOfToken, effectAuc } from '../../src/method/evaluation/token-causes.ts';
import { type ExampleEffects, exampleEffects } from '../../src/method/scoring/rows.ts';
import type { ScoredModel } from '../../src/method/scoring/scored-model.ts';
import { simulate } from '../../src/method/simulation/simulate.ts';
import { promptSettings } from './corpus.ts';

const VALIDATION_SEED = 77;
const users = simulate({ users: 32, seed: VALIDATION_SEED, historyItems: 3 });
const speeches = takeAcrossUsers(
  sotuExamples({ historySize: 3, historyWords: 60, seed: VALIDATION_SEED }).filter(
    ({ split }) => split === 'validation',
  ),
  16,
);

/** Nats a token with and without history, AUC against known causes, and the mean log ratio by cause. */
export async function validate(scored: ScoredModel, threads: number) {
  const simulated = await effectsOf(scored, users, threads);
  const spoken = await effectsOf(scored, speeches, threads);
  const [withHistory, withoutHistory] = nats(simulated);
  return {
    auc: effectAuc(simulated, { resamples: 20 }).value,
    withHistory,
    withoutHistory,
    speeches: nats(spoken),
    ...ratioByCause(simulated),
  };
}

async function effectsOf(scored: ScoredModel, examples: readonly Example[], threads: number) {
  const found: ExampleEffects[] = [];
  for await (const effects of exampleEffects(scored, examples, { prompt: promptSettings, threads }))
    found.push(effects);
  return found;
}

const rounded = (sum: number, count: number) => Math.round((sum / count) * 1000) / 1000;

function nats(effects: readonly ExampleEffects[]): [withHistory: number, withoutHistory: number] {
  let tokens = 0;
  const sums = [0, 0];
  for (const { effects: e } of effects) {
    tokens += e.weight.length;
    sums[0]! -= e.logProbWithHistory.reduce((a, b) => a + b, 0);
    sums[1]! -= e.logProbWithoutHistory.reduce((a, b) => a + b, 0);
  }
  return [rounded(sums[0]!, tokens), rounded(sums[1]!, tokens)];
}

/** Mean log ratio of first tokens of choices, by the choice's cause. */
function ratioByCause(effects: readonly ExampleEffects[]): Record<string, number> {
  const sums = new Map<string, [sum: number, count: number]>();
  for (const { example, pair, effects: e } of effects)
    pair.responseIds.forEach((_, t) => {
      const cause = causeOfToken(
        example.response,
        pair.responseStarts[t]!,
        pair.responseEnds[t]!,
        example.causes!,
      );
      if (cause === undefined) return;
      const [sum, count] = sums.get(cause) ?? [0, 0];
      sums.set(cause, [sum + e.logRatio[t]!, count + 1]);
    });
  return Object.fromEntries([...sums].map(([cause, [sum, count]]) => [cause, rounded(sum, count)]));
}
