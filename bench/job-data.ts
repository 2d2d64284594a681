/** @file What bench/jobs.ts trains on and evaluates: simulated users, as prompts of the model that is measured. */
import type { Model } from '../src/engine/models/model.ts';
import { defaultPromptSettings, type PromptPair, promptPair } from '../src/method/prompts/pair.ts';
import { simulate } from '../src/method/simulation/simulate.ts';

/** A whole job. */
export interface JobSettings {
  readonly job: 'train' | 'evaluate';
  /** As `open` takes it. */
  readonly model: string;
  /** Users of a training step, or texts that are evaluated. */
  readonly users: number;
  readonly threads: number;
}

/** Training: eight targets a user, with one to eight earlier texts. Evaluation: one text a user, with three. */
export function jobExamples({ job, users }: Pick<JobSettings, 'job' | 'users'>) {
  const options = job === 'train' ? { examplesPerUser: 8, historyItems: 1 } : { historyItems: 3 };
  return simulate({ users, seed: 0, ...options });
}

/** The examples as prompts. */
export function jobPairs(settings: JobSettings, { tokenizer, config }: Model): PromptPair[] {
  const prompt = defaultPromptSettings(config.maxPositions);
  return jobExamples(settings).map((example) => promptPair(example, tokenizer, prompt));
}
