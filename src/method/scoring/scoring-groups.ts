/** @file Which prompts are scored in one run: groups of similar length, within a budget of tokens. */
import type { Model } from '../../engine/models/model.ts';
import type { ScoredPrompt } from '../prompts/collate.ts';

/** Padded tokens of one run at most, except for a longer single prompt. */
const TOKENS_PER_RUN = 4096;

/**
 * Multiplications of one run at most, except for a longer single prompt: a run cannot be stopped, and this many take about a
 * second on two cores. It follows from the model alone, so that the same prompts are scored together on every machine.
 */
const MULTIPLICATIONS_PER_RUN = 2 ** 35;

/** Padded tokens of one run at most: fewer for larger models, so that whoever stops the work is heard. */
export function tokensOfOneRun({ parameters }: Pick<Model, 'parameters'>): number {
  const weights = parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return Math.min(TOKENS_PER_RUN, Math.ceil(MULTIPLICATIONS_PER_RUN / weights));
}

/** Logits of one run at most: 128 MiB of f32, a few times over. */
const LOGITS_PER_RUN = 1 << 25;

/** Indices of prompts in groups of similar length, shortest first, within both budgets. */
export function scoringGroups(
  prompts: readonly ScoredPrompt[],
  vocabularySize: number,
  tokensPerRun = TOKENS_PER_RUN,
): number[][] {
  const length = (index: number) => prompts[index]!.promptIds.length + prompts[index]!.responseIds.length;
  const order = prompts.map((_, index) => index).sort((a, b) => length(a) - length(b) || a - b);
  const responsesPerRun = LOGITS_PER_RUN / vocabularySize;
  const groups: number[][] = [];
  let responses = 0;
  for (const index of order) {
    const group = groups.at(-1);
    const added = prompts[index]!.responseIds.length;
    const fits = group !== undefined && (group.length + 1) * length(index) <= tokensPerRun;
    if (fits && responses + added <= responsesPerRun) {
      group.push(index);
      responses += added;
    } else {
      groups.push([index]);
      responses = added;
    }
  }
  return groups;
}
