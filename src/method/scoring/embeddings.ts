/** @file Mean hidden states of queries and history items: what the retrieval `dense` compares. The response has no part in them. */
import { throwIfAborted } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { createPasses, openSession, parameterSource } from '../../engine/models/pass.ts';
import type { Example } from '../data/example.ts';
import { collate, passRows, type ScoredPrompt } from '../prompts/collate.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import { embeddedText } from './given-embeddings.ts';
import type { ScoredModel } from './scored-model.ts';
import type { ScorerOptions } from './scorer.ts';
import { separateRuns } from './scoring-groups.ts';

export interface EmbeddingOptions extends Pick<ScorerOptions, 'threads' | 'signal' | 'tokensPerRun'> {
  readonly prompt: Pick<PromptSettings, 'maxTokens'>;
  readonly onProgress?: ProgressListener;
}

/**
 * The examples, with `queryEmbedding` and with `embedding` on every item: the mean over its tokens of the model's last hidden state,
 * after the final norm, f32[D]. Texts are read by themselves, the first `maxTokens` tokens of them; an empty one has none.
 * Cost: one pass over each distinct text.
 */
export async function withEmbeddings(
  scored: ScoredModel,
  examples: readonly Example[],
  { prompt, threads, signal, tokensPerRun, onProgress }: EmbeddingOptions,
): Promise<Example[]> {
  const { model } = scored;
  const { tokenizer, config } = model;
  const distinct = new Set(
    examples.flatMap(({ query, history }) => [query.trim(), ...history.map(embeddedText)]),
  );
  const texts: { readonly text: string; readonly prompt: ScoredPrompt }[] = [];
  for (const text of distinct) {
    const ids = tokenizer.encode(text).ids.slice(0, prompt.maxTokens - 1);
    // The rows of a response are those before its tokens: with one token more at the end they are all of the text.
    if (ids.length > 0)
      texts.push({
        text,
        prompt: { promptIds: ids.slice(0, 1), responseIds: [...ids.slice(1), tokenizer.padId] },
      });
  }
  const { source, feeds } = parameterSource(scored, model);
  const passes = createPasses(model, source);
  const outputs = { hidden: passes.hidden('text', 'T') };
  await using session = await openSession(model, outputs, threads === undefined ? {} : { threads });
  const embeddings = new Map<string, Float32Array>();
  const prompts = texts.map((each) => each.prompt);
  for (const plan of separateRuns(prompts, model, tokensPerRun)) {
    throwIfAborted(signal);
    const group = plan.flatMap(({ places }) => places);
    const batch = collate(
      group.map((place) => prompts[place]!),
      { padId: tokenizer.padId, side: 'right' },
    );
    const run = await session.run({ ...feeds, ...passes.feeds(passRows({ text: batch })) });
    const hidden = run.hidden!.data as Float32Array; // f32[S, D]
    const width = config.hiddenSize;
    let row = 0;
    for (const place of group) {
      const count = prompts[place]!.responseIds.length;
      const sum = new Float32Array(width);
      for (const end = row + count; row < end; row++)
        for (let d = 0; d < width; d++) sum[d]! += hidden[row * width + d]! / count;
      embeddings.set(texts[place]!.text, sum);
    }
    onProgress?.({ stage: 'embeddings', done: embeddings.size, total: texts.length, unit: 'texts' });
  }
  const of = (text: string) => embeddings.get(text);
  return examples.map((example) => {
    const queryEmbedding = of(example.query.trim());
    return {
      ...example,
      ...(queryEmbedding && { queryEmbedding }),
      history: example.history.map((item) => {
        const embedding = of(embeddedText(item));
        return embedding === undefined ? item : { ...item, embedding };
      }),
    };
  });
}
