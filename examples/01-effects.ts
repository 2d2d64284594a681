/** @file What a user's history changes at every token, and the heat map of one text: npx tsx examples/01-effects.ts */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  effects,
  explain,
  open,
  renderEffectMapHtml,
  renderEffectMapTerminal,
  simulate,
} from '../src/index.ts'; // outside this repository: from 'nextquill'

// Users whose every word has a known cause; a seed of its own, so that the embedded model has not seen them.
const examples = simulate({ users: 8, seed: 4242 });
const model = await open('embedded');

// One row per response token, as an async iterable: stop reading whenever you like.
let strongest = { token: '', effect: Number.NEGATIVE_INFINITY, user: '' };
let sum = 0;
let tokens = 0;
for await (const row of effects(model, examples)) {
  sum += row.effectLogRatio;
  tokens += 1;
  if (row.effectLogRatio > strongest.effect)
    strongest = { token: row.token, effect: row.effectLogRatio, user: row.user };
}
console.log(`${tokens} tokens, mean effect ${(sum / tokens).toFixed(3)} nats`);
console.log(
  `strongest: ${JSON.stringify(strongest.token)} of ${strongest.user}, +${strongest.effect.toFixed(2)} nats`,
);

// The heat map of one text, with those of two other users beside it.
const map = await explain(model, examples[0]!, { others: 2, pool: examples });
console.log(renderEffectMapTerminal(map, { color: process.stdout.isTTY === true, effect: 'userSpecific' }));
const folder = await mkdtemp(join(tmpdir(), 'nextquill-example-'));
await writeFile(join(folder, 'map.html'), renderEffectMapHtml([map]));
console.log(join(folder, 'map.html'));
