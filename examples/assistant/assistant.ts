/**
 * @file A chat backend on the real `openai` client: histories grow with every text that a user accepts, the dial says how much of
 * them shows, and an audit says whether that helped. Offline, on simulated users: npx tsx examples/assistant/assistant.ts [USERS]
 *
 * What was found (6 users, 2026-11-28): the own history makes what the user really wrote 0.44 nats a token likelier, those of others
 * make it less likely, and C = 0.637 [0.608, 0.657] over all. Yet strengths 1 and 2 wrote the same words, and called the service
 * disappointing that the user called good: the style is the user's, the facts are the model's, and it is a very small one.
 */
import OpenAI from 'openai';
import { audit, type Example, open, simulate } from '../../src/index.ts'; // outside this repository: from 'nextquill'
import { createServer, type NextQuillChunk, nextquill, openStore } from '../../src/server.ts'; // from 'nextquill/server'

const model = await open('embedded');
await using store = await openStore(); // a folder keeps users: openStore('people')
await using server = await createServer({ model, store, port: 0, auth: false });
const client = new OpenAI({ baseURL: server.url, apiKey: 'none on loopback' });

/** One turn: the answer as it is written, and the items of the history that it was shown. */
async function reply(user: string, message: string, strength: number) {
  const stream = await client.chat.completions.create({
    model: 'embedded',
    messages: [{ role: 'user', content: message }],
    max_tokens: 24,
    temperature: 0,
    stream: true,
    ...nextquill({ user, create: true, strength }),
  });
  let text = '';
  let shown: readonly string[] = [];
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    shown = (chunk as NextQuillChunk).nextquill?.historyItems ?? shown;
  }
  return { text, shown };
}

/** What the user made of the answer: the text that was really sent belongs to the history. */
const accept = (user: string, query: string, text: string) =>
  client.post(`/nextquill/users/${user}/history`, { body: { items: [{ query, text }] } });

/** What the history changes in a text that the user wrote, nats a token; others' histories stand against it. */
async function effectOf(
  user: string,
  query: string,
  response: string,
): Promise<{ own: number; others: number }> {
  const map = await client.post<{ tokens: { effectLogRatio: number; effectPlacebo: number }[] }>(
    '/nextquill/effects',
    { body: { model: 'embedded', user, query, response, placebo: 2 } },
  );
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    own: mean(map.tokens.map(({ effectLogRatio }) => effectLogRatio)),
    others: mean(map.tokens.map(({ effectPlacebo }) => effectPlacebo)),
  };
}

// Simulated users ask, and send texts of their own; the last text of each is kept for the audit.
const turns = new Map<string, Example[]>();
for (const example of simulate({ users: Number(process.argv[2] ?? 6), seed: 7 }))
  turns.set(example.user, [...(turns.get(example.user) ?? []), example]);

for (const [user, examples] of turns) {
  for (const { query, response } of examples[0]!.history.map(({ query, text }) => ({
    query,
    response: text,
  }))) {
    await reply(user, query, 1);
    await accept(user, query, response);
  }
}

const [first, [held]] = [...turns][0]! as [string, [Example]];
console.log(`${first} asks: ${held.query}`);
for (const strength of [0, 1, 2]) {
  const { text, shown } = await reply(first, held.query, strength);
  console.log(`  strength ${strength}, ${shown.length} items shown: ${text.replaceAll('\n', ' ')}`);
}
const { own, others } = await effectOf(first, held.query, held.response);
console.log(
  `  what ${first} really wrote gains ${own.toFixed(3)} nats a token from the own history, ${others.toFixed(3)} from others'`,
);

// Did personalisation help? The same question for all users at once, with an interval.
const result = await audit(
  model,
  [...turns.values()].map(([example]) => example!),
  { others: 2, seed: 0 },
);
const { value, low, high } = result.effects.userSpecific;
console.log(
  `audit of ${result.users} users: C = ${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}] nats a token`,
);
console.log(
  low > 0
    ? 'The own history helps more than another’s.'
    : 'That the own history helps more than another’s was not shown.',
);

const receipt = await client.delete<{ status: string; removed: { items: number } }>(
  `/nextquill/users/${first}`,
);
console.log(`${first} is forgotten: ${receipt.removed.items} items, ${receipt.status}`);
