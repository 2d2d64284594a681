/** @file How strong an effect must be for the strongest colour: one scale for all maps of a page, so that they compare. */
import { quantile } from '../../base/statistics/estimate.ts';
import { type EffectMap, type EffectName, effectKinds } from '../../method/explain/effect-map.ts';

/** The value with the strongest colour, by effect. */
export type EffectLimits = Readonly<Record<EffectName, number>>;

/** Below these a full scale would show noise as if it were an effect. */
const LEAST_LIMITS: EffectLimits = {
  logRatio: 1,
  probability: 0.1,
  divergence: 0.1,
  divergenceAtLeast: 0.1,
  userSpecific: 1,
  generic: 1,
};

/** Share of tokens within the scale; the rest has the strongest colour. */
const WITHIN = 0.98;

/**
 * The limits of a set of maps: the 98th percentile of |effect|, rounded up to a number that is easy to read.
 * Effects in log-ratio nats share one limit, so that their colours compare.
 */
export function effectLimits(maps: readonly Pick<EffectMap, 'tokens'>[]): EffectLimits {
  const tokens = maps.flatMap((map) => map.tokens);
  const limitOf = (name: EffectName) => {
    const sizes = tokens.map((token) => Math.abs(token.values[name] ?? 0)).filter(Number.isFinite);
    const size = sizes.length === 0 ? 0 : quantile(sizes, WITHIN);
    return Math.max(roundUp(size), LEAST_LIMITS[name]);
  };
  const names = Object.keys(effectKinds) as EffectName[];
  const limits = Object.fromEntries(names.map((name) => [name, limitOf(name)])) as Record<EffectName, number>;
  const nats = Math.max(limits.logRatio, limits.userSpecific, limits.generic);
  return { ...limits, logRatio: nats, userSpecific: nats, generic: nats };
}

/** The least of 1, 1.5, 2, 3, 4, 5, 6, 8 × 10ᵏ that is not below `size`; 0 for 0. */
function roundUp(size: number): number {
  if (size === 0) return 0;
  const power = 10 ** Math.floor(Math.log10(size));
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((candidate) => candidate * power >= size * (1 - 1e-9))!;
  return Number((step * power).toPrecision(2));
}
