/** @file The heat map as JSON: what `explain --json` prints, with the field names of the rows of `effects`. */
import type { Cause, HistoryItem } from '../data/example.ts';
import { type EffectMap, totalEffect } from './effect-map.ts';
import { redactEffectMaps } from './redact.ts';

/** One token; names and units as in the rows of `effects`. */
export interface EffectTokenJson {
  readonly position: number;
  readonly token: string;
  readonly start: number;
  readonly end: number;
  readonly logProbWithHistory: number;
  readonly logProbWithoutHistory: number;
  readonly effectProbability: number;
  readonly effectLogRatio: number;
  readonly effectDivergence: number;
  readonly effectPlacebo?: number;
  readonly effectUserSpecific?: number;
  readonly weight?: number;
  readonly cause?: Cause;
}

/** The document; `version` rises when a field changes its meaning. */
export interface EffectMapJson {
  readonly format: 'nextquill/effect-map';
  readonly version: 1;
  readonly title: string;
  readonly example: string;
  readonly user: string;
  readonly model: string;
  readonly query: string;
  readonly response: string;
  readonly history: readonly HistoryItem[];
  readonly meta: EffectMap['meta'];
  /** Nats. */
  readonly totalLogRatio: number;
  readonly tokens: readonly EffectTokenJson[];
}

/**
 * The map as a plain object for JSON.stringify, one entry for each token (nothing merged).
 * @param options.redact texts replaced by their lengths, names by numbers; default false
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
    meta: shown.meta,
    totalLogRatio: totalEffect(shown).total,
    tokens: shown.tokens.map(({ text, start, end, values, weight, cause, ...logProbs }, position) => ({
      position,
      token: text,
      start,
      end,
      logProbWithHistory: logProbs.logProbWithHistory,
      logProbWithoutHistory: logProbs.logProbWithoutHistory,
      effectProbability: values.probability,
      effectLogRatio: values.logRatio,
      effectDivergence: values.divergence,
      ...(values.placebo !== undefined && { effectPlacebo: values.placebo }),
      ...(values.userSpecific !== undefined && { effectUserSpecific: values.userSpecific }),
      ...(weight !== undefined && { weight }),
      ...(cause !== undefined && { cause }),
    })),
  };
}
