/** @file Every kind of file that the mutation tests damage, for scripts/mutation.ts. */

import { dataTargets } from './data-mutations.ts';
import type { MutationTarget } from './mutations.ts';
import { recipeTargets } from './recipe-mutations.ts';
import { runTargets } from './run-mutations.ts';
import { tokenizerTargets } from './tokenizer-mutations.ts';
import { weightsTargets } from './weights-mutations.ts';

export const mutationTargets: readonly MutationTarget[] = [
  ...tokenizerTargets,
  ...weightsTargets,
  ...runTargets,
  ...recipeTargets,
  ...dataTargets,
];
