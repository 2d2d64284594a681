/**
 * @file Causal preference effects of one response token, as expressions: defined here once, and run by training,
 * audits and explanations alike. arXiv 2506.02368, section on causal preference modelling; docs/paper-index.md.
 *
 * z_h = logits with history, z_∅ = logits without, both f32[S, V] at the same S response tokens y.
 */
import {
  add,
  constant,
  exp,
  lessEqual,
  log,
  logSoftmax,
  maximum,
  mul,
  reduceSum,
  selectedLogProbability,
  softmax,
  sub,
  tanh,
  where,
} from '../../engine/ops/operators.ts';
import { type Value, withScope } from '../../engine/ops/value.ts';

/** The two passes over the same response tokens. */
export interface LogitPair {
  /** z_h, f32[S, V]. */
  readonly withHistory: Value;
  /** z_∅, f32[S, V]. */
  readonly withoutHistory: Value;
  /** y, i64[S]. */
  readonly targets: Value;
}

/** The effects of every response token; each f32[S]. */
export interface TokenEffects {
  /** log p(y_t | x, h, y<t), nats. */
  readonly logProbWithHistory: Value;
  /** log p(y_t | x, ∅, y<t), nats. */
  readonly logProbWithoutHistory: Value;
  readonly probability: Value;
  readonly logRatio: Value;
  readonly divergence: Value;
}

/**
 * $$ \mathrm{MCE}_t = z_h - z_\varnothing $$ Model-side effect, Eq. (3), in logits.
 * @returns f32[S, V]
 * Gradient: into both passes.
 */
export function modelSideEffect({ withHistory, withoutHistory }: LogitPair): Value {
  return withScope('modelSideEffect', () => sub(withHistory, withoutHistory));
}

/**
 * $$ \mathrm{DCE}_t = p(y_t|x,h,y_{<t}) - p(y_t|x,\varnothing,y_{<t}) $$ Data-side effect, Eq. (5).
 * Changes its sign when the prompts are swapped. A rare personal word (1e-5 → 1e-2) hardly shows: see {@link logRatioEffect}.
 * @param withHistory log p with history, f32[S], nats
 * @param withoutHistory log p without, f32[S], nats
 * @returns f32[S], −1 … 1
 */
export function dataSideEffect(withHistory: Value, withoutHistory: Value): Value {
  return withScope('dataSideEffect', () => sub(exp(withHistory), exp(withoutHistory)));
}

/**
 * $$ \log p(y_t|x,h,y_{<t}) - \log p(y_t|x,\varnothing,y_{<t}) $$ Pointwise conditional cross-mutual information
 * (PerCE, arXiv 2603.06595). Changes its sign when the prompts are swapped.
 * @returns f32[S], nats
 */
export function logRatioEffect(withHistory: Value, withoutHistory: Value): Value {
  return withScope('logRatioEffect', () => sub(withHistory, withoutHistory));
}

/**
 * $$ \mathrm{KL}(p_h \| m) + \mathrm{KL}(p_\varnothing \| m),\; m = (p_h + p_\varnothing)/2 $$
 * Twice the Jensen–Shannon divergence; reference code train.py:CustomTrainer2 ("JS"). Symmetric in the prompts.
 * Computed as Σ m·g(d) with d = (p_h − p_∅)/(p_h + p_∅) and g(d) = (1+d) ln(1+d) + (1−d) ln(1−d): no term is negative,
 * so small divergences keep their digits in f32, where the textbook form is off by more than their size.
 * @returns f32[S], 0 … 2 ln 2 nats
 * Gradient: into both passes.
 */
export function divergenceEffect({ withHistory, withoutHistory }: LogitPair): Value {
  return withScope('divergenceEffect', () => {
    const mixture = mul(add(softmax(withHistory), softmax(withoutHistory)), 0.5);
    const contrast = tanh(mul(sub(logSoftmax(withHistory), logSoftmax(withoutHistory)), 0.5));
    return reduceSum(mul(mixture, twoSidedEntropy(contrast)), [-1]);
  });
}

/** g(d) = (1+d) ln(1+d) + (1−d) ln(1−d) = Σ d^2k / (k(2k−1)), even in d, 0 at 0. */
function twoSidedEntropy(contrast: Value): Value {
  const square = mul(contrast, contrast);
  const series = [5, 4, 3, 2].reduce<Value>(
    (sum, k) => add(mul(sum, square), 1 / (k * (2 * k - 1))),
    constant(1 / 66),
  );
  const near = mul(square, add(mul(series, square), 1));
  const side = (x: Value) => mul(x, log(maximum(x, TINY)));
  const far = add(side(add(contrast, 1)), side(sub(1, contrast)));
  return where(lessEqual(square, SERIES_LIMIT), near, far);
}

/** Below |d| = 0.3 the series is good to f32's last digit. */
const SERIES_LIMIT = 0.09;

/** The smallest normal f32: keeps 0 · ln 0 at 0 where a token is impossible under one prompt. */
const TINY = 1.1754944e-38;

/** All effects of a pair of passes. Cost: O(S·V) for the divergence, O(S) for the others beside the two softmaxes. */
export function tokenEffects(pair: LogitPair): TokenEffects {
  const logProbWithHistory = selectedLogProbability(pair.withHistory, pair.targets);
  const logProbWithoutHistory = selectedLogProbability(pair.withoutHistory, pair.targets);
  return {
    logProbWithHistory,
    logProbWithoutHistory,
    probability: dataSideEffect(logProbWithHistory, logProbWithoutHistory),
    logRatio: logRatioEffect(logProbWithHistory, logProbWithoutHistory),
    divergence: divergenceEffect(pair),
  };
}
