/** @file Texts that a model writes for held-out queries, and what metrics say of them: the likeliest token at every step. */
import { groupBy } from '../../base/group-by.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { Model } from '../../engine/models/model.ts';
import type { Example } from '../data/example.ts';
import type { TextPair } from '../metrics/metric.ts';
import { type MetricsResult, metrics } from '../metrics/metrics.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import type { UserAdapters } from '../scoring/user-adapters.ts';
import { generateAll } from './generate.ts';
import { type WrittenAuthors, type WrittenAuthorsOptions, writtenAuthors } from './written-authors.ts';

/** Metrics of generated texts, beside each other: none of them decides alone. */
export const writtenMetrics = [
  'rouge1',
  'rougeL',
  'meteor',
  'bleu',
  'copied',
  'lengthDistance',
  'punctuationDistance',
  'functionWordDistance',
] as const;

export interface WrittenTexts {
  readonly texts: readonly { readonly example: string; readonly user: string; readonly text: string }[];
  readonly empty: number;
  readonly metrics: MetricsResult['values'];
  /** Where others' histories were compared; absent where none could be. */
  readonly authors?: WrittenAuthors;
}

export interface WriteTextsOptions {
  readonly prompt: PromptSettings;
  /** Whether the history is shown; true by default. */
  readonly history?: boolean;
  readonly maxNewTokens: number;
  readonly strength?: number;
  readonly contrast?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
  /** Whose histories the author of each text is identified among; not at all where absent. */
  readonly authors?: Pick<WrittenAuthorsOptions, 'pool' | 'others' | 'seed'> & {
    /** Who reads the texts: the model that writes, without adapter, by default. */
    readonly judge?: Model;
  };
  /** Of users on the model: each text is written by its user's own. */
  readonly adapters?: UserAdapters;
}

/** Writes for every example and measures what was written; copying is held back as `generate` does (engine/generate/copy-guard.ts). */
export async function writeTexts(
  scored: ScoredModel,
  examples: readonly Example[],
  {
    prompt,
    history: isShown = true,
    maxNewTokens,
    strength,
    contrast,
    authors,
    adapters,
    ...running
  }: WriteTextsOptions,
): Promise<WrittenTexts> {
  const { threads, signal, onProgress } = running;
  const texts = examples.map(() => '');
  const settings = {
    prompt,
    history: isShown,
    temperature: 0,
    maxNewTokens,
    ...(strength !== undefined && { strength }),
    ...(contrast !== undefined && { contrast }),
    ...(threads !== undefined && { threads }),
    ...(signal && { signal }),
  };
  let done = 0;
  for (const [user, places] of groupBy(examples.keys(), (place) => adapters && examples[place]!.user)) {
    const tensors = user === undefined ? undefined : await adapters?.adapterOf(user);
    const writer = tensors === undefined ? scored : { ...scored, adapter: { lora: adapters!.lora, tensors } };
    const requests = places.map((place) => ({ example: examples[place]! }));
    for await (const { example, text, finish } of generateAll(writer, requests, settings)) {
      texts[places[example]!] += text;
      if (finish === undefined) continue;
      done += 1;
      onProgress?.({ stage: 'writing', done, total: examples.length, unit: 'texts' });
    }
  }
  const pairs = examples.map(
    ({ id, user, response, history }, i): TextPair => ({
      id,
      user,
      prediction: texts[i]!,
      references: [response],
      history: history.map((item) => item.text),
    }),
  );
  const { values } = await metrics(pairs, { metrics: writtenMetrics, ...(signal && { signal }) });
  const identified =
    authors &&
    (await writtenAuthors(
      { model: authors.judge ?? scored.model },
      examples.map((example, i) => ({ example, text: texts[i]! })),
      { ...authors, ...running, prompt },
    ));
  return {
    texts: examples.map(({ id, user }, i) => ({ example: id, user, text: texts[i]! })),
    empty: texts.filter((text) => text.trim() === '').length,
    metrics: values,
    ...(identified && { authors: identified }),
  };
}
