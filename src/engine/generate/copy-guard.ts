/**
 * @file Holds a text back from copying: how long the run of tokens is that a next token would take from given sources,
 * and what that costs its logit.
 */
import { ConfigError } from '../../base/errors.ts';

/** How copying from a prompt's `sources` is held back. */
export interface CopyOptions {
  /**
   * Nats that a token's logit loses for each token of a copied run beyond the first {@link FREE_COPIED_TOKENS}: the tenth
   * loses six times as much. 0 (default) changes nothing.
   */
  readonly copyPenalty?: number | undefined;
  /** Tokens of a copied run at most: a token that would make it longer is not drawn. No limit by default. */
  readonly maxCopiedTokens?: number | undefined;
}

/** Tokens in a row that every text shares with others: fewer say nothing of copying. */
export const FREE_COPIED_TOKENS = 4;

/** The runs that a growing text shares with its sources. */
export interface CopyGuard {
  /** Lowers the logits of the tokens that would extend a copied run, in place. */
  apply(logits: Float32Array): void;
  /** The token that was drawn. */
  push(token: number): void;
}

/** @throws {ConfigError} for a number out of range */
export function checkCopyOptions({ copyPenalty = 0, maxCopiedTokens }: CopyOptions): void {
  if (!(copyPenalty >= 0 && copyPenalty <= 1000))
    throw new ConfigError(`copyPenalty: expected a number from 0 to 1000, got ${copyPenalty}`, {
      code: 'config/range',
    });
  if (maxCopiedTokens !== undefined && !(Number.isSafeInteger(maxCopiedTokens) && maxCopiedTokens >= 1))
    throw new ConfigError(`maxCopiedTokens: expected a whole number of at least 1, got ${maxCopiedTokens}`, {
      code: 'config/range',
    });
}

/**
 * A guard for one text.
 * @param sources token ids of the texts that may not be copied from
 * Cost: for each token the places where the run so far stands in the sources.
 */
export function copyGuard(sources: readonly (readonly number[])[], options: CopyOptions): CopyGuard {
  const { copyPenalty = 0, maxCopiedTokens = Number.POSITIVE_INFINITY } = options;
  const places = placesByToken(sources);
  /** Places in the sources right after a run that the text ends with, and how long the longest such run is. */
  let runs = new Map<Place, number>();
  return {
    apply: (logits) => {
      if (copyPenalty === 0 && maxCopiedTokens === Number.POSITIVE_INFINITY) return;
      const longest = new Map<number, number>();
      for (const [place, length] of runs) {
        const token = sources[place.source]![place.at];
        if (token !== undefined) longest.set(token, Math.max(length + 1, longest.get(token) ?? 0));
      }
      for (const [token, length] of longest) {
        if (length > maxCopiedTokens) logits[token] = Number.NEGATIVE_INFINITY;
        else logits[token]! -= copyPenalty * Math.max(0, length - FREE_COPIED_TOKENS);
      }
    },
    push: (token) => {
      const next = new Map<Place, number>();
      for (const place of places.get(token) ?? []) next.set(place.next!, (runs.get(place) ?? 0) + 1);
      runs = next;
    },
  };
}

/** A token of a source; the places of one source are chained, so that a run is followed without a search. */
interface Place {
  readonly source: number;
  readonly at: number;
  /** The place after it; undefined behind the last token. */
  readonly next: Place | undefined;
}

/** Where each token stands in the sources. */
function placesByToken(sources: readonly (readonly number[])[]): Map<number, Place[]> {
  const places = new Map<number, Place[]>();
  for (const [source, tokens] of sources.entries()) {
    // No token stands behind the last one, so that no run leads further from there.
    let next: Place = { source, at: tokens.length, next: undefined };
    for (let at = tokens.length - 1; at >= 0; at--) {
      next = { source, at, next };
      const token = tokens[at]!;
      const known = places.get(token);
      if (known === undefined) places.set(token, [next]);
      else known.push(next);
    }
  }
  return places;
}
