/**
 * @file Summaries of histories, written by the model itself: once for each history, however many texts ask for it. A prompt by the
 * template `summary` shows the summary in place of the items.
 */
import type { ProgressListener } from '../../base/progress.ts';
import type { Example } from '../data/example.ts';
import { type PromptSettings, promptsFor } from '../prompts/pair.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { generateAll } from './generate.ts';

/** The summary of one example's history; '' where it has none, or nothing was written. */
export interface HistorySummary {
  readonly text: string;
  /** Tokens of the prompt that asks for it. */
  readonly tokensRead: number;
  readonly tokensWritten: number;
}

export interface SummaryOptions {
  /** Its `maxTokens` hold for the prompt and the summary; the latest items that fit are read, however many. */
  readonly prompt: PromptSettings;
  readonly maxNewTokens: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
}

/**
 * A summary of each example's history, in their order: the likeliest token at every step. Equal histories are summarised once.
 * Nothing of the example's query and response is known to it.
 * Cost: one prompt and `maxNewTokens` steps for each distinct history.
 */
export async function summarise(
  scored: ScoredModel,
  examples: readonly Example[],
  { prompt, maxNewTokens, threads, signal, onProgress }: SummaryOptions,
): Promise<HistorySummary[]> {
  const distinct = new Map<string, Example>();
  const keys = examples.map((example) => {
    const key = JSON.stringify(example.history.map(({ query, text }) => [query, text]));
    if (!distinct.has(key) && example.history.length > 0) distinct.set(key, example);
    return key;
  });
  const candidates = [...distinct].map(([key, example]) => ({ key, example: { ...example, query: '' } }));
  const settings: PromptSettings = {
    ...{ template: 'summarise', reference: 'removed', retrieval: 'latest', maxTokens: prompt.maxTokens },
    maxHistory: Math.max(1, ...candidates.map(({ example }) => example.history.length)),
  };
  const room = { least: 1, most: maxNewTokens };
  // A history of which no item fits has nothing to be summarised by.
  const asked = candidates.flatMap(({ key, example }) => {
    const { hasHistory, withHistoryIds } = promptsFor(example, scored.model.tokenizer, settings, room);
    return hasHistory ? [{ key, example, tokensRead: withHistoryIds.length }] : [];
  });
  const texts = asked.map(() => '');
  const written = asked.map(() => 0);
  let done = 0;
  for await (const { example, text, finish } of generateAll(scored, asked, {
    ...{ prompt: settings, maxNewTokens, temperature: 0 },
    ...(threads !== undefined && { threads }),
    ...(signal && { signal }),
  })) {
    texts[example] += text;
    written[example]! += 1;
    if (finish === undefined) continue;
    done += 1;
    onProgress?.({ stage: 'summaries', done, total: asked.length, unit: 'histories' });
  }
  const byKey = new Map(
    asked.map(({ key, tokensRead }, i): [string, HistorySummary] => [
      key,
      { text: texts[i]!.trim(), tokensRead, tokensWritten: written[i]! },
    ]),
  );
  return keys.map((key) => byKey.get(key) ?? { text: '', tokensRead: 0, tokensWritten: 0 });
}

/** The examples, every item with the summary of its history. */
export const withSummaries = (
  examples: readonly Example[],
  summaries: readonly Pick<HistorySummary, 'text'>[],
): Example[] =>
  examples.map((example, i) => ({
    ...example,
    history: example.history.map((item) => ({ ...item, summary: summaries[i]!.text })),
  }));
