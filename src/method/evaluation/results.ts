/** @file What was measured of the systems that are compared: plain numbers with intervals, before any words or pictures. */
import type { Estimate } from '../../base/statistics/estimate.ts';
import type { NamedEffects } from '../effects/named-effects.ts';
import type { Matching } from '../others/matching.ts';

/** Is the true user's history, among k, the one that makes the text likeliest? A share of texts, 0 to 1. */
export interface AuthorIdentification extends Estimate {
  /** Number of candidate histories, those of the others and the own one; chance is 1/k. */
  readonly k: number;
  /** How closely the other candidates are matched. */
  readonly matching: Matching;
}

/** One system on held-out users; negative log-likelihoods in nats per response token. */
export interface SystemResult {
  readonly name: string;
  readonly nllWithHistory: Estimate;
  readonly nllWithoutHistory: Estimate;
  readonly nllOtherHistory: Estimate;
  readonly authorIdentification?: AuthorIdentification;
}

/** {@link NamedEffects} of one system: means over users, nats per response token; above 0 the history helps. */
export interface HistoryEffect extends NamedEffects<Estimate> {
  readonly system: string;
}

/** What can be compared between two systems. */
export type Measure =
  | 'nllWithHistory'
  | 'nllWithoutHistory'
  | 'nllOtherHistory'
  | 'authorIdentification'
  | 'totalEffect'
  | 'userSpecificEffect';

/** `system` − `baseline` on the same examples, paired by user. */
export interface PairedDifference {
  readonly system: string;
  readonly baseline: string;
  readonly measure: Measure;
  readonly estimate: Estimate;
  /** Of the paired permutation test by user, two-sided; not corrected for the number of comparisons. */
  readonly pValue: number;
}

/** ROC AUC of the signed log ratio of a system against known causes (positives: user and both). */
export interface EffectAuc extends Estimate {
  readonly system: string;
}

/** The systems on one set of held-out users. */
export interface Evaluation {
  /** What the texts are, such as `Simulated users`. */
  readonly name: string;
  readonly users: number;
  readonly examples: number;
  readonly systems: readonly SystemResult[];
  readonly historyEffects?: readonly HistoryEffect[];
  readonly differences?: readonly PairedDifference[];
  /** Only for simulated text. */
  readonly effectAuc?: readonly EffectAuc[];
}

/** Every measure in the order of tables. */
export const measures: readonly Measure[] = [
  'nllWithHistory',
  'nllWithoutHistory',
  'nllOtherHistory',
  'authorIdentification',
  'totalEffect',
  'userSpecificEffect',
];
