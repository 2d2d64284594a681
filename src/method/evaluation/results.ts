/** @file What was measured of the systems that are compared: plain numbers with intervals, before any words or pictures. */
import type { Estimate } from '../../base/statistics/estimate.ts';

/** Is the true user's history, among k, the one that makes the text likeliest? A share of texts, 0 to 1. */
export interface AuthorIdentification extends Estimate {
  /** Number of candidate histories; chance is 1/k. */
  readonly k: number;
  /** How the other candidates were chosen, such as `period`. */
  readonly matching: string;
}

/** One system on held-out users; negative log-likelihoods in nats per response token. */
export interface SystemResult {
  readonly name: string;
  readonly nllWithHistory: Estimate;
  readonly nllWithoutHistory: Estimate;
  readonly nllOtherHistory: Estimate;
  readonly authorIdentification?: AuthorIdentification;
}

/** What histories change, paired by user (method.md, section 4), nats per response token; above 0 the history helps. */
export interface NamedEffects {
  /** A: the user's own history against none. */
  readonly total: Estimate;
  /** B: other users' histories against none. */
  readonly generic: Estimate;
  /**
   * C = A − B: the user's own history against other users'. The own history is what the model is shown in use, all items that
   * fit, as in A. Others' are cut to one number of items, at most as many: where they have fewer, some of C may be due to
   * the number. A refutation cuts the own history to that number, too.
   */
  readonly userSpecific: Estimate;
}

/** {@link NamedEffects} of one system. */
export interface HistoryEffect extends NamedEffects {
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

/** How a measure is called and read. */
export interface MeasureDescription {
  readonly label: string;
  /** In a sentence: `the NLL with the user's history`. */
  readonly phrase: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
}

/** Every measure in the order of tables. */
export const measureDescriptions: Readonly<Record<Measure, MeasureDescription>> = {
  nllWithHistory: {
    label: 'NLL with history',
    phrase: 'the held-out NLL with the user’s history',
    unit: 'nats a token',
    better: 'lower',
  },
  nllWithoutHistory: {
    label: 'NLL without history',
    phrase: 'the held-out NLL without history',
    unit: 'nats a token',
    better: 'lower',
  },
  nllOtherHistory: {
    label: 'NLL with another user’s history',
    phrase: 'the held-out NLL with another user’s history',
    unit: 'nats a token',
    better: 'lower',
  },
  authorIdentification: {
    label: 'Author identification',
    phrase: 'author identification',
    unit: 'of texts',
    better: 'higher',
  },
  totalEffect: {
    label: 'History effect (A)',
    phrase: 'the effect of the user’s history (A)',
    unit: 'nats a token',
    better: 'higher',
  },
  userSpecificEffect: {
    label: 'User-specific effect (C)',
    phrase: 'the user-specific effect (C)',
    unit: 'nats a token',
    better: 'higher',
  },
};
