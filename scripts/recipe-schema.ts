/**
 * @file Writes the JSON Schemas of recipes, which editors complete them by, and of the RunSpec, which workers read:
 * npx tsx scripts/recipe-schema.ts
 */
import { writeFileSync } from 'node:fs';
import { benchmarkJsonSchema } from '../src/app/config/benchmark-recipe.ts';
import { recipeJsonSchema } from '../src/app/config/recipe.ts';
import { runSpecJsonSchema } from '../src/app/launch/spec.ts';

const schemas = {
  'recipes/recipe.schema.json': recipeJsonSchema(),
  'recipes/benchmark.schema.json': benchmarkJsonSchema(),
  'python/nextquill_torch/run-spec.schema.json': runSpecJsonSchema(),
};
for (const [path, schema] of Object.entries(schemas))
  writeFileSync(new URL(`../${path}`, import.meta.url), `${JSON.stringify(schema, null, 2)}\n`);
