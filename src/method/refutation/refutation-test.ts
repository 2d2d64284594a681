/** @file What a refutation test is: a control put in the place of something, and what must come of the effect. */

import type { Estimate } from '../../base/statistics/estimate.ts';
import { userSpecificEffect } from '../effects/named-effects.ts';
import type { ScoredPrompt } from '../prompts/collate.ts';
import type { Subject, SubjectPrompts } from './subjects.ts';

/** `cannot tell` is no failure: the interval holds both what is expected and what is not, or is not known. */
export type Verdict = 'passes' | 'fails' | 'cannot tell';

/** Prompts of one example, and the number that their scores give. */
export interface Control {
  readonly prompts: readonly ScoredPrompt[];
  /** From the mean log-probability of a response token under each prompt, nats. */
  effect(scores: readonly number[]): number;
}

/** What was measured by a test; nats a response token, means over users. */
export interface Measured {
  /** The effect under the control. */
  readonly effect: Estimate;
  /** `effect` over C of the same examples; absent where no C was shown that a share could be taken of. */
  readonly kept?: Estimate;
  /** Mean distance between the scores of one text with two other users' histories. */
  readonly strangers: number;
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly reason: Reason;
}

/** Why a verdict is what it is: a code, and the numbers that decided. */
export type Reason =
  /** Histories too short or too long for the test. */
  | { readonly code: 'no-example' }
  | { readonly code: 'few-users'; readonly users: number }
  /** No C was shown of which a share could be taken. */
  | { readonly code: 'no-effect' }
  /** The share of C that is left, and where it should lie; `from` may be −∞. */
  | { readonly code: 'share'; readonly kept: Estimate; readonly from: number; readonly to: number }
  /** How much likelier tokens are than their neighbours at the same place, nats. */
  | { readonly code: 'neighbours'; readonly effect: Estimate }
  /** C, and from where it would matter, nats a token. */
  | { readonly code: 'own-history'; readonly effect: Estimate; readonly wouldMatter: number }
  /** Whose history it is changes no score. */
  | { readonly code: 'history-unused' };

/** What a control must leave of the user-specific effect. */
export type Leaves = 'nothing' | 'part' | 'all';

/** One row of the suite. */
export interface RefutationTest {
  /** Stable name, such as `placebo-history`. */
  readonly name: string;
  /** How much of C must be left; absent for tests whose effect is not judged as a share of C but must be above 0. */
  readonly leaves?: Leaves;
  /** Scores tokens in the place of those that were written, which a server cannot. */
  readonly needsLogits?: true;
  /** Undefined for an example that the test cannot use, such as one whose history cannot be halved. */
  control(subject: Subject, prompts: SubjectPrompts): Control | undefined;
  /** The verdict over what was measured, with its reason. */
  judge(measured: Measured): Judgement;
}

/**
 * The control that scores one text with a history against other users' histories: C, with that history as the own one.
 * @returns undefined when one of the prompts does not fit or there is no other history
 */
export function contrast(
  own: ScoredPrompt | undefined,
  others: readonly (ScoredPrompt | undefined)[],
): Control | undefined {
  const fitting = others.filter((prompt) => prompt !== undefined);
  if (own === undefined || others.length === 0 || fitting.length < others.length) return undefined;
  return {
    prompts: [own, ...fitting],
    effect: ([first, ...rest]) => userSpecificEffect(first!, rest),
  };
}
