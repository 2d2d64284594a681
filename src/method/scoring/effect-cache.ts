/**
 * @file Scores that were computed before, in books: what a cache must keep, and a book as a keeper of scores.
 *
 * An entry is found by the content of its token ids, in the book of one system: a model with its adapter, tokenizer,
 * prompt settings and objective. Holds users' texts as token ids only; who has the tokenizer can read them.
 */
import type { KeptScores, ScoreKeeper } from './score-keeper.ts';

/** Whose scores a book holds. */
export interface CachedSystem {
  /** Of model, adapter and prompt settings; names the book. */
  readonly key: string;
  readonly tokenizerHash: string;
}

/** The scores of one prompt or pair, with the response's tokens. */
export type CachedScores = Required<KeptScores>;

/** Keeps books of scores; the app has one of Parquet files. */
export interface EffectCache {
  /** What was kept of a system, by key; empty where there is nothing or it is damaged, which the cache says aloud. */
  read(system: CachedSystem): Promise<ReadonlyMap<string, CachedScores>>;
  /** Adds entries to what is kept. */
  add(system: CachedSystem, entries: ReadonlyMap<string, CachedScores>): Promise<void>;
}

/** The book of a system as a keeper: read when it is first asked, and added to when it is disposed of. */
export function bookKeeper(cache: EffectCache, system: CachedSystem): ScoreKeeper & AsyncDisposable {
  const added = new Map<string, CachedScores>();
  let book: Promise<ReadonlyMap<string, CachedScores>> | undefined;
  return {
    get: async (key) => {
      book ??= cache.read(system);
      return added.get(key) ?? (await book).get(key);
    },
    put: async (entries) => {
      for (const [key, scores] of entries) added.set(key, scores);
    },
    [Symbol.asyncDispose]: async () => {
      if (added.size > 0) await cache.add(system, added);
    },
  };
}
