/**
 * @file What each item of a history did for the replies that its user wrote after it: the numbers that the retrieval `effect`
 * ranks by. The text to be predicted has no part in them: replies are items of the history themselves.
 */
import { throwIfAborted } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Example, HistoryItem } from '../data/example.ts';
import { totalEffect } from '../effects/named-effects.ts';
import { promptOf, type ScoredPrompt } from '../prompts/collate.ts';
import { type PromptSettings, promptPair } from '../prompts/pair.ts';
import type { ScoredModel } from './scored-model.ts';
import { createScorer, type ScorerOptions } from './scorer.ts';

export interface EarlierRepliesOptions extends Omit<ScorerOptions, 'objective' | 'objectiveOptions'> {
  readonly prompt: PromptSettings;
  /** Latest replies of each history that items are tried on; 3 by default. */
  readonly replies?: number;
  readonly onProgress?: ProgressListener;
}

/** A prompt that shows one item, or none, before an earlier reply. */
interface Trial {
  readonly reply: number;
  /** Place of the item; absent for the prompt without history. */
  readonly item?: number;
  readonly prompt: ScoredPrompt;
}

/**
 * The examples, with `effect` on every item of their histories that a later reply follows: the mean over the latest replies r of
 * s_r(item) − s_r(∅), where s_r is the mean log-probability of a token of the reply with that item alone in its prompt.
 * A prompt that does not fit is left out.
 * Cost: for R replies at most R passes an item, and R more an example.
 */
export async function withItemEffects(
  scored: ScoredModel,
  examples: readonly Example[],
  options: EarlierRepliesOptions,
): Promise<Example[]> {
  const { prompt, replies = 3, onProgress, signal } = options;
  const { tokenizer } = scored.model;
  const settings: PromptSettings = { ...prompt, reference: 'removed', retrieval: 'latest', maxHistory: 1 };
  const pairOf = (reply: HistoryItem, history: readonly HistoryItem[]) =>
    promptPair(
      { id: reply.id, user: '', query: reply.query, response: reply.text, history },
      tokenizer,
      settings,
    );
  await using scorer = createScorer(scored, options);
  const measured: Example[] = [];
  for (const example of examples) {
    throwIfAborted(signal);
    const { history } = example;
    const trials: Trial[] = [];
    for (let reply = Math.max(1, history.length - replies); reply < history.length; reply++) {
      const text = history[reply]!;
      if (text.text.trim() === '' || tokenizer.encode(text.text).ids.length + 1 > prompt.maxTokens / 2)
        continue;
      for (let item = 0; item < reply; item++) {
        const pair = pairOf(text, [history[item]!]);
        if (!pair.hasHistory) continue;
        if (trials.at(-1)?.reply !== reply)
          trials.push({ reply, prompt: promptOf(pair, 'withoutHistoryIds') });
        trials.push({ reply, item, prompt: promptOf(pair) });
      }
    }
    const scores = (await scorer.logProbabilities(trials.map((trial) => trial.prompt))).map((values) =>
      mean(values),
    );
    const bare = new Map(
      trials.flatMap(({ reply, item }, t) => (item === undefined ? [[reply, scores[t]!]] : [])),
    );
    const effects = history.map((_, place) =>
      trials.flatMap(({ reply, item }, t) =>
        item === place ? [totalEffect(scores[t]!, bare.get(reply)!)] : [],
      ),
    );
    measured.push({
      ...example,
      history: history.map((item, place) =>
        effects[place]!.length === 0 ? item : { ...item, effect: mean(effects[place]!) },
      ),
    });
    onProgress?.({
      stage: 'effects of items',
      done: measured.length,
      total: examples.length,
      unit: 'examples',
    });
  }
  return measured;
}
