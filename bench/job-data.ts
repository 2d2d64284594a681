/** @file What bench/jobs.ts trains on and evaluates: simulated users, as prompts of the model that is measured. */
import type { Model } from '../src/engine/models/model.ts';
import type { Example } from '../src/method/data/example.ts';
import { defaultPromptSettings, type PromptPair, promptPair } from '../src/method/prompts/pair.ts';
import { simulate } from '../src/method/simulation/simulate.ts';

/** A whole job. */
export interface JobSettings {
  readonly job: 'train' | 'evaluate' | 'audit';
  /** As `open` takes it. */
  readonly model: string;
  /** Users of a training step, or texts that are evaluated or audited. */
  readonly users: number;
  readonly threads: number;
}

/** Items of a user's whole history in training, and so targets: each item after the first, and the text after them. */
const ITEMS = 8;

/** Training: eight targets a user, with one to eight earlier texts. Evaluation and audit: one text a user, with three. */
export function jobExamples({ job, users }: Pick<JobSettings, 'job' | 'users'>): Example[] {
  if (job !== 'train') return simulate({ users, seed: 0, historyItems: 3 });
  return simulate({ users, seed: 0, historyItems: ITEMS }).flatMap((example) => {
    const { history } = example;
    const earlier = history.slice(1).map(({ id, query, text }, i): Example => {
      return {
        ...example,
        id: `${example.id}-${id}`,
        query,
        response: text,
        history: history.slice(0, i + 1),
      };
    });
    return [...earlier, example];
  });
}

/** The examples as prompts. */
export function jobPairs(settings: JobSettings, { tokenizer, config }: Model): PromptPair[] {
  const prompt = defaultPromptSettings(config.maxPositions);
  return jobExamples(settings).map((example) => promptPair(example, tokenizer, prompt));
}
