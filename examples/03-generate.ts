/** @file Texts for one query, from nobody's to more than the user's own, as they are written: npx tsx examples/03-generate.ts */
import { generate, open, simulate } from '../src/index.ts'; // outside this repository: from 'nextquill'

const examples = simulate({ users: 4, seed: 4242 });
const [example] = examples;
if (example === undefined) throw new Error('the simulator gave no example');
const model = await open('embedded');
const drawing = { maxNewTokens: 40, temperature: 0.7, topP: 0.9, seed: 1 };
console.log(`query: ${example.query}\nthe user wrote: ${example.response}\n`);

// The same draws with less and more of the history, in pieces of whole characters.
for (const strength of [0, 1, 2]) {
  process.stdout.write(`strength ${strength}: `);
  for await (const { text } of generate(model, example, { ...drawing, strength })) process.stdout.write(text);
  process.stdout.write('\n');
}

// Two texts for each of several users, written together; each is the one it would be alone.
const texts = new Map<string, string>();
const some = examples.slice(0, 3);
for await (const step of generate(model, some, { ...drawing, count: 2, stop: ['.'] })) {
  const name = `${some[step.example]?.user}, text ${step.sample + 1}`;
  texts.set(name, (texts.get(name) ?? '') + step.text);
}
for (const [name, text] of texts) console.log(`${name}: ${text}`);
