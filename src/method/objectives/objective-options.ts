/** @file The numbers and switches that every objective takes: what each does, where its default comes from, and their checks. */
import { ConfigError } from '../../base/errors.ts';

/** Numbers of an objective. The paper's own values are not published; the first defaults are the reference code's. */
export interface ObjectiveOptions {
  /** δ: a token is preference-bearing when its probability rises by more; 0.05 by train.py:CustomTrainer3. */
  readonly effectThreshold?: number;
  /** λ: weight of preference-bearing tokens; 0.9. */
  readonly highWeight?: number;
  /** ε: weight of the others; 0.1. */
  readonly lowWeight?: number;
  /** α: factor of the loss on the logit difference; 0.1. */
  readonly effectWeight?: number;
  /** Share of the steps over which α grows from 0, linearly; 0. */
  readonly effectWarmup?: number;
  /** Whether gradients stop at z_∅ in the logit difference; false in the reference code. */
  readonly stopGradient?: boolean;
  /** Whether gradients flow through divergence weights, as in the reference code; false by default. */
  readonly weightGradient?: boolean;
  /** Weights ω = ½ + σ(slope · (log ratio − centre)) in place of the objective's own rule; false. */
  readonly softWeights?: boolean;
  /** 2, 1/nats. */
  readonly softSlope?: number;
  /** ½, nats. */
  readonly softCentre?: number;
  /** Effects that weights are made of: A, or C = A − B, what other users' histories do not do; `total`. */
  readonly weightsFrom?: WeightSource;
  /** Other users' histories that B is the mean of, with `weightsFrom` userSpecific; 3. */
  readonly placebos?: number;
  /** μ: share of plain, unweighted cross-entropy in the fit, 0 to 1; 0. */
  readonly plainWeight?: number;
  /** β: factor of the anchor, which holds the pass without history to the starting model; 0. */
  readonly anchorWeight?: number;
}

export type WeightSource = 'total' | 'userSpecific';

export const weightSources: readonly WeightSource[] = ['total', 'userSpecific'];

/** Every option with its default; the names that a command line may set. */
export const defaultObjectiveOptions: Required<ObjectiveOptions> = {
  effectThreshold: 0.05,
  highWeight: 0.9,
  lowWeight: 0.1,
  effectWeight: 0.1,
  effectWarmup: 0,
  stopGradient: false,
  weightGradient: false,
  softWeights: false,
  softSlope: 2,
  softCentre: 0.5,
  weightsFrom: 'total',
  placebos: 3,
  plainWeight: 0,
  anchorWeight: 0,
};

/** All numbers of an objective, defaults filled in; what a manifest records. */
export function resolveObjectiveOptions(options: ObjectiveOptions = {}): Required<ObjectiveOptions> {
  return { ...defaultObjectiveOptions, ...options };
}

/** What an option may be, for those that are numbers. */
const ranges: Readonly<Partial<Record<keyof ObjectiveOptions, readonly [number, number]>>> = {
  effectThreshold: [0, 1],
  highWeight: [0, Number.MAX_VALUE],
  lowWeight: [0, Number.MAX_VALUE],
  effectWeight: [0, Number.MAX_VALUE],
  effectWarmup: [0, 1],
  softSlope: [0, Number.MAX_VALUE],
  softCentre: [-Number.MAX_VALUE, Number.MAX_VALUE],
  placebos: [1, Number.MAX_SAFE_INTEGER],
  plainWeight: [0, 1],
  anchorWeight: [0, Number.MAX_VALUE],
};

/** @throws {ConfigError} for a number out of its range, and for weights that would all be 0 */
export function checkObjectiveOptions(options: Required<ObjectiveOptions>): void {
  const fail = (what: string, hint: string) =>
    new ConfigError(`objectiveOptions: ${what}`, { code: 'objective/option', hint });
  for (const [name, [low, high]] of Object.entries(ranges)) {
    const value = options[name as keyof ObjectiveOptions];
    const isWhole = name !== 'placebos' || Number.isInteger(value);
    if (typeof value === 'number' && value >= low && value <= high && isWhole) continue;
    const range = high <= 1 ? `from ${low} to ${high}` : low < 0 ? 'that is finite' : `of at least ${low}`;
    throw fail(
      `${name}: expected a ${name === 'placebos' ? 'whole ' : ''}number ${range}, got ${JSON.stringify(value)}`,
      `Set ${name} to a number ${range}.`,
    );
  }
  if (options.highWeight === 0 && options.lowWeight === 0)
    throw fail(
      'highWeight and lowWeight: expected one above 0, got 0 and 0',
      'Tokens of weight 0 teach nothing.',
    );
  if (!weightSources.includes(options.weightsFrom))
    throw fail(
      `weightsFrom: expected one of ${weightSources.join(', ')}, got ${JSON.stringify(options.weightsFrom)}`,
      'Choose total or userSpecific.',
    );
}
