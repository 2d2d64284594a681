/**
 * @file What the embedded model is trained on: simulated users and State of the Union passages, in the project's own
 * prompts with and without history. Every token after the first is fitted, so that histories teach language too.
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
const SIMULATED_EXAMPLES = 14_000;
const WITHOUT_HISTORY = 0.2;
const SHORT_EXAMPLES = 16_000;

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

/** Rows of plain language modelling, whole prompts with their responses. */
export interface CorpusRows {
  /** Simulated users who never deviate, with one earlier review: where what to look for is nearest and surest. */
  readonly short: readonly PromptPair[];
  readonly simulated: readonly PromptPair[];
  readonly all: readonly PromptPair[];
  /** All simulated ones and every fourth passage. */
  readonly mostlySimulated: readonly PromptPair[];
  /** Half of the simulated ones, some short ones, and all passages. */
  readonly balanced: readonly PromptPair[];
}

export function corpusRows(tokenizer: Tokenizer): CorpusRows {
  const rows = (examples: readonly Example[]) =>
    examples.map((example) => {
      const { withHistoryIds, responseIds } = promptPair(example, tokenizer, promptSettings);
      return fittedWhole([...withHistoryIds, ...responseIds]);
    });
  const simulated = rows(simulatedExamples(SIMULATED_EXAMPLES));
  const speeches = rows(sotuExamplesForTraining());
  const sure = simulate({
    users: SHORT_EXAMPLES,
    seed: PRETRAINING_SEED,
    startIndex: SIMULATED_EXAMPLES,
    historyItems: 1,
    strength: 1,
    noise: 0,
  });
  const short = rows(sure);
  return {
    short,
    simulated,
    all: [...simulated, ...speeches],
    mostlySimulated: [...simulated, ...speeches.filter((_, i) => i % 4 === 0)],
    balanced: [...simulated.slice(SIMULATED_EXAMPLES / 2), ...short.slice(-6000), ...speeches],
  };
}

/** A pair whose "response" is everything after the first token. */
function fittedWhole([first, ...rest]: readonly number[]): PromptPair {
  return {
    withHistoryIds: [first!],
    withoutHistoryIds: [first!],
    responseIds: rest,
    responseStarts: [],
    responseEnds: [],
    historyItemsUsed: 0,
    hasHistory: false,
  };
}

function simulatedExamples(count: number): Example[] {
  const random = randomStream(PRETRAINING_SEED, 'embedded/simulated');
  const examples = simulate({ users: count, seed: PRETRAINING_SEED, historyItems: [2, 4] });
  return examples.map((example) => (random.next() < WITHOUT_HISTORY ? { ...example, history: [] } : example));
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
