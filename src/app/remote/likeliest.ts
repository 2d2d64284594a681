/** @file The likeliest tokens that a server lists beside a token, held to what they must be: a list that is not is none. */
import { smallest } from '../../base/largest.ts';
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { KnownTokens } from '../../method/effects/divergence-bound.ts';

/** Log-probabilities above 0 by rounding. */
const ROUNDING = 1e-3;

/** Whether a server's number is a log-probability. */
export const isLogProbability = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value <= ROUNDING;

/** What a server gave in one place; an id is none where its text is that of several tokens. */
type Listed = readonly (readonly [id: unknown, logProb: unknown])[];

/**
 * The likeliest tokens in the place of each written one, where they are asked for.
 * @param values log p of `ids`
 * @param least how many a list must have; 0 where none was asked for
 * @param listed what the server gave in the place of `ids[t]`
 */
export function likeliestOf(
  ids: readonly number[],
  values: readonly number[],
  least: number,
  listed: (t: number) => Listed,
): { readonly likeliest?: readonly (KnownTokens | undefined)[] } {
  if (least === 0) return {};
  return { likeliest: ids.map((id, t) => knownTokens(listed(t), least, { id, value: values[t]! })) };
}

/**
 * A list as numbers by token; undefined for one that is shorter than asked for or holds what is no log-probability, and for one of
 * another place: there the written token would be missing from the likeliest ones, or have another number.
 */
function knownTokens(
  listed: Listed,
  least: number,
  written: { readonly id: number; readonly value: number },
): KnownTokens | undefined {
  const logProbs = listed.map(([, logProb]) => logProb);
  if (logProbs.length < least || !logProbs.every(isLogProbability)) return undefined;
  const known = new Map(
    listed.flatMap(([id, logProb]) => (Number.isInteger(id) ? [[id as number, logProb as number]] : [])),
  );
  const own = known.get(written.id);
  const isOfPlace =
    own === undefined
      ? written.value <= smallest(logProbs as number[]) + ROUNDING
      : Math.abs(own - written.value) <= ROUNDING;
  return isOfPlace ? known : undefined;
}

/** Whether a server spells tokens as our tokenizer does, spaces and all; special ones and parts of characters have no one spelling. */
export function spellsAlike(
  texts: readonly unknown[],
  ids: readonly number[],
  tokenizer: Tokenizer,
): boolean {
  const plain = ids.flatMap((id, t) => {
    const own = tokenizer.tokenText(id);
    return t === 0 || tokenizer.isSpecial(id) || own.includes('\uFFFD') ? [] : [{ own, found: texts[t] }];
  });
  return plain.every(({ own, found }) => own === found) && plain.some(({ own }) => /^\s./.test(own));
}

const textsOf = new WeakMap<Tokenizer, ReadonlyMap<string, number>>();

/** The tokens that are known by their texts: each is that of one token alone, and no special one's. */
export function idsByText(tokenizer: Tokenizer): ReadonlyMap<string, number> {
  const known = textsOf.get(tokenizer);
  if (known !== undefined) return known;
  const found = new Map<string, number>();
  const several = new Set<string>(['']);
  for (let id = 0; id < tokenizer.vocabularySize; id++) {
    const text = tokenizer.tokenText(id);
    if (found.has(text) || tokenizer.isSpecial(id) || text.includes('\uFFFD')) several.add(text);
    else found.set(text, id);
  }
  for (const text of several) found.delete(text);
  textsOf.set(tokenizer, found);
  return found;
}
