/**
 * @file Scores that were computed before: what a cache must keep, and a scorer that asks it first.
 *
 * An entry is found by the content of its token ids, in the book of one system: a model with its adapter, tokenizer,
 * prompt settings and objective. Holds users' texts as token ids only; who has the tokenizer can read them.
 */
import { WeightsError } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import type { ScoredPrompt } from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';
import type { PairEffects, Scorer } from './pair-effects.ts';

/** Whose scores a book holds. */
export interface CachedSystem {
  /** Of model, adapter and prompt settings; names the book. */
  readonly key: string;
  readonly tokenizerHash: string;
}

/** The scores of one prompt or pair, one number for each token. */
export interface CachedScores {
  /** The response's. */
  readonly tokenIds: readonly number[];
  readonly values: Readonly<Record<string, Float32Array>>;
}

/** Keeps books of scores; the app has one of Parquet files. */
export interface EffectCache {
  /** What was kept of a system, by key; empty where there is nothing or it is damaged, which the cache says aloud. */
  read(system: CachedSystem): Promise<ReadonlyMap<string, CachedScores>>;
  /** Adds entries to what is kept. */
  add(system: CachedSystem, entries: ReadonlyMap<string, CachedScores>): Promise<void>;
}

/** A scorer that computes only what its cache lacks, and keeps that when it is disposed of. */
export function cachedScorer(scorer: Scorer, cache: EffectCache, system: CachedSystem): Scorer {
  const added = new Map<string, CachedScores>();
  let book: Promise<ReadonlyMap<string, CachedScores>> | undefined;

  async function throughCache<T, S>(
    items: readonly T[],
    keyOf: (item: T) => string,
    idsOf: (item: T) => readonly number[],
    compute: (missing: readonly T[]) => Promise<S[]>,
    valuesOf: (scores: S) => Readonly<Record<string, Float32Array>>,
    scoresOf: (values: Readonly<Record<string, Float32Array>>) => S,
    onDone?: (done: number) => void,
  ): Promise<S[]> {
    book ??= cache.read(system);
    const known = await book;
    const keys = items.map(keyOf);
    const find = (key: string) => added.get(key) ?? known.get(key);
    const missing = items.filter((_, i) => find(keys[i]!) === undefined);
    const computed = missing.length === 0 ? [] : await compute(missing);
    for (const [m, item] of missing.entries())
      added.set(keyOf(item), { tokenIds: idsOf(item), values: valuesOf(computed[m]!) });
    onDone?.(items.length);
    return items.map((item, i) => {
      const entry = find(keys[i]!)!;
      checkTokens(entry.tokenIds, idsOf(item));
      return scoresOf(entry.values);
    });
  }

  const ids = ({ responseIds }: { readonly responseIds: readonly number[] }) => responseIds;
  return {
    logProbabilities: (prompts, onDone) =>
      throughCache<ScoredPrompt, Float32Array>(
        prompts,
        // Shifted labels are another result; without them the key is what it was.
        ({ promptIds, responseIds, targetIds }) =>
          sha256(canonicalJson(['prompt', promptIds, responseIds, ...(targetIds ? [targetIds] : [])])),
        ids,
        (missing) => scorer.logProbabilities(missing, onDone),
        (logProbability) => ({ logProbability }),
        ({ logProbability }) => logProbability!,
        onDone,
      ),
    effects: (pairs, onDone) =>
      throughCache<PromptPair, PairEffects>(
        pairs,
        ({ withHistoryIds, withoutHistoryIds, responseIds, hasHistory }) =>
          sha256(canonicalJson(['pair', withHistoryIds, withoutHistoryIds, responseIds, hasHistory])),
        ids,
        (missing) => scorer.effects(missing, onDone),
        (effects) => ({ ...effects }),
        (values) => values as unknown as PairEffects,
        onDone,
      ),
    [Symbol.asyncDispose]: async () => {
      await scorer[Symbol.asyncDispose]();
      if (added.size > 0) await cache.add(system, added);
    },
  };
}

/** @throws {WeightsError} when the ids that were scored are not the ids asked for */
function checkTokens(found: readonly number[], wanted: readonly number[]): void {
  const at = wanted.findIndex((id, t) => id !== found[t]);
  if (at < 0 && found.length === wanted.length) return;
  throw new WeightsError(
    `cached effects: token ${at < 0 ? wanted.length : at}: expected ${wanted[at] ?? 'the end'}, got ${found[at] ?? 'the end'}: they are of other tokens`,
    {
      code: 'cache/tokens',
      hint: 'Use the tokenizer that the effects were computed with, or remove the cache.',
    },
  );
}
