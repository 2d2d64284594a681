/** @file A model with an adapter for each user: one compiled session scores them all, fed one user's adapter after the other. */
import { groupBy } from '../../base/group-by.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { Adapter } from '../../engine/lora/adapter.ts';
import type { Model } from '../../engine/models/model.ts';
import type { LoraOptions } from '../../engine/models/parameters.ts';
import type { ScoredPrompt } from '../prompts/collate.ts';
import { createScorer, type ScorerOptions } from './scorer.ts';

/** Adapters of one shape, by user. */
export interface UserAdapters {
  readonly lora: LoraOptions;
  /** The tensors of a user's adapter; undefined for a user who has none. */
  adapterOf(user: string): Promise<Adapter['tensors'] | undefined>;
}

/** A prompt with the user whose adapter reads it: the model alone where absent, and for a user who has none. */
export interface ReadPrompt {
  readonly prompt: ScoredPrompt;
  readonly reader?: string;
}

/**
 * Log-probabilities of the response tokens, each prompt read by its reader's adapter; in the order of the prompts.
 * Cost: two compilations whatever the number of users, and one pass a prompt; the memory of one adapter.
 */
export async function logProbabilitiesByReader(
  model: Model,
  { lora, adapterOf }: UserAdapters,
  prompts: readonly ReadPrompt[],
  {
    onProgress,
    ...options
  }: Pick<ScorerOptions, 'threads' | 'signal'> & { readonly onProgress?: ProgressListener } = {},
): Promise<Float32Array[]> {
  const fed: Record<string, Adapter['tensors'][string]> = {};
  await using bare = createScorer({ model }, options);
  await using adapted = createScorer({ model, adapter: { lora, tensors: fed } }, options);
  const scores: Float32Array[] = [];
  let done = 0;
  for (const [reader, places] of groupBy(prompts.keys(), (place) => prompts[place]!.reader)) {
    const tensors = reader === undefined ? undefined : await adapterOf(reader);
    // The session reads what it is fed at every run.
    if (tensors !== undefined) Object.assign(fed, tensors);
    const scorer = tensors === undefined ? bare : adapted;
    const own = await scorer.logProbabilities(places.map((place) => prompts[place]!.prompt));
    for (const [i, place] of places.entries()) scores[place] = own[i]!;
    done += places.length;
    onProgress?.({ stage: 'scoring', done, total: prompts.length, unit: 'prompts' });
  }
  return scores;
}
