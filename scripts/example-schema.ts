/** @file Writes recipes/example.schema.json, the JSON Schema of a line of a file of examples: npx tsx scripts/example-schema.ts */
import { writeFileSync } from 'node:fs';
import { exampleJsonSchema } from '../src/app/config/example-schema.ts';

const file = new URL('../recipes/example.schema.json', import.meta.url);
writeFileSync(file, `${JSON.stringify(exampleJsonSchema(), null, 2)}\n`);
