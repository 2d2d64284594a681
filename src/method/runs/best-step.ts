/** @file The step with the least held-out loss, for runs that keep it: which it is so far, and how long ago it was. */

/** A step and its loss on the held-out rows. */
export interface BestStep {
  readonly step: number;
  /** Nats a response token. */
  readonly validationLoss: number;
}

/** The best step of all that were evaluated until now; what a checkpoint records of it. */
export interface BestSoFar extends BestStep {
  /** The step of the last evaluation. */
  readonly evaluatedAt: number;
  /** Evaluations since the best step. */
  readonly evaluationsSince: number;
}

/** The best step after one more evaluation: of equal losses the earlier one. An evaluation that is known already changes nothing. */
export function withEvaluation(best: BestSoFar | undefined, { step, validationLoss }: BestStep): BestSoFar {
  if (best !== undefined && step <= best.evaluatedAt) return best;
  if (best === undefined || validationLoss < best.validationLoss)
    return { step, validationLoss, evaluatedAt: step, evaluationsSince: 0 };
  return { ...best, evaluatedAt: step, evaluationsSince: best.evaluationsSince + 1 };
}

/** The best of the steps of a log that were evaluated; undefined where none was. */
export function bestOf(
  lines: readonly { readonly step: number; readonly validationLoss?: number }[],
): BestSoFar | undefined {
  return lines.reduce<BestSoFar | undefined>(
    (best, { step, validationLoss }) =>
      validationLoss === undefined ? best : withEvaluation(best, { step, validationLoss }),
    undefined,
  );
}

/** What a checkpoint says of the best step; undefined when it is not one that can be. */
export function parseBest(value: unknown): BestSoFar | undefined {
  const { step, validationLoss, evaluatedAt, evaluationsSince } = (value ?? {}) as Partial<BestSoFar>;
  return Number.isSafeInteger(step) &&
    typeof validationLoss === 'number' &&
    Number.isSafeInteger(evaluatedAt) &&
    Number.isSafeInteger(evaluationsSince)
    ? (value as BestSoFar)
    : undefined;
}
