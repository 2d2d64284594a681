/**
 * @file The strength of a history that makes held-out texts likeliest: s of z_∅ + s (z_h − z_∅). s* above 1 says that the model makes too
 * little of histories, below 1 that it trusts them too much; s* − 1 is the room that an objective on effects has.
 */
import { type BootstrapOptions, bootstrapUsers } from '../../base/statistics/bootstrap.ts';
import { meanByUser, meansOfUsers } from '../../base/statistics/by-user.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';

/** The loss at one strength. */
export interface StrengthPoint {
  readonly strength: number;
  /** Mean over users, nats a token. */
  readonly nll: Estimate;
  /** That minus the loss at strength 1, paired by user. */
  readonly change: Estimate;
}

/** s*, with its interval by user. */
export interface BestStrength extends Estimate {
  /** Whether it is the first or the last strength tried, so that the least loss may lie beyond. */
  readonly isAtEnd: boolean;
}

export interface StrengthCurve {
  readonly curve: readonly StrengthPoint[];
  readonly best: BestStrength;
}

/** The loss of one text at every strength. */
export interface TextLosses {
  readonly user: string;
  /** Nats a token, in the order of the strengths. */
  readonly nll: readonly number[];
}

/**
 * The curve over users, and where it is least. A token's loss is convex in s (log Σ exp of what is linear in s), so that a mean has one
 * minimum; it is read between the strengths by the parabola through the least point and its neighbours.
 * @param strengths at least 3, ascending, 1 among them
 * @param texts at least one
 */
export function strengthCurve(
  strengths: readonly number[],
  texts: readonly TextLosses[],
  bootstrap: BootstrapOptions = {},
): StrengthCurve {
  const losses = strengths.map((_, s) => texts.map(({ user, nll }) => ({ user, value: nll[s]! })));
  const means = losses.map(meansOfUsers);
  const users = means[0]!.length;
  const strengthOf = (counts: Int32Array) =>
    leastOfConvex(
      strengths,
      means.map((ofUsers) => ofUsers.reduce((sum, value, u) => sum + counts[u]! * value, 0)),
    );
  const best = bootstrapUsers(users, strengthOf, bootstrap);
  const asIs = losses[strengths.indexOf(1)]!;
  const changes = losses.map((rows) =>
    rows.map(({ user, value }, i) => ({ user, value: value - asIs[i]!.value })),
  );
  return {
    curve: strengths.map((strength, s) => ({
      strength,
      nll: meanByUser(losses[s]!, bootstrap),
      change: meanByUser(changes[s]!, bootstrap),
    })),
    best: { ...best, isAtEnd: best.value === strengths[0] || best.value === strengths.at(-1) },
  };
}

/** Where a convex function is least that is known at some places: by the parabola through the least place and those beside it. */
export function leastOfConvex(places: readonly number[], values: readonly number[]): number {
  const at = values.indexOf(Math.min(...values));
  if (at === 0 || at === places.length - 1) return places[at]!;
  const [a, b, c] = places.slice(at - 1, at + 2) as [number, number, number];
  const [fa, fb, fc] = values.slice(at - 1, at + 2) as [number, number, number];
  const left = (b - a) * (fb - fc);
  const right = (b - c) * (fb - fa);
  // Equal values beside each other: the middle of the flat part.
  if (left === right) return b;
  return b - ((b - a) * left - (b - c) * right) / (2 * (left - right));
}
