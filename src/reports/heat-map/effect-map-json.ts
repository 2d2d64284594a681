/** @file The heat map as JSON: what `explain --json` prints, with the field names of the rows of `effects`. */
import type { Cause } from '../../method/data/example.ts';
import { type EffectMap, effectOfResponse } from '../../method/explain/effect-map.ts';
import type { EffectRow } from '../../method/scoring/rows.ts';
import { redactEffectMaps } from './redact-maps.ts';

/** What a row has that a map says once, or not at all. */
type NotOfToken =
  | 'example'
  | 'user'
  | 'tokenId'
  | 'promptIdsWithHistory'
  | 'promptIdsWithoutHistory'
  | 'responseIds';

/** One token; names and units as in the rows of `effects`. */
export interface EffectTokenJson extends Omit<EffectRow, NotOfToken | 'weight'> {
  readonly weight?: EffectRow['weight'];
  readonly cause?: Cause;
  /** What each item of `history` adds at this token on average over random others, nats, in its order; where items were asked for. */
  readonly itemEffects?: readonly number[];
}

/** The document; `version` rises when a field changes its meaning. */
export interface EffectMapJson extends Omit<EffectMap, 'tokens'> {
  readonly format: 'nextquill/effect-map';
  readonly version: 1;
  /** Nats. */
  readonly totalLogRatio: number;
  readonly tokens: readonly EffectTokenJson[];
}

/**
 * The map as a plain object for JSON.stringify, one entry for each token (nothing merged).
 * @param options - `redact`: texts replaced by their lengths, names by numbers; default false
 */
export function effectMapJson(map: EffectMap, { redact = false }: { redact?: boolean } = {}): EffectMapJson {
  const shown = redact ? redactEffectMaps([map])[0]! : map;
  return {
    format: 'nextquill/effect-map',
    version: 1,
    title: shown.title,
    example: shown.example,
    user: shown.user,
    model: shown.model,
    query: shown.query,
    response: shown.response,
    history: shown.history,
    ...(shown.items && { items: shown.items }),
    meta: shown.meta,
    totalLogRatio: effectOfResponse(shown).total,
    tokens: shown.tokens.map(
      ({ text, start, end, values, weight, cause, itemEffects, ...logProbs }, position) => ({
        position,
        token: text,
        start,
        end,
        logProbWithHistory: logProbs.logProbWithHistory,
        logProbWithoutHistory: logProbs.logProbWithoutHistory,
        effectProbability: values.probability,
        effectLogRatio: values.logRatio,
        effectDivergence: values.divergence ?? Number.NaN,
        ...((values.divergenceAtLeast ?? values.divergence) === undefined
          ? { effectDivergenceAtLeast: Number.NaN }
          : values.divergenceAtLeast !== undefined && { effectDivergenceAtLeast: values.divergenceAtLeast }),
        ...(values.generic !== undefined && { effectPlacebo: values.generic }),
        ...(values.userSpecific !== undefined && { effectUserSpecific: values.userSpecific }),
        ...(weight !== undefined && { weight }),
        ...(cause !== undefined && { cause }),
        ...(itemEffects !== undefined && { itemEffects }),
      }),
    ),
  };
}
