/** @file Recipes damaged: their YAML, and overrides of the command line. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseOverride, readRecipe } from '../../src/app/config/recipe-source.ts';
import { resolveRecipe } from '../../src/app/config/resolve-recipe.ts';
import { type MutationTarget, mutateJson, mutateText } from './mutations.ts';

const shipped = readFileSync(
  fileURLToPath(new URL('../../recipes/quickstart-sotu.yaml', import.meta.url)),
  'utf8',
);
const full = {
  ...{
    model: 'm',
    data: 'd.jsonl',
    out: 'o',
    objective: 'nextquill-paper',
    estimator: 'fixed',
    seed: 0,
    threads: 1,
  },
  objectiveOptions: { softWeights: true, plainWeight: 0.5, weightsFrom: 'userSpecific' },
  lora: { rank: 4, targetModules: ['q_proj'], baseBits: 4 },
  prompt: { reference: 'removed', maxTokens: 100 },
  training: { learningRate: 1e-3, schedule: 'linear', maxSteps: 5 },
  limits: { maxMemory: '4G' },
};
const overrides = ['training.learningRate=1e-4', 'lora.rank=8', 'objectiveOptions.stopGradient=true', 'a=*x'];

export const recipeTargets: readonly MutationTarget[] = [
  {
    name: 'recipe',
    tryMutant: (random) => {
      // JSON is YAML.
      const text =
        random.next() < 0.5 ? mutateText(shipped, random) : JSON.stringify(mutateJson(full, random), null, 1);
      resolveRecipe(readRecipe(text, 'r.yaml'));
    },
  },
  {
    name: 'override',
    tryMutant: (random) => {
      const override = parseOverride(mutateText(random.pick(overrides), random));
      resolveRecipe(readRecipe(shipped, 'r.yaml'), [override]);
    },
  },
];
