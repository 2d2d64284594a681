/**
 * @file From the logits of one position to a token: penalty on repetitions, temperature, and the filters that keep the
 * likeliest tokens, in the order and with the ties of transformers' logits processors.
 */
import { ConfigError, EngineError } from '../../base/errors.ts';
import { likeliestFirst } from './likeliest-first.ts';

/** How a token is drawn. */
export interface SamplingOptions {
  /** 0 (default) takes the likeliest token. */
  readonly temperature?: number;
  /** Draws from this many likeliest tokens, and from what is as likely as the last of them; 0 (default) for all. */
  readonly topK?: number;
  /** Draws from the likeliest tokens that hold this share of the probability; 1 by default. */
  readonly topP?: number;
  /** Draws from tokens of at least this share of the likeliest one's probability; 0 by default. */
  readonly minP?: number;
  /**
   * Divides the positive logits of generated tokens, and multiplies the negative ones (arXiv 1909.05858); 1 (default)
   * changes nothing. Tokens of the prompt are not penalised: the user's own words are what is wanted.
   */
  readonly repetitionPenalty?: number;
}

/** The tokens that may be drawn, and the probability of each; they sum to 1. */
export interface Candidates {
  readonly ids: readonly number[];
  readonly probabilities: readonly number[];
}

/** @throws {ConfigError} for a number out of range */
export function checkSampling(options: SamplingOptions): void {
  const { temperature = 0, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 } = options;
  requireRange('temperature', temperature, 0, 100);
  requireRange('topK', topK, 0, Number.MAX_SAFE_INTEGER);
  if (!Number.isInteger(topK)) refuse('topK', 'a whole number', topK);
  requireRange('topP', topP, 0, 1);
  requireRange('minP', minP, 0, 1);
  requireRange('repetitionPenalty', repetitionPenalty, 0.01, 100);
}

/**
 * A token of `logits`, which are changed in place by the penalty.
 * @param logits f32[V]
 * @param generated the tokens so far, without the prompt
 * @param draw uniform in [0, 1); not looked at where temperature is 0
 * @throws {EngineError} when the logits are no numbers
 */
export function drawToken(
  logits: Float32Array,
  generated: Iterable<number>,
  options: SamplingOptions,
  draw: number,
): number {
  penaliseRepetitions(logits, generated, options.repetitionPenalty ?? 1);
  if ((options.temperature ?? 0) === 0) return likeliest(logits);
  const { ids, probabilities } = candidates(logits, options);
  let remaining = draw;
  for (let i = 0; i < ids.length; i++) {
    remaining -= probabilities[i]!;
    if (remaining < 0) return ids[i]!;
  }
  return ids.at(-1)!;
}

/** Penalises each token of `generated` once, however often it occurs. */
export function penaliseRepetitions(
  logits: Float32Array,
  generated: Iterable<number>,
  penalty: number,
): void {
  if (penalty === 1) return;
  for (const id of new Set(generated)) {
    const logit = logits[id]!;
    logits[id] = logit < 0 ? logit * penalty : logit / penalty;
  }
}

/**
 * The tokens that pass all filters, each applied to what the one before it left: temperature, top-k, top-p, min-p.
 * In the order of ids where no filter asks for the likeliest, likeliest first otherwise.
 * Cost: O(V), and O(log V) for each token that is kept by top-k or top-p.
 */
export function candidates(logits: Float32Array, options: SamplingOptions): Candidates {
  const { temperature = 0, topK = 0, topP = 1, minP = 0 } = options;
  const highest = logits[likeliest(logits)]!;
  const weightOf = (id: number) => Math.exp((logits[id]! - highest) / temperature);
  const ids: number[] = [];
  const weights: number[] = [];
  const keep = (id: number, weight: number) => {
    ids.push(id);
    weights.push(weight);
  };
  if (topK === 0 && topP === 1) {
    for (let id = 0; id < logits.length; id++) {
      const weight = weightOf(id);
      if (weight >= minP) keep(id, weight);
    }
  } else {
    const order = likeliestFirst(logits);
    const first = topK === 0 ? order : topOf(order, logits, topK);
    const total = Array.isArray(first) ? sum(first.map(weightOf)) : sumOf(logits, weightOf);
    let mass = 0;
    for (const id of first) {
      const weight = weightOf(id);
      if (ids.length > 0 && (mass >= topP * total || weight < minP)) break;
      keep(id, weight);
      mass += weight;
    }
  }
  const mass = sum(weights);
  return { ids, probabilities: weights.map((weight) => weight / mass) };
}

/** The first k ids of an order, and those as likely as the last of them. */
function topOf(order: Iterable<number>, logits: Float32Array, k: number): number[] {
  const ids: number[] = [];
  for (const id of order) {
    if (ids.length >= k && logits[id]! < logits[ids.at(-1)!]!) break;
    ids.push(id);
  }
  return ids;
}

/** The id of the highest logit, the first of equals. */
function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (logit > logits[best]!) best = id;
    else if (Number.isNaN(logit))
      throw new EngineError(`logits: expected numbers, got NaN at token ${id}`, {
        code: 'generate/nan',
        hint: 'Check the weights of the model and of the adapter.',
      });
  }
  return best;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

function sumOf(logits: Float32Array, weightOf: (id: number) => number): number {
  let total = 0;
  for (let id = 0; id < logits.length; id++) total += weightOf(id);
  return total;
}

function requireRange(name: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high)) refuse(name, `a number from ${low} to ${high}`, value);
}

function refuse(name: string, expected: string, value: number): never {
  throw new ConfigError(`${name}: expected ${expected}, got ${value}`, { code: 'config/range' });
}
