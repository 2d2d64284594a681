/** @file How the response tokens of a batch group into examples, as the feeds that objectives read. */
import { input } from '../../engine/ops/operators.ts';
import type { HostTensor } from '../../engine/runtime/session.ts';
import type { TokenGroups } from './token-weights.ts';

/** Declares the inputs of {@link groupFeeds}; S response tokens of G examples. */
export function groupInputs(): TokenGroups {
  return {
    membership: input('groups.membership', 'f32', ['G', 'S']),
    uniform: input('groups.uniform', 'f32', ['S']),
    exampleShare: input('groups.exampleShare', 'f32', ['S']),
    hasHistory: input('groups.hasHistory', 'f32', ['S']),
  };
}

/** Declares which response tokens belong to an example that is compared with another user's history: f32[S], 1 or 0. */
export const comparedInput = () => input('groups.isCompared', 'f32', ['S']);

/** The feed of {@link comparedInput}. */
export const comparedFeed = (exampleOf: ArrayLike<number>, isCompared: readonly boolean[]) => ({
  'groups.isCompared': {
    data: Float32Array.from(exampleOf, (example) => (isCompared[example] ? 1 : 0)),
    shape: [exampleOf.length],
  },
});

/**
 * @param exampleOf the example of each response token, 0 … examples − 1
 * @param hasHistory for each example of the batch
 * @param stepExamples number of examples of the whole step
 */
export function groupFeeds(
  exampleOf: ArrayLike<number>,
  hasHistory: readonly boolean[],
  stepExamples: number,
): Record<string, HostTensor> {
  const tokens = exampleOf.length;
  const counts = new Float64Array(hasHistory.length);
  for (let s = 0; s < tokens; s++) counts[exampleOf[s]!]!++;
  const membership = new Float32Array(hasHistory.length * tokens);
  const perToken = (value: (example: number) => number) => ({
    data: Float32Array.from({ length: tokens }, (_, s) => value(exampleOf[s]!)),
    shape: [tokens],
  });
  for (let s = 0; s < tokens; s++) membership[exampleOf[s]! * tokens + s] = 1;
  return {
    'groups.membership': { data: membership, shape: [hasHistory.length, tokens] },
    'groups.uniform': perToken((example) => 1 / counts[example]!),
    'groups.exampleShare': perToken(() => 1 / stepExamples),
    'groups.hasHistory': perToken((example) => (hasHistory[example] ? 1 : 0)),
  };
}
