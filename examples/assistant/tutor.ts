/**
 * @file A tutor that adapts: pupils hand in texts, and each pupil's dial follows what is measured, never what is hoped for. It rises
 * where the pupil's own earlier work makes the next text likelier than the work of others does. The same rule on swapped histories
 * says how often it rises for nothing. Offline, on simulated pupils: npx tsx examples/assistant/tutor.ts [PUPILS]
 *
 * What was found (6 pupils, 2026-11-28): the dial rose for all 6, and for 1 of 6 whose texts came from everybody, so that about one dial
 * in six may be turned for nothing. The audit finds C = 0.778 [0.702, 0.839] nats a token; simulated pupils have strong habits, real ones
 * need more texts. That a text is likelier says nothing of whether a pupil learns by it, which is not measured here.
 */
import OpenAI from 'openai';
import { audit, open, simulate } from '../../src/index.ts'; // outside this repository: from 'nextquill'
import { createServer, nextquill, openStore } from '../../src/server.ts'; // from 'nextquill/server'

const model = await open('embedded');
await using store = await openStore();
await using server = await createServer({ model, store, port: 0, auth: false });
const client = new OpenAI({ baseURL: server.url, apiKey: 'none on loopback' });

/** Nats a token: below this the dial stays at 0. */
const ENOUGH = 0.1;

/** How much likelier a text becomes by the pupil's earlier work than by that of others, nats a token. */
async function gain(user: string, query: string, response: string): Promise<number> {
  const { tokens } = await client.post<{
    tokens: { effectLogRatio: number; effectPlacebo: number }[];
  }>('/nextquill/effects', { body: { model: 'embedded', user, query, response, placebo: 2 } });
  return (
    tokens.reduce((sum, { effectLogRatio, effectPlacebo }) => sum + effectLogRatio - effectPlacebo, 0) /
    tokens.length
  );
}

/** A text is handed in: measured against what was there before, then kept. The dial follows the mean of all measurements. */
async function handIn(user: string, measured: number[], query: string, text: string): Promise<number> {
  if (store.user(user)!.historyItems > 0) measured.push(await gain(user, query, text));
  const mean = measured.reduce((sum, value) => sum + value, 0) / measured.length;
  const strength = measured.length > 1 && mean > ENOUGH ? 1.5 : 0;
  await client.put(`/nextquill/users/${user}`, { body: { strength } });
  await client.post(`/nextquill/users/${user}/history`, { body: { items: [{ query, text }] } });
  return strength;
}

/** A sentence that shows how it could be written, at the pupil's own strength. */
async function show(user: string, query: string): Promise<string> {
  const answer = await client.chat.completions.create({
    ...{ model: 'embedded', messages: [{ role: 'user', content: query }], max_tokens: 16, temperature: 0 },
    ...nextquill({ user }),
  });
  return (answer.choices[0]?.message.content ?? '').replaceAll('\n', ' ');
}

const pupils = simulate({ users: Number(process.argv[2] ?? 6), seed: 23, historyItems: 4 });
/** Four texts of each pupil, all first ones first; who wrote which, `author` says. @returns the last dials */
async function course(prefix: string, author: (pupil: number, text: number) => number): Promise<number[]> {
  const measured: number[][] = pupils.map(() => []);
  const dials: number[] = [];
  for (const i of pupils.keys()) await client.put(`/nextquill/users/${prefix}${i}`, { body: {} });
  for (let text = 0; text < 4; text++)
    for (const i of pupils.keys()) {
      const { query, text: written } = pupils[author(i, text)]!.history[text]!;
      dials[i] = await handIn(`${prefix}${i}`, measured[i]!, query, written);
    }
  return dials;
}

const own = await course('pupil', (i) => i);
for (const [i, { query }] of pupils.slice(0, 3).entries())
  console.log(`pupil ${i}, dial ${own[i]}: ${query}\n  ${await show(`pupil${i}`, query)}`);

// The audit: on texts that come from a different pupil each time there is nothing to adapt to.
const mixed = await course('mixed', (i, text) => (i + text) % pupils.length);
const raised = (dials: readonly number[]) => `${dials.filter((dial) => dial > 0).length} of ${dials.length}`;
console.log(
  `dial raised for ${raised(own)} pupils, and for ${raised(mixed)} whose texts come from everybody`,
);
const { effects, users } = await audit(model, pupils, { others: 2, seed: 0 });
const { value, low, high } = effects.userSpecific;
console.log(
  `audit of the last texts of ${users} pupils: C = ${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}] nats a token`,
);
