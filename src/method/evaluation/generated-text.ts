/** @file Author identification of generated texts: whose history makes what a model wrote likeliest? */
import { DataError } from '../../base/errors.ts';
import type { Example } from '../data/example.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { type EvaluationOptions, evaluate, type SystemEvaluation } from './evaluate.ts';

/** A text that a model wrote for an example's query and history. */
export interface GeneratedText {
  readonly example: Example;
  readonly text: string;
}

/** The measures of {@link evaluate} on generated texts, and how many of these were empty. */
export interface GeneratedEvaluation extends SystemEvaluation {
  readonly empty: number;
}

/**
 * Scores generated texts in the place of what the users wrote: `system.authorIdentification` is how often the user's own
 * history makes the generated text likelier than other users' histories do, 1/k by chance. Empty texts are counted and left
 * out. Score with another model than the one that wrote: a model finds its own words likely after the prompt that led to them.
 * @throws {DataError} when no text is left, or as {@link evaluate} does
 */
export async function evaluateGenerated(
  name: string,
  scored: ScoredModel,
  generated: readonly GeneratedText[],
  { pool = generated.map(({ example }) => example), ...options }: EvaluationOptions,
): Promise<GeneratedEvaluation> {
  const filled = generated.filter(({ text }) => text.trim() !== '');
  if (filled.length === 0)
    throw new DataError(`${name}: expected generated texts, got ${generated.length} empty ones`, {
      code: 'data/empty',
      hint: 'Allow more tokens, or look at what the model writes.',
    });
  const examples = filled.map(({ example: { causes: _, ...example }, text }): Example => {
    return { ...example, response: text };
  });
  const evaluation = await evaluate(name, scored, examples, { ...options, pool });
  return { ...evaluation, empty: generated.length - filled.length };
}
