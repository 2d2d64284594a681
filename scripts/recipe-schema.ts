/** @file Writes recipes/recipe.schema.json, the JSON Schema that editors complete recipes by: npx tsx scripts/recipe-schema.ts */
import { writeFileSync } from 'node:fs';
import { recipeJsonSchema } from '../src/app/config/recipe.ts';

const file = new URL('../recipes/recipe.schema.json', import.meta.url);
writeFileSync(file, `${JSON.stringify(recipeJsonSchema(), null, 2)}\n`);
