/** @file Which of a user's texts are responses, and in which split: by time within the user, by user, or by both. */
import type { Split } from '../data/example.ts';
import { type SplitShares, splitOfUser } from '../data/splits.ts';

/** How responses are split. */
export type SplitRule = 'time' | 'user' | 'both' | 'none';

export const splitRules: readonly SplitRule[] = ['time', 'user', 'both', 'none'];

/** How many of a user's latest texts are responses of each split, where time decides. */
export interface TargetCounts {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}

/** The paper's: of the last ten texts eight train, one validates, one tests. */
export const paperTargets: TargetCounts = { train: 8, validation: 1, test: 1 };

export interface TargetOptions {
  readonly rule: SplitRule;
  readonly counts: TargetCounts;
  /** Draws users of `user` and `both`. */
  readonly seed: number;
  readonly shares: SplitShares;
}

/**
 * The splits of a user's possible responses, oldest first; undefined for one that is no response.
 * `time`: the latest are test, those before validation, those before train; a user of few responses keeps one to train
 * first, then one to test. `user`: all of the split of the user. `both`: of a user to train, the responses that time gives
 * to train; of a user to validate or test, those that time gives there.
 * @param responses how many of the user's texts could be responses
 */
export function splitsOfTargets(
  user: string,
  responses: number,
  { rule, counts, seed, shares }: TargetOptions,
): readonly (Split | 'other' | 'none' | undefined)[] {
  const wanted = counts.train + counts.validation + counts.test;
  const used = Math.min(responses, wanted);
  const unused = Array.from({ length: responses - used }, () => undefined);
  if (rule === 'none') return [...unused, ...Array.from({ length: used }, () => 'none' as const)];
  const ofUser = rule === 'time' ? undefined : splitOfUser(user, seed, shares);
  if (rule === 'user') return [...unused, ...Array.from({ length: used }, () => ofUser!)];
  const train = Math.min(counts.train, used);
  const spare = counts.train > 0 ? Math.max(0, used - 1) : used;
  const test = Math.min(counts.test, spare);
  const validation = Math.min(counts.validation, spare - test);
  const byTime = [
    ...Array.from({ length: Math.min(train, used - test - validation) }, () => 'train' as const),
    ...Array.from({ length: validation }, () => 'validation' as const),
    ...Array.from({ length: test }, () => 'test' as const),
  ];
  const gap = Array.from({ length: used - byTime.length }, () => undefined);
  return [
    ...unused,
    ...gap,
    ...byTime.map((split) => (ofUser === undefined || split === ofUser ? split : 'other')),
  ];
}
