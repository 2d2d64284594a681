/**
 * @file A recommender that writes its reasons: things are ranked by what the user's own history says of them, and each comes with
 * a sentence in the user's style and the items that it used. Offline: npx tsx examples/assistant/recommender.ts [USERS]
 *
 * What was found (6 users, 2026-11-28): 6 users get 4 different orders, so that ranks do depend on the history. But praise became less
 * likely for all three things (scores of -0.46 to -0.55), and the reasons end before they give one: the ranks say what the model
 * expects this user to write, not what the user would like, and nobody was asked.
 */
import OpenAI from 'openai';
import { open, simulate } from '../../src/index.ts'; // outside this repository: from 'nextquill'
import { createServer, type NextQuillAnswer, nextquill, openStore } from '../../src/server.ts'; // from 'nextquill/server'

await using store = await openStore();
await using server = await createServer({ model: await open('embedded'), store, port: 0, auth: false });
const client = new OpenAI({ baseURL: server.url, apiKey: 'none on loopback' });

const examples = simulate({ users: Number(process.argv[2] ?? 6), seed: 11, examplesPerUser: 1 });
for (const { user, history } of examples) {
  await client.put(`/nextquill/users/${user}`, { body: {} });
  const items = history.map(({ id, query, text }) => ({ id, query, text }));
  await client.post(`/nextquill/users/${user}/history`, { body: { items } });
}

interface Effects {
  readonly tokens: readonly { readonly effectLogRatio: number; readonly effectPlacebo: number }[];
}

/** How much likelier praise of a thing becomes by the own history than by others', nats a token. */
async function appeal(user: string, query: string): Promise<number> {
  const body = { model: 'embedded', user, query, response: 'I loved it. I would go again.', placebo: 2 };
  const { tokens } = await client.post<Effects>('/nextquill/effects', { body });
  return (
    tokens.reduce((sum, { effectLogRatio, effectPlacebo }) => sum + effectLogRatio - effectPlacebo, 0) /
    tokens.length
  );
}

/** A reason in the user's style, with the items of the history that it used. */
async function reason(user: string, query: string) {
  const answer = await client.chat.completions.create({
    ...{
      model: 'embedded',
      messages: [{ role: 'user', content: query }],
      max_tokens: 24,
      temperature: 0,
      stop: '.',
    },
    ...nextquill({ user, strength: 1.5, items: true, maxHistory: 3 }),
  });
  const { items = [] } = (answer as unknown as { nextquill: NextQuillAnswer }).nextquill;
  const used = items.filter(({ kind }) => kind === 'useful').map(({ id }) => id);
  return { text: answer.choices[0]?.message.content ?? '', used };
}

const user = examples[0]!.user;
const things = examples.slice(1, 4).map(({ query }) => query);
const ranked: { query: string; score: number }[] = [];
for (const query of things) ranked.push({ query, score: await appeal(user, query) });
ranked.sort((a, b) => b.score - a.score);
for (const { query, score } of ranked) {
  const { text, used } = await reason(user, query);
  console.log(
    `${score.toFixed(3)}  ${query}\n       ${text.replaceAll('\n', ' ')}  (from ${used.join(', ') || 'no single item'})`,
  );
}

// The audit: would the ranking be the same for anybody?
const orders = new Set<string>();
for (const { user: other } of examples) {
  const scores: [number, string][] = [];
  for (const query of things) scores.push([await appeal(other, query), query]);
  orders.add(
    scores
      .sort((a, b) => b[0] - a[0])
      .map(([, query]) => things.indexOf(query))
      .join(),
  );
}
console.log(`audit: ${examples.length} users get ${orders.size} different orders`);
