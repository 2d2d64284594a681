/**
 * @file Every distinct prompt is scored once: what it is known by, and what keeps its scores. The cache of effects
 * (effect-cache.ts) and the store of an audit (audit/score-store.ts) are two keepers.
 */
import { WeightsError } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import { promptOf, type ScoredPrompt } from '../prompts/collate.ts';
import type { PromptPair } from '../prompts/pair.ts';

/** Names a prompt with its response and, where labels are shifted, what is scored in place of it. */
export const promptKey = ({ promptIds, responseIds, targetIds }: ScoredPrompt): string =>
  sha256(canonicalJson(['prompt', promptIds, responseIds, ...(targetIds ? [targetIds] : [])]));

/** Names a pair of prompts with their response, and with what is copied where the pair says it: weights may depend on that. */
export const pairKey = (pair: PromptPair): string => {
  const { withHistoryIds, withoutHistoryIds, responseIds, hasHistory, copied } = pair;
  const ids = [withHistoryIds, withoutHistoryIds, responseIds, hasHistory];
  return sha256(canonicalJson(['pair', ...ids, ...(copied ? [copied] : [])]));
};

/** The log-probabilities of both prompts of a pair, so that none of them is scored again alone. */
export const promptsOfPair = (pair: PromptPair, values: Readonly<Record<string, Float32Array>>) =>
  [
    [promptKey(promptOf(pair)), { logProbability: values.logProbWithHistory! }],
    [promptKey(promptOf(pair, 'withoutHistoryIds')), { logProbability: values.logProbWithoutHistory! }],
  ] as const;

/** The scores of one prompt or pair, one number for each token. */
export interface KeptScores {
  /** The response's, where the keeper may hold them. */
  readonly tokenIds?: readonly number[];
  readonly values: Readonly<Record<string, Float32Array>>;
}

/** Keeps the scores of one system: a model with its adapter. */
export interface ScoreKeeper {
  /** What is kept under a key. */
  get(key: string): Promise<KeptScores | undefined>;
  /** Keeps what a run of the model gave; a keeper on disk has written it before the promise resolves. */
  put(entries: readonly (readonly [key: string, scores: Required<KeptScores>])[]): Promise<void>;
}

/** Keeps scores for as long as it is used: what several scorers of one model share within one piece of work. */
export function memoryKeeper(): ScoreKeeper {
  const known = new Map<string, KeptScores>();
  return {
    get: async (key) => known.get(key),
    put: async (entries) => {
      for (const [key, scores] of entries) known.set(key, scores);
    },
  };
}

/** Keepers that are asked in turn, and are all given what is new. */
export function keepersInTurn(keepers: readonly ScoreKeeper[]): ScoreKeeper {
  return {
    get: async (key) => {
      for (const keeper of keepers) {
        const kept = await keeper.get(key);
        if (kept !== undefined) return kept;
      }
      return undefined;
    },
    put: async (entries) => {
      for (const keeper of keepers) await keeper.put(entries);
    },
  };
}

/** What one run of a model gave: the scores of some items, by their places. */
export type ScoredRun = readonly (readonly [place: number, values: Readonly<Record<string, Float32Array>>])[];

/** How items of one kind are scored. */
export interface KeptScoring<T> {
  readonly keyOf: (item: T) => string;
  /**
   * Scores items run by run. The runs are made up of all items, so that what is known already does not move the others'
   * last digits; known ones are left out of them.
   */
  readonly compute: (items: readonly T[], isWanted: (place: number) => boolean) => AsyncIterable<ScoredRun>;
  /** What the scores of an item tell of other items, to be kept beside them: a pair tells of both of its prompts. */
  readonly toldOf?: (
    item: T,
    values: ScoreValues,
  ) => readonly (readonly [key: string, values: ScoreValues])[];
}

type ScoreValues = KeptScores['values'];

/**
 * The scores of items in their order: each distinct one from the keeper, or else computed and kept, run by run.
 * @param onDone told how many of `items` have their scores: at once of those that are known, then after each run
 * @throws {WeightsError} when what was kept is of other tokens
 */
export async function scoresThroughKeeper<T extends { readonly responseIds: readonly number[] }>(
  items: readonly T[],
  { keyOf, compute, toldOf = () => [] }: KeptScoring<T>,
  keeper: ScoreKeeper | undefined,
  onDone?: (done: number) => void,
): Promise<Readonly<Record<string, Float32Array>>[]> {
  const keys = items.map(keyOf);
  const times = new Map<string, number>();
  const distinct: { readonly key: string; readonly item: T }[] = [];
  for (const [i, key] of keys.entries()) {
    if (!times.has(key)) distinct.push({ key, item: items[i]! });
    times.set(key, (times.get(key) ?? 0) + 1);
  }
  const found = new Map<string, Readonly<Record<string, Float32Array>>>();
  let done = 0;
  const find = (key: string, values: Readonly<Record<string, Float32Array>>) => {
    found.set(key, values);
    done += times.get(key)!;
  };
  for (const { key, item } of distinct) {
    const kept = await keeper?.get(key);
    if (kept === undefined || isDamaged(kept, item.responseIds)) continue;
    checkTokens(kept, item.responseIds);
    find(key, kept.values);
  }
  if (done > 0) onDone?.(done);
  if (found.size < distinct.length) {
    const runs = compute(
      distinct.map(({ item }) => item),
      (place) => !found.has(distinct[place]!.key),
    );
    for await (const run of runs) {
      const entries = run.flatMap(([place, values]) => {
        const { key, item } = distinct[place]!;
        find(key, values);
        const told = [[key, values] as const, ...toldOf(item, values)];
        return told.map(([name, known]) => [name, { tokenIds: item.responseIds, values: known }] as const);
      });
      await keeper?.put(entries);
      onDone?.(done);
    }
  }
  return keys.map((key) => found.get(key)!);
}

/** Whether there is not one number for each token, which is computed again. */
const isDamaged = ({ tokenIds = [], values }: KeptScores, { length }: readonly number[]): boolean =>
  tokenIds.length === 0 && Object.values(values).some((each) => each.length !== length);

/** @throws {WeightsError} when the ids that were scored are not the ids asked for */
function checkTokens({ tokenIds: found }: KeptScores, wanted: readonly number[]): void {
  if (found === undefined) return;
  const at = wanted.findIndex((id, t) => id !== found[t]);
  if (at < 0 && found.length === wanted.length) return;
  throw new WeightsError(
    `kept scores: token ${at < 0 ? wanted.length : at}: expected ${wanted[at] ?? 'the end'}, got ${found[at] ?? 'the end'}: they are of other tokens`,
    {
      code: 'cache/tokens',
      hint: 'Use the tokenizer that the scores were computed with, or remove the cache.',
    },
  );
}
