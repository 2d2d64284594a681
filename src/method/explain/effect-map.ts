/** @file The heat map as data: the tokens of one response, what the history changes at each, and how they are shown as text. */

import { DataError } from '../../base/errors.ts';
import { largest } from '../../base/largest.ts';
import type { Cause, HistoryItem } from '../data/example.ts';
import { totalEffect } from '../effects/named-effects.ts';
import type { ItemEffect } from '../scoring/item-effects.ts';

/** Effects that can colour a token, each by its name: see effects/effects.ts and effects/named-effects.ts. */
export interface EffectValues {
  /** log p(y_t | x, h) − log p(y_t | x, ∅), nats. */
  readonly logRatio: number;
  /** p(y_t | x, h) − p(y_t | x, ∅), in −1 to 1. */
  readonly probability: number;
  /** Twice the Jensen–Shannon divergence of the two predictions, nats, 0 to 2 ln 2; absent where a server scored. */
  readonly divergence?: number;
  /** What the divergence is at least, where a server scored and gave the likeliest tokens; nats. */
  readonly divergenceAtLeast?: number;
  /** B: what other users' histories do as well, nats. */
  readonly generic?: number;
  /** C = A − B: what only this user's history does, nats. */
  readonly userSpecific?: number;
}

/** Names of the effects that a map can be coloured by. */
export type EffectName = keyof EffectValues;

/** How an effect is measured. */
export interface EffectKind {
  readonly unit: 'nats' | 'probability';
  /** False for the divergence and its bound, which have no sign. */
  readonly signed: boolean;
}

/** Every effect in the order of menus and tables. */
export const effectKinds: Readonly<Record<EffectName, EffectKind>> = {
  logRatio: { unit: 'nats', signed: true },
  probability: { unit: 'probability', signed: true },
  divergence: { unit: 'nats', signed: false },
  divergenceAtLeast: { unit: 'nats', signed: false },
  userSpecific: { unit: 'nats', signed: true },
  generic: { unit: 'nats', signed: true },
};

/** One token of the response. */
export interface EffectToken {
  readonly text: string;
  /** UTF-16 offsets in the response, end exclusive; the end-of-turn token has start = end = length. */
  readonly start: number;
  readonly end: number;
  readonly values: EffectValues;
  /** Known only for simulated text. */
  readonly cause?: Cause;
  /** What the token counts for in the objective's fit, its plain share included; sums to 1. */
  readonly weight?: number;
  /** Natural logarithms. */
  readonly logProbWithHistory: number;
  readonly logProbWithoutHistory: number;
  /** What each item of the history adds here, mean over random subsets of the other items: log p with the item minus without, nats. */
  readonly itemEffects?: readonly number[];
}

/** What one item of the history does to the whole response; its tokens are in {@link EffectToken.itemEffects}. */
export type EffectMapItem = Pick<ItemEffect, 'effect' | 'mean' | 'low' | 'high' | 'kind' | 'twin'>;

/** The heat map of one response. */
export interface EffectMap {
  readonly title: string;
  /** The example's id. */
  readonly example: string;
  readonly user: string;
  readonly query: string;
  readonly response: string;
  /** The items that the model saw, oldest first. */
  readonly history: readonly HistoryItem[];
  /** One for each item of `history`, in its order; absent where items were not asked for. */
  readonly items?: readonly EffectMapItem[];
  /** Which model (and adapter) gave the probabilities. */
  readonly model: string;
  /** In the order of the response; offsets never go backwards. */
  readonly tokens: readonly EffectToken[];
  /** Further facts to show, such as the reference value. */
  readonly meta: Readonly<Record<string, string | number | boolean>>;
}

/** A stretch of the response as shown: one token, several that share a character, or text that no token covers. */
export interface DisplayPiece {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Positions of its tokens; empty for text that no token covers. */
  readonly positions: readonly number[];
  /** The token, merged where there are several; absent for text that no token covers. */
  readonly token?: EffectToken;
  /** True for the end-of-turn token. */
  readonly isEnd: boolean;
}

/**
 * The response cut for display: the texts of the pieces, joined, are the response.
 * Tokens that hold parts of one character become one piece. By the chain rule their log-probabilities, log ratios, item
 * effects and weights add up; the probability difference is that of the joint probabilities; of the divergences the largest stands.
 * @throws {DataError} when offsets leave the response or go backwards
 */
export function displayPieces(map: Pick<EffectMap, 'tokens' | 'response'>): DisplayPiece[] {
  const { response, tokens } = map;
  const pieces: DisplayPiece[] = [];
  let covered = 0;
  for (let first = 0; first < tokens.length; ) {
    const { start } = tokens[first]!;
    let { end } = tokens[first]!;
    if (start < covered || end < start || end > response.length) throw badOffsets(first, start, end, map);
    let next = first + 1;
    while (next < tokens.length && tokens[next]!.start < end) {
      if (tokens[next]!.start < start) throw badOffsets(next, tokens[next]!.start, tokens[next]!.end, map);
      end = Math.max(end, tokens[next]!.end);
      next += 1;
    }
    if (end > response.length) throw badOffsets(next - 1, start, end, map);
    if (start > covered) {
      const text = response.slice(covered, start);
      pieces.push({ text, start: covered, end: start, positions: [], isEnd: false });
    }
    const text = response.slice(start, end);
    pieces.push({
      text,
      start,
      end,
      positions: Array.from({ length: next - first }, (_, i) => first + i),
      token: { ...mergeTokens(tokens.slice(first, next)), text, start, end },
      isEnd: start === end && start === response.length,
    });
    covered = end;
    first = next;
  }
  if (covered < response.length) {
    const text = response.slice(covered);
    pieces.push({ text, start: covered, end: response.length, positions: [], isEnd: false });
  }
  return pieces;
}

/** Which effects every token of every map has, in the order of {@link effectKinds}. */
export function effectNames(maps: readonly Pick<EffectMap, 'tokens'>[]): EffectName[] {
  const names = Object.keys(effectKinds) as EffectName[];
  return names.filter((name) =>
    maps.every((map) => map.tokens.every((token) => token.values[name] !== undefined)),
  );
}

/**
 * Log-likelihood of the response with the history minus without it.
 * @returns `total` in nats and `perToken`, its mean over the tokens, end of turn included (0 for no tokens)
 */
export function effectOfResponse(map: Pick<EffectMap, 'tokens'>): { total: number; perToken: number } {
  const total = map.tokens.reduce(
    (sum, token) => sum + totalEffect(token.logProbWithHistory, token.logProbWithoutHistory),
    0,
  );
  return { total, perToken: map.tokens.length === 0 ? 0 : total / map.tokens.length };
}

function mergeTokens(tokens: readonly EffectToken[]): EffectToken {
  const first = tokens[0]!;
  if (tokens.length === 1) return first;
  const sum = (of: (token: EffectToken) => number) => tokens.reduce((total, token) => total + of(token), 0);
  const every = (of: (token: EffectToken) => unknown) => tokens.every((token) => of(token) !== undefined);
  const withHistory = sum((token) => token.logProbWithHistory);
  const withoutHistory = sum((token) => token.logProbWithoutHistory);
  const cause = tokens.find((token) => token.cause !== undefined)?.cause;
  return {
    ...first,
    values: {
      logRatio: sum((token) => token.values.logRatio),
      probability: Math.exp(withHistory) - Math.exp(withoutHistory),
      ...(every((token) => token.values.divergence) && {
        divergence: largest(tokens.map((token) => token.values.divergence!)),
      }),
      ...(every((token) => token.values.divergenceAtLeast) && {
        divergenceAtLeast: largest(tokens.map((token) => token.values.divergenceAtLeast!)),
      }),
      ...(every((token) => token.values.generic) && { generic: sum((token) => token.values.generic!) }),
      ...(every((token) => token.values.userSpecific) && {
        userSpecific: sum((token) => token.values.userSpecific!),
      }),
    },
    ...(cause !== undefined && { cause }),
    ...(every((token) => token.weight) && { weight: sum((token) => token.weight!) }),
    logProbWithHistory: withHistory,
    logProbWithoutHistory: withoutHistory,
    ...(every((token) => token.itemEffects) && {
      itemEffects: first.itemEffects!.map((_, i) => sum((token) => token.itemEffects![i]!)),
    }),
  };
}

function badOffsets(position: number, start: number, end: number, map: { response: string }): DataError {
  return new DataError(
    `effect map: token ${position}: expected offsets in order within 0 to ${map.response.length}, got ${start} to ${end}`,
    { code: 'data/offsets', hint: 'Give UTF-16 offsets of the response, one token after the other.' },
  );
}
