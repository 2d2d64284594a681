/**
 * @file What can be minimised: every objective is one row over the same parts, and loss.ts makes its loss of them
 * (docs/paper-index.md). A new objective is a new row.
 *
 * Letters: z_h and z_∅ are the logits with and without history, y the response, CE the cross-entropy in nats, a bar its mean
 * over the response tokens t, and ω̃_t = ω_t / Σ ω within an example. E_t is the effect of the history on token t.
 * μ is `plainWeight`, α `effectWeight`, β `anchorWeight`: every row takes them where they have an effect.
 */
import { ConfigError, nearestName } from '../../base/errors.ts';
import {
  type ObjectiveOptionName,
  type ObjectiveOptions,
  objectiveOptionTable,
} from './objective-options.ts';
import type { WeightRule } from './weight-rules.ts';

/** How a loss is put together. */
export interface ObjectiveRow {
  /** When to use it, in one line. */
  readonly describe: string;
  /** The pass that the text is fitted in. */
  readonly fit: 'withHistory' | 'withoutHistory';
  /** ω of the fit. */
  readonly rule: Exclude<WeightRule, 'soft'>;
  /** Weights of the loss on the logit difference: none, the mean over tokens, or ω̃. */
  readonly difference: 'none' | 'uniform' | 'weighted';
  /** Whether the own history is preferred to another user's (preference.ts): in place of the fit, or beside it. */
  readonly preference?: boolean;
}

export const objectiveTable = {
  /**
   * $$ \overline{\mathrm{CE}}(z_h, y) $$
   * The paper's ContextSFT. The baseline of every comparison: what the history gives without any objective on effects.
   */
  sft: {
    describe: 'plain fine-tuning with the history in the prompt; the baseline',
    fit: 'withHistory',
    rule: 'uniform',
    difference: 'none',
  },
  /**
   * $$ \overline{\mathrm{CE}}(z_\varnothing, y) $$
   * The paper's SFT. A control: what is learnt of the texts themselves, without a history to read.
   */
  'sft-no-history': {
    describe: 'plain fine-tuning without any history; a control',
    fit: 'withoutHistory',
    rule: 'uniform',
    difference: 'none',
  },
  /**
   * $$ \sum_t \tilde\omega_t\, \mathrm{CE}(z_h, y_t) + \alpha\, \overline{\mathrm{CE}}(z_h - z_\varnothing, y),
   *    \quad \omega_t = \lambda \text{ if } p_h(y_t) - p_\varnothing(y_t) > \delta \text{ else } \varepsilon $$
   * Reference code, train.py:CustomTrainer3: the difference term is not weighted, and its gradient flows into z_∅. Use it to
   * repeat the published code; a long training wins the difference term by ruining the pass without history.
   */
  'nextquill-code': {
    describe: 'the published code: threshold weights and an unweighted loss on the logit difference',
    fit: 'withHistory',
    rule: 'threshold',
    difference: 'uniform',
  },
  /**
   * $$ \sum_t \tilde\omega_t\, [\mathrm{CE}(z_h, y_t) + \alpha\, \mathrm{CE}(z_h - z_\varnothing, y_t)] $$
   * Eq. (4), (6)–(8) of arXiv 2506.02368: ω as in `nextquill-code`, on both terms. The paper's effects are those of a model that
   * was fine-tuned before: `estimator` fixed. Use it to repeat the paper's equations.
   */
  'nextquill-paper': {
    describe: 'the paper’s equations: threshold weights on the fit and on the logit difference',
    fit: 'withHistory',
    rule: 'threshold',
    difference: 'weighted',
  },
  /**
   * $$ \sum_t \tilde\omega_t\, \mathrm{CE}(z_h, y_t) $$
   * Reference code, train.py:CustomTrainer2 with causal=False and Target: ω as in `nextquill-code`. The paper's ablation "data
   * side only": what weights on tokens bring without the difference term.
   */
  'nextquill-data-side': {
    describe: 'an ablation: threshold weights alone, without a loss on the logit difference',
    fit: 'withHistory',
    rule: 'threshold',
    difference: 'none',
  },
  /**
   * $$ \overline{\mathrm{CE}}(z_h, y) + \alpha\, \overline{\mathrm{CE}}(z_h - z_\varnothing, y) $$
   * Reference code, train.py:CustomTrainer2 with causal=True, whose α is 0.01. The paper's ablation "model side only"; the
   * same as causal fine-tuning (`cft`).
   */
  'nextquill-model-side': {
    describe: 'an ablation: plain fine-tuning and an unweighted loss on the logit difference',
    fit: 'withHistory',
    rule: 'uniform',
    difference: 'uniform',
  },
  /**
   * $$ \sum_t \tilde\omega_t\, \mathrm{CE}(z_h, y_t), \quad
   *    \omega_t = \mathrm{KL}(p_h \| m) + \mathrm{KL}(p_\varnothing \| m),\; m = \tfrac12 (p_h + p_\varnothing) $$
   * Reference code, train.py:CustomTrainer2 with the divergence, where gradients flow through ω (`weightGradient`). The
   * divergence has no sign: tokens that the history makes less likely weigh as much.
   */
  'nextquill-js': {
    describe: 'weights by the divergence of both passes, whichever way the history moves them',
    fit: 'withHistory',
    rule: 'divergence',
    difference: 'none',
  },
  /**
   * $$ \sum_t \tilde\omega_t\, \mathrm{CE}(z_h, y_t), \quad
   *    \omega_t = \mathrm{clip}(\log p_h(y_t) - \log p_\varnothing(y_t),\, 0.8,\, 5) $$
   * PerCE, arXiv 2603.06595. The log ratio sees rare words, whose probability hardly moves.
   */
  perce: {
    describe: 'weights by the clipped log ratio (PerCE): rare personal words count',
    fit: 'withHistory',
    rule: 'clipped',
    difference: 'none',
  },
  /**
   * $$ \sum_t \tilde\omega_t\, \mathrm{CE}(z_h, y_t) + \alpha\, \overline{\mathrm{CE}}(z_h - z_\varnothing, y) $$
   * Both strategies of the paper with PerCE's weights. With `plausibility` and `differenceAt` the loss on the logit difference
   * ends where a history has no say, so that it need not harm the pass without history.
   */
  'perce-cft': {
    describe: 'perce, and beside it cft’s loss on the logit difference',
    fit: 'withHistory',
    rule: 'clipped',
    difference: 'uniform',
  },
  /**
   * $$ -\ln \sigma(\beta\, [m - m_0]) + \varphi\, \overline{\mathrm{CE}}(z_h, y), \quad
   *    m = \sum_t \log p(y_t|x,h,y_{<t}) - \log p(y_t|x,h_v,y_{<t}) $$
   * h_v is the history of another user, matched as for C, and m_0 the margin of the starting model (`startMargin` false: 0). After
   * MIPO (Mutual Information Preference Optimization, arXiv 2603.19294), which has DPO (arXiv 2305.18290) prefer what the model
   * writes from the own context to what it writes from another's. Here the text is the user's own and the histories differ, so
   * that the margin is C of the text, and nothing is generated.
   */
  mipo: {
    describe: 'prefers the own history to another user’s for the same text (DPO’s loss, after MIPO)',
    fit: 'withHistory',
    rule: 'uniform',
    difference: 'none',
    preference: true,
  },
} as const satisfies Readonly<Record<string, ObjectiveRow>>;

/** An objective as a manifest records it. */
export type ObjectiveName = keyof typeof objectiveTable;

interface Alias {
  readonly objective: ObjectiveName;
  /** Given options go before these. */
  readonly options: ObjectiveOptions;
  readonly describe: string;
}

/** Other names, each for an objective with some of its options. */
const objectiveAliases = {
  // Chosen by the rule in docs/log.md, written before the runs (docs/results.md, "The default objective"): the paper's first strategy
  // as calibration. Weights on tokens, its second, failed the rule in every form: they cost likelihood, harm users without a
  // history where names are in the texts, or teach to copy.
  nextquill: {
    objective: 'sft',
    options: { calibrationWeight: 0.3 },
    describe: 'the default: plain fine-tuning with the history, and effects calibrated',
  },
  cft: {
    objective: 'nextquill-model-side',
    options: {},
    describe: 'another name of nextquill-model-side (causal fine-tuning)',
  },
} as const satisfies Readonly<Record<string, Alias>>;

/** What a caller may name: an objective or an alias. */
export type ObjectiveChoice = ObjectiveName | keyof typeof objectiveAliases;

/** What is minimised where nothing is named. */
export const DEFAULT_OBJECTIVE = 'nextquill' satisfies ObjectiveChoice;

/** All names of objectives, aliases last. */
export const objectiveNames = [
  ...Object.keys(objectiveTable),
  ...Object.keys(objectiveAliases),
] as readonly ObjectiveChoice[];

/** When to use an objective, in one line. */
export const describeObjective = (name: ObjectiveChoice): string =>
  (name in objectiveTable ? objectiveTable[name as ObjectiveName] : aliasOf(name)!).describe;

/** What an option does and its default, in one line; the default objective may bring another value. */
export function describeObjectiveOption(name: ObjectiveOptionName): string {
  const { describe, default: value } = objectiveOptionTable[name];
  const brought = objectiveOf(DEFAULT_OBJECTIVE).options[name];
  return `${describe}; default ${value}${brought === undefined ? '' : ` (in ${DEFAULT_OBJECTIVE} ${brought})`}`;
}

const aliasOf = (name: string): Alias | undefined =>
  Object.hasOwn(objectiveAliases, name) ? objectiveAliases[name as keyof typeof objectiveAliases] : undefined;

/**
 * The objective that a name stands for, and the options that the name brings along.
 * @throws {ConfigError} with the nearest name when there is none
 */
export function objectiveOf(name: string): Omit<Alias, 'describe'> {
  const alias = aliasOf(name);
  if (alias !== undefined) return alias;
  if (typeof name === 'string' && Object.hasOwn(objectiveTable, name))
    return { objective: name as ObjectiveName, options: {} };
  const near = nearestName(String(name), objectiveNames);
  throw new ConfigError(
    `objective: expected one of ${objectiveNames.join(', ')}, got ${JSON.stringify(name)}`,
    {
      code: 'objective/unknown',
      hint: near === undefined ? 'Choose one of these names.' : `Did you mean ${near}?`,
    },
  );
}
