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
import { copiedFeed, copiedInput, copiedTokensOf } from '../objectives/copied.ts';
import { groupFeeds, groupInputs } from '../objectives/groups.ts';
import { fitWeights } from '../objectives/loss.ts';
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
import { planRows, tokensOf } from '../prompts/shared-prefixes.ts';
import { rowLimits } from './scoring-groups.ts';
import { addTokens, type TokenCount, tokensOfPass } from './token-count.ts';

/** A graph over prompts of some kind. */
export interface ScoringGraph<T> {
  /** Each f32[S]. */
  readonly outputs: Readonly<Record<string, Value>>;
  /** A run over rows whose prompts share their beginnings, as scoring-groups.ts plans them. */
  batch(rows: readonly (readonly T[])[]): ScoringBatch;
}

/** The feeds of a run, except for parameters that are inputs, and the tokens that it computes. */
export interface ScoringBatch {
  readonly feeds: Record<string, HostTensor>;
  readonly tokens: TokenCount;
}

type Decoder = Pick<Model, 'config' | 'architecture' | 'tokenizer' | 'device' | 'parameters'>;

/** `logProbability` of the response tokens of prompts, over parameters that `source` gives. */
export function promptGraph(model: Decoder, source: ParameterSource): ScoringGraph<ScoredPrompt> {
  const passes = createPasses(model, source);
  return {
    outputs: { logProbability: selectedLogProbability(passes.logits('prompt', 'T'), targetInput()) },
    batch: (rows) => {
      const prompt = batchOf(rows, model);
      return {
        feeds: { ...passes.feeds(passRows({ prompt })), ...targetFeed(prompt) },
        tokens: tokensOfPass(rows.flat(), prompt),
      };
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
  const isCopied = objective.needs.copied ? { isCopied: copiedInput() } : {};
  const weight = fitWeights(objective, both, groupInputs(), isCopied);
  return {
    outputs: { ...tokenEffects(both), weight },
    batch: (rows) => {
      const { both, tokens } = bothPasses(rows, model);
      const pairs = rows.flat();
      const hasHistory = pairs.map((pair) => pair.hasHistory);
      return {
        feeds: {
          ...passes.feeds(passRows(both)),
          ...groupFeeds(both.withHistory.exampleOf, hasHistory, hasHistory.length),
          ...(objective.needs.copied && copiedFeed(pairs.flatMap(copiedTokensOf))),
          ...targetFeed(both.withHistory),
        },
        tokens,
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
    batch: (rows) => {
      const { both, tokens } = bothPasses(rows, model);
      return { feeds: { ...passes.feeds(passRows(both)), ...targetFeed(both.withHistory) }, tokens };
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
    batch: (rows) => {
      const batch = batchOf(rows, model);
      const tokens = tokensOfPass(rows.flat(), batch);
      return {
        feeds: { ...passes.feeds(passRows({ adapter: batch, base: batch })), ...targetFeed(batch) },
        tokens: addTokens(tokens, tokens),
      };
    },
  };
}

/** Log-probabilities of the targets at z₀ + s (z − z₀), for each s. */
function atStrengths(logits: Value, reference: Value, strengths: readonly number[]): Record<string, Value> {
  const targets = targetInput();
  const difference = sub(logits, reference);
  // At 0 and 1 the logits as they are: what rounding would make of them are other numbers than those of one pass.
  const logitsAt = (strength: number) =>
    strength === 0
      ? reference
      : strength === 1
        ? logits
        : add(reference, mul(difference, constant(strength)));
  const at = (strength: number) => selectedLogProbability(logitsAt(strength), targets);
  return Object.fromEntries(strengths.map((strength, s) => [`strength${s}`, at(strength)]));
}

function batchOf(rows: readonly (readonly ScoredPrompt[])[], { tokenizer: { padId } }: Decoder) {
  let place = 0;
  const layout = rows.map((row) => row.map(() => place++));
  return collate(rows.flat(), { padId, side: 'right', layout });
}

/** Both passes of a run. Prompts without history begin alike in other ways: they have rows of their own, none longer than those with it. */
function bothPasses(rows: readonly (readonly PromptPair[])[], model: Decoder) {
  const full = rows.map((row) => row.map((pair) => promptOf(pair)));
  const withHistory = batchOf(full, model);
  const bare = rows.flat().map((pair) => promptOf(pair, 'withoutHistoryIds'));
  const responses = bare.map(({ responseIds }) => responseIds.length);
  const planned = planRows(bare.map(tokensOf), responses, rowLimits(model, withHistory.length));
  const layout = planned.map(({ places }) => places);
  const withoutHistory = collate(bare, { padId: model.tokenizer.padId, side: 'right', layout });
  checkAligned(withHistory, withoutHistory);
  return {
    both: { withHistory, withoutHistory },
    tokens: addTokens(tokensOfPass(full.flat(), withHistory), tokensOfPass(bare, withoutHistory)),
  };
}

const targetInput = () => input('targets', 'i64', ['S']);

const targetFeed = ({ targets }: CollatedBatch): Record<string, HostTensor> => ({
  targets: { data: targets, shape: [targets.length] },
});
