/** @file Measures of a model that a retrieval rule ranks by, taken before prompts are made. */
import type { ProgressListener } from '../../base/progress.ts';
import type { Example } from '../data/example.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import type { Retrieval } from '../retrieval/choose.ts';
import { withItemEffects } from './earlier-replies.ts';
import { withEmbeddings } from './embeddings.ts';
import { type GivenEmbedding, withGivenEmbeddings } from './given-embeddings.ts';
import type { ScoredModel } from './scored-model.ts';
import type { ScorerOptions } from './scorer.ts';

interface MeasureOptions extends Pick<ScorerOptions, 'threads' | 'signal' | 'tokensPerRun'> {
  readonly prompt: PromptSettings;
  readonly onProgress?: ProgressListener;
  /** What `dense` compares in place of the model's own hidden states. */
  readonly embeddings?:
    | { readonly source: string; readonly embeddings: readonly GivenEmbedding[] }
    | undefined;
}

const measures: Partial<Record<Retrieval, typeof withItemEffects>> = {
  effect: withItemEffects,
  dense: withEmbeddings,
};

/** Whether a rule ranks by something that the model has to measure. */
export const isMeasured = ({ retrieval = 'latest' }: PromptSettings): boolean =>
  measures[retrieval] !== undefined;

/**
 * The examples with whatever the rule of the prompt ranks by; the examples themselves where it needs nothing.
 * @throws {DataError} as {@link withGivenEmbeddings}
 */
export async function measuredFor(
  scored: ScoredModel,
  examples: readonly Example[],
  options: MeasureOptions,
): Promise<readonly Example[]> {
  const { embeddings } = options;
  if (options.prompt.retrieval === 'dense' && embeddings !== undefined)
    return withGivenEmbeddings(examples, embeddings.embeddings, embeddings.source);
  return (await measures[options.prompt.retrieval ?? 'latest']?.(scored, examples, options)) ?? examples;
}
