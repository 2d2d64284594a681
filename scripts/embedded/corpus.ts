/**
 * @file What the embedded model is trained on: simulated users and State of the Union passages, in the project's own
 * prompts with and without history. All texts of users are fitted, those in the history too: each but the first has
 * earlier ones to learn from.
 *
 * Never in it: simulated users of any other seed than PRETRAINING_SEED, and addresses outside the train split.
 */
import { randomStream } from '../../src/base/random.ts';
import type { Tokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import type { Example, HistoryItem } from '../../src/method/data/example.ts';
import { firstSentences } from '../../src/method/data/sentences.ts';
import { sotuQuery } from '../../src/method/data/sotu.ts';
import { type SotuPassage, sotuPassages } from '../../src/method/data/sotu-passages.ts';
import { type PromptPair, type PromptSettings, promptPair } from '../../src/method/prompts/pair.ts';
import { simulate } from '../../src/method/simulation/simulate.ts';

/** The quickstart and the tests use other seeds; `simulate` makes disjoint users of them. */
export const PRETRAINING_SEED = 20261123;

export const CONTEXT = 512;

export const promptSettings: PromptSettings = {
  template: 'default',
  reference: 'removed',
  maxTokens: CONTEXT,
  maxHistory: 4,
};

/** Simulated users by the number of their earlier reviews, and the share of prompts without any. */
const SIMULATED_EXAMPLES = 30_000;
const SHORT_EXAMPLES = 12_000;

/** Users of exercises, and the sentences that one exercise has before its last. */
const DRILL_USERS = 3000;
const DRILL_SENTENCES = 9;
/** Places of sentences that an exercise repeats: the second says most of a user's words. */
const DRILL_PLACES = [0, 1, 1, 2, -1, -2];
const WITHOUT_HISTORY = 0.2;

/** Words of an earlier passage that a prompt shows. */
const SOTU_ITEM_WORDS = 60;

/** All texts, for the tokenizer. */
export function corpusTexts(): string[] {
  return [...simulatedExamples(4000), ...sotuExamplesForTraining()].flatMap((example) => [
    example.query,
    example.response,
    ...example.history.flatMap((item) => [item.query, item.text]),
  ]);
}

/** Rows whose texts are fitted, the user's earlier ones as well as the last; what only the item decides is read, not fitted. */
export interface CorpusRows {
  /** Exercises: one sentence of each of a user's reviews, a dozen tokens apart, all of one kind. */
  readonly drills: readonly PromptPair[];
  /** Simulated users who never deviate, with one or two earlier reviews: what to look for is nearest and surest. */
  readonly short: readonly PromptPair[];
  /** Simulated users with two to four earlier reviews, and some without any. */
  readonly simulated: readonly PromptPair[];
  /** State of the Union passages with up to three earlier ones. */
  readonly speeches: readonly PromptPair[];
}

export function corpusRows(tokenizer: Tokenizer): CorpusRows {
  return {
    drills: fittedRows(drillExamples(), tokenizer, { ...promptSettings, maxHistory: DRILL_SENTENCES }),
    short: fittedRows(shortExamples(), tokenizer),
    simulated: fittedRows(simulatedExamples(SIMULATED_EXAMPLES), tokenizer),
    speeches: fittedRows(sotuExamplesForTraining(), tokenizer),
  };
}

export function fittedRows(
  examples: readonly Example[],
  tokenizer: Tokenizer,
  settings = promptSettings,
): PromptPair[] {
  return examples.map((example) => {
    const pair = promptPair(example, tokenizer, settings);
    const shown = pair.historyItemsUsed === 0 ? [] : example.history.slice(-pair.historyItemsUsed);
    return fittedTexts(
      pair,
      shown.map(({ text }) => tokenizer.encode(text).ids),
    );
  });
}

/** A pair whose "response" begins with the second token, of which earlier texts and the response itself are fitted. */
function fittedTexts(
  { withHistoryIds, responseIds }: PromptPair,
  texts: readonly (readonly number[])[],
): PromptPair {
  const ids = [...withHistoryIds, ...responseIds];
  const fitted = ids.map((_, i) => i >= withHistoryIds.length);
  let from = 0;
  for (const text of texts) {
    const at = placeOf(text, ids, from);
    fitted.fill(true, at, at + text.length);
    from = at + text.length;
  }
  return {
    withHistoryIds: ids.slice(0, 1),
    withoutHistoryIds: ids.slice(0, 1),
    responseIds: ids.slice(1),
    fitted: fitted.slice(1),
    responseStarts: [],
    responseEnds: [],
    historyItemsUsed: 0,
    hasHistory: false,
  };
}

/** Where `part` stands in `ids`, at or after `from`. */
function placeOf(part: readonly number[], ids: readonly number[], from: number): number {
  for (let at = from; at + part.length <= ids.length; at++)
    if (part.every((id, i) => ids[at + i] === id)) return at;
  throw new Error('a history text was tokenised otherwise inside its prompt');
}

function simulatedExamples(count: number): Example[] {
  const random = randomStream(PRETRAINING_SEED, 'embedded/simulated');
  const examples = simulate({ users: count, seed: PRETRAINING_SEED, historyItems: [2, 4] });
  return examples.map((example) => (random.next() < WITHOUT_HISTORY ? { ...example, history: [] } : example));
}

export function shortExamples(): Example[] {
  return simulate({
    users: SHORT_EXAMPLES,
    seed: PRETRAINING_SEED,
    startIndex: SIMULATED_EXAMPLES,
    historyItems: [1, 2],
    strength: 1,
    noise: 0,
  });
}

/**
 * A user who never deviates says sentence after sentence of one place in the review: the same words are open in each, so
 * that what an earlier one decides is seen at once, where whole reviews hide it among a hundred other tokens.
 */
export function drillExamples(): Example[] {
  const random = randomStream(PRETRAINING_SEED, 'embedded/drills');
  const reviews = simulate({
    users: DRILL_USERS,
    seed: PRETRAINING_SEED,
    startIndex: SIMULATED_EXAMPLES + SHORT_EXAMPLES,
    examplesPerUser: DRILL_SENTENCES + 1,
    historyItems: 0,
    strength: 1,
    noise: 0,
  });
  return Array.from({ length: DRILL_USERS }, (_, u) =>
    reviews.slice(u * (DRILL_SENTENCES + 1), (u + 1) * (DRILL_SENTENCES + 1)),
  ).flatMap((ofUser) => {
    const places = random.shuffle(DRILL_PLACES).slice(0, 3);
    return [...new Set(places)].map((place): Example => {
      const sentences = ofUser.map(({ response }) => response.split(/(?<=[.!?]) /).at(place)!);
      const last = ofUser.at(-1)!;
      return {
        ...last,
        id: `${last.id}/${place}`,
        response: sentences.at(-1)!,
        history: sentences
          .slice(0, -1)
          .map((text, i): HistoryItem => ({ id: ofUser[i]!.id, query: '', text })),
      };
    });
  });
}

/** Each train passage once as a response, with up to three passages of earlier addresses, or none. */
function sotuExamplesForTraining(): Example[] {
  const random = randomStream(PRETRAINING_SEED, 'embedded/sotu');
  const passages = sotuPassages().filter((passage) => passage.split === 'train');
  const byUser = new Map<string, SotuPassage[]>();
  for (const passage of passages) byUser.set(passage.user, [...(byUser.get(passage.user) ?? []), passage]);
  return passages.map((passage) => {
    const earlier = byUser.get(passage.user)!.filter((other) => other.year < passage.year);
    const items = random.next() < WITHOUT_HISTORY ? 0 : Math.min(earlier.length, 1 + random.integer(3));
    const history = random
      .shuffle(earlier)
      .slice(0, items)
      .sort((a, b) => a.year - b.year);
    return {
      id: passage.id,
      user: passage.user,
      query: sotuQuery(passage),
      response: passage.text,
      history: history.map(
        (item): HistoryItem => ({
          id: item.id,
          query: sotuQuery(item),
          text: firstSentences(item.text, SOTU_ITEM_WORDS),
        }),
      ),
    };
  });
}
