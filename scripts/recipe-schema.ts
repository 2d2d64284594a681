/** @file Writes the JSON Schemas that editors complete recipes by, into recipes/: npx tsx scripts/recipe-schema.ts */
import { writeFileSync } from 'node:fs';
import { benchmarkJsonSchema } from '../src/app/config/benchmark-recipe.ts';
import { recipeJsonSchema } from '../src/app/config/recipe.ts';

const schemas = { 'recipe.schema.json': recipeJsonSchema(), 'benchmark.schema.json': benchmarkJsonSchema() };
for (const [name, schema] of Object.entries(schemas))
  writeFileSync(new URL(`../recipes/${name}`, import.meta.url), `${JSON.stringify(schema, null, 2)}\n`);
