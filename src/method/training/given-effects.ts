/** @file Effects that come with a microbatch, from another model than the one in training: their inputs and feeds. */
import { input } from '../../engine/ops/operators.ts';
import type { HostTensor } from '../../engine/runtime/session.ts';
import type { ObjectivePlan } from '../objectives/plan.ts';
import type { EffectInputs } from '../objectives/weight-rules.ts';
import type { PromptPair } from '../prompts/pair.ts';

/** What an estimator says of the response tokens of one pair; each f32[S], nats. */
export interface TokenEstimate {
  readonly logProbWithHistory?: Float32Array;
  readonly logProbWithoutHistory?: Float32Array;
  readonly divergence?: Float32Array;
  /** B: mean log ratio of other users' histories; 0 without a history. */
  readonly generic?: Float32Array;
  /** The largest log ratio of another user's history; beyond every effect where there is none. */
  readonly placeboMost?: Float32Array;
  /** How much likelier the starting model finds the token with the own history than with the other one; 0 without another. */
  readonly startMargin?: Float32Array;
}

type Part = keyof TokenEstimate;

const estimated = ['logProbWithHistory', 'logProbWithoutHistory', 'divergence'] as const;

/** The parts of an estimate that come with a microbatch. */
const partsOf = ({ needs }: ObjectivePlan): readonly Part[] => [
  ...(needs.estimate ? estimated : []),
  ...(needs.generic ? (['generic'] as const) : []),
  ...(needs.placeboMost ? (['placeboMost'] as const) : []),
  ...(needs.startMargin ? (['startMargin'] as const) : []),
];

/** What an estimate says of the tokens that are fitted: training has no row for the others. */
export function ofFitted(estimate: TokenEstimate, { fitted }: Pick<PromptPair, 'fitted'>): TokenEstimate {
  if (fitted === undefined) return estimate;
  const parts = Object.entries(estimate) as [Part, Float32Array][];
  return Object.fromEntries(parts.map(([part, values]) => [part, values.filter((_, t) => fitted[t])]));
}

/** Declares the inputs of what an objective needs of an estimator. */
export function estimateInputs({ needs }: ObjectivePlan): EffectInputs {
  const part = (name: Part) => input(`estimate.${name}`, 'f32', ['S']);
  return {
    ...(needs.estimate && {
      estimate: {
        logProbWithHistory: part('logProbWithHistory'),
        logProbWithoutHistory: part('logProbWithoutHistory'),
        divergence: part('divergence'),
      },
    }),
    ...(needs.generic && { generic: part('generic') }),
    ...(needs.placeboMost && { placeboMost: part('placeboMost') }),
    ...(needs.startMargin && { startMargin: part('startMargin') }),
  };
}

/** The feeds of a microbatch: one estimate for each of its pairs, in their order. */
export function estimateFeeds(
  plan: ObjectivePlan,
  estimates: readonly TokenEstimate[],
): Record<string, HostTensor> {
  return Object.fromEntries(
    partsOf(plan).map((part) => {
      const data = Float32Array.from(estimates.flatMap((estimate) => [...estimate[part]!]));
      return [`estimate.${part}`, { data, shape: [data.length] }];
    }),
  );
}
