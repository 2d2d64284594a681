/**
 * @file The graphs that scores are computed by, before anything is compiled: one pass over prompts, and both passes over
 * pairs. Training predicts the memory of its estimator by them.
 */
import type { Model } from '../../engine/models/model.ts';
import {
  frozenParameters,
  type LoraOptions,
  loraParameters,
  type ParameterSource,
} from '../../engine/models/parameters.ts';
import { createPasses } from '../../engine/models/pass.ts';
import { add, constant, input, mul, selectedLogProbability, sub } from '../../engine/ops/operators.ts';
import type { Value } from '../../engine/ops/value.ts';
import type { HostTensor } from '../../engine/runtime/session.ts';
import { tokenEffects } from '../effects/effects.ts';
import { groupFeeds, groupInputs } from '../objectives/groups.ts';
import { objectiveWeights } from '../objectives/loss.ts';
import { type ObjectivePlan, planObjective } from '../objectives/plan.ts';
import {
  type CollatedBatch,
  checkAligned,
  collate,
  passRows,
  promptOf,
  type ScoredPrompt,
} from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';

/** A graph over rows of some kind. */
export interface ScoringGraph<T> {
  /** Each f32[S]. */
  readonly outputs: Readonly<Record<string, Value>>;
  /** The feeds of some rows, except for parameters that are inputs. */
  feeds(rows: readonly T[]): Record<string, HostTensor>;
}

type Decoder = Pick<Model, 'config' | 'architecture' | 'tokenizer' | 'device'>;

/** `logProbability` of the response tokens of prompts, over parameters that `source` gives. */
export function promptGraph(model: Decoder, source: ParameterSource): ScoringGraph<ScoredPrompt> {
  const passes = createPasses(model, source);
  return {
    outputs: { logProbability: selectedLogProbability(passes.logits('prompt', 'T'), targetInput()) },
    feeds: (prompts) => {
      const prompt = batchOf(prompts, model);
      return { ...passes.feeds(passRows({ prompt })), ...targetFeed(prompt) };
    },
  };
}

/** What {@link tokenEffects} tells of the response tokens of pairs, and the `weight` of an objective, uniform by default. */
export function effectGraph(
  model: Decoder,
  source: ParameterSource,
  objective: ObjectivePlan = planObjective('sft'),
): ScoringGraph<PromptPair> {
  const passes = createPasses(model, source);
  const both = {
    withHistory: passes.logits('withHistory', 'T'),
    withoutHistory: passes.logits('withoutHistory', 'U'),
    targets: targetInput(),
  };
  const weight = objectiveWeights(objective, both, groupInputs());
  return {
    outputs: { ...tokenEffects(both), weight },
    feeds: (pairs) => {
      const pass = (ids: 'withHistoryIds' | 'withoutHistoryIds') =>
        batchOf(
          pairs.map((pair) => promptOf(pair, ids)),
          model,
        );
      const withHistory = pass('withHistoryIds');
      const withoutHistory = pass('withoutHistoryIds');
      checkAligned(withHistory, withoutHistory);
      const hasHistory = pairs.map((pair) => pair.hasHistory);
      return {
        ...passes.feeds(passRows({ withHistory, withoutHistory })),
        ...groupFeeds(withHistory.exampleOf, hasHistory, pairs.length),
        ...targetFeed(withHistory),
      };
    },
  };
}

/** `strength0`, `strength1`, …: log-probabilities of the response tokens of pairs at z_∅ + s (z_h − z_∅), for each s. */
export function strengthGraph(
  model: Decoder,
  source: ParameterSource,
  strengths: readonly number[],
): ScoringGraph<PromptPair> {
  const passes = createPasses(model, source);
  const withHistory = passes.logits('withHistory', 'T');
  const withoutHistory = passes.logits('withoutHistory', 'U');
  return {
    outputs: atStrengths(withHistory, withoutHistory, strengths),
    feeds: (pairs) => {
      const pass = (ids: 'withHistoryIds' | 'withoutHistoryIds') =>
        batchOf(
          pairs.map((pair) => promptOf(pair, ids)),
          model,
        );
      const batches = { withHistory: pass('withHistoryIds'), withoutHistory: pass('withoutHistoryIds') };
      checkAligned(batches.withHistory, batches.withoutHistory);
      return { ...passes.feeds(passRows(batches)), ...targetFeed(batches.withHistory) };
    },
  };
}

/**
 * `strength0`, `strength1`, …: log-probabilities of the response tokens of prompts at z_base + s (z_adapter − z_base), for each s: the
 * same prompt to the model with its adapter and without.
 */
export function contrastGraph(
  model: Decoder & Pick<Model, 'quantised'>,
  lora: LoraOptions,
  strengths: readonly number[],
): ScoringGraph<ScoredPrompt> {
  const base = frozenParameters(model.quantised);
  const passes = createPasses(model, loraParameters(lora, { base }));
  const withAdapter = passes.logits('adapter', 'T');
  const withoutAdapter = passes.logits('base', 'U', base);
  return {
    outputs: atStrengths(withAdapter, withoutAdapter, strengths),
    feeds: (prompts) => {
      const batch = batchOf(prompts, model);
      return { ...passes.feeds(passRows({ adapter: batch, base: batch })), ...targetFeed(batch) };
    },
  };
}

/** Log-probabilities of the targets at z₀ + s (z − z₀), for each s. */
function atStrengths(logits: Value, reference: Value, strengths: readonly number[]): Record<string, Value> {
  const targets = targetInput();
  const difference = sub(logits, reference);
  const at = (strength: number) =>
    selectedLogProbability(add(reference, mul(difference, constant(strength))), targets);
  return Object.fromEntries(strengths.map((strength, s) => [`strength${s}`, at(strength)]));
}

const batchOf = (prompts: readonly ScoredPrompt[], { tokenizer: { padId } }: Decoder) =>
  collate(prompts, { padId, side: 'right' });

const targetInput = () => input('targets', 'i64', ['S']);

const targetFeed = ({ targets }: CollatedBatch): Record<string, HostTensor> => ({
  targets: { data: targets, shape: [targets.length] },
});
