/** @file What a refutation found: plain numbers and verdicts, before any table or page. */
import type { Estimate } from '../../base/statistics/estimate.ts';
import type { Matching } from '../others/matching.ts';
import type { LeftOut } from '../prompts/left-out.ts';
import type { RemoteRecord } from '../scoring/remote-passes.ts';
import type { ProductsRecord } from '../scoring/scored-model.ts';
import type { Leaves, Reason, Verdict } from './refutation-test.ts';

/** One test and what came of it. */
export interface RefutationResult {
  /** Stable name, such as `placebo-history`. */
  readonly name: string;
  /** How much of C must be left; absent for tests whose effect must be above 0. */
  readonly leaves?: Leaves;
  /** Nats a response token; absent where too few users could be used for an interval. */
  readonly effect?: Estimate;
  /** The share of C that is left; absent for tests that take none, and where no C was shown. */
  readonly kept?: Estimate;
  readonly users: number;
  readonly examples: number;
  readonly verdict: Verdict;
  readonly reason: Reason;
}

/** What the suite found; effects in nats a response token, means over users. */
export interface Refutation extends ProductsRecord {
  /** A: the own history, cut to the items that C compares, against none. */
  readonly total: Estimate;
  /** C (effects/named-effects.ts) at equal doses: the own history against as many items of each other user. */
  readonly userSpecific: Estimate;
  /** Mean distance between the scores of one text with two other users' histories. */
  readonly strangers: number;
  readonly users: number;
  readonly examples: number;
  /** Examples that the suite says nothing about. */
  readonly leftOut: LeftOut;
  /** Tokens of prompt and response at most. */
  readonly maxTokens: number;
  /** Other users' histories for each example. */
  readonly others: number;
  /** The server that scored, where one did; tests that need whole predictions are then left out. */
  readonly remote?: RemoteRecord;
  readonly matching: Matching;
  readonly tests: readonly RefutationResult[];
  /** `fails` where one test fails; `cannot tell` where none does and one cannot tell. */
  readonly verdict: Verdict;
}
