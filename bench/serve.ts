/**
 * @file `serve`: tokens per second and the time to the first token over loopback, for one stream and for many at once, and how long
 * a health check takes meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { open } from '../src/app/open/open.ts';
import { createServer } from '../src/app/server/create-server.ts';
import { openStore } from '../src/app/server/store/store.ts';
import { markdownTable } from '../src/reports/text/markdown.ts';
import { nextquill } from '../src/server.ts';
import { commit, machine, median } from './report.ts';

export interface ServeOptions {
  readonly model: string;
  readonly newTokens: number;
  /** Sentences of each item of a history. */
  readonly itemLength: number;
  /** How many streams run at once, one after the other. */
  readonly streams: readonly number[];
  readonly rounds: number;
  readonly threads: number;
  readonly log: (line: string) => void;
}

/** One round of one number of streams; seconds. */
interface ServeTiming {
  readonly tokensPerSecond: number;
  readonly firstToken: number;
  /** The slowest of the health checks that were asked for all the while. */
  readonly health: number;
}

export interface ServeReport {
  readonly bench: 'serve';
  readonly date: string;
  readonly commit: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly options: Readonly<Record<string, unknown>>;
  /** By what ran, such as `16 streams, strength 1.5`. */
  readonly rounds: Readonly<Record<string, readonly ServeTiming[]>>;
}

/** Between health checks. */
const HEALTH_MS = 10;

/** Each user's history. */
const ITEMS = 4;

/** Times streams of different users without the dial and with it, `rounds` times after one warm-up. */
export async function benchServe(options: ServeOptions): Promise<ServeReport> {
  const { model, newTokens, itemLength, streams, rounds, threads, log } = options;
  await using store = await openStore();
  const most = Math.max(...streams);
  await using server = await createServer({
    model: await open(model),
    store,
    port: 0,
    auth: false,
    threads,
    maxPerKey: most,
    maxQueue: most,
  });
  for (let user = 0; user < most; user++) {
    store.putUser(`u${user}`, {});
    const items = Array.from({ length: ITEMS }, (_, i) => ({
      query: `On matter ${i}`,
      text: `User ${user} wrote this about ${i}. `.repeat(itemLength),
    }));
    store.addItems(`u${user}`, items);
  }
  const client = new OpenAI({ baseURL: server.url, apiKey: 'none', maxRetries: 0 });
  const one = async (user: number, strength: number) => {
    const begun = performance.now();
    let first: number | undefined;
    let tokens = 0;
    const stream = await client.chat.completions.create({
      model: server.context.modelId,
      messages: [{ role: 'user', content: `On matter ${user}` }],
      max_tokens: newTokens,
      stream: true,
      stream_options: { include_usage: true },
      seed: user,
      ...nextquill({ user: `u${user}`, strength }),
    });
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) first ??= (performance.now() - begun) / 1000;
      tokens = chunk.usage?.completion_tokens ?? tokens;
    }
    return { tokens, first: first ?? 0 };
  };
  /** Asks for health until the work is done. @returns the slowest answer */
  const healthDuring = async (work: Promise<unknown>): Promise<number> => {
    let isDone = false;
    const end = () => {
      isDone = true;
    };
    work.then(end, end);
    let slowest = 0;
    while (!isDone) {
      const begun = performance.now();
      await (await fetch(server.url.replace(/v1$/, 'health'))).text();
      slowest = Math.max(slowest, (performance.now() - begun) / 1000);
      await sleep(HEALTH_MS);
    }
    return slowest;
  };
  const timings: Record<string, ServeTiming[]> = {};
  for (let round = 0; round <= rounds; round++)
    for (const count of streams)
      for (const strength of [1, 1.5]) {
        const begun = performance.now();
        const answers = Promise.all(Array.from({ length: count }, (_, user) => one(user, strength)));
        const health = await healthDuring(answers);
        const all = await answers;
        const seconds = (performance.now() - begun) / 1000;
        const name = `${count} ${count === 1 ? 'stream' : 'streams'}, strength ${strength}`;
        const timing = {
          tokensPerSecond: all.reduce((sum, { tokens }) => sum + tokens, 0) / seconds,
          firstToken: median(all.map(({ first }) => first)),
          health,
        };
        log(
          `${round === 0 ? 'warm-up' : `round ${round}`}: ${name}: ${timing.tokensPerSecond.toFixed(1)} tokens/s`,
        );
        timings[name] ??= [];
        if (round > 0) timings[name].push(timing);
      }
  return {
    bench: 'serve',
    date: new Date().toISOString(),
    commit: commit(),
    machine: machine(),
    options: { model, newTokens, itemLength, rounds, threads, items: ITEMS },
    rounds: timings,
  };
}

/** Medians over the rounds. */
export function serveTable({ rounds }: ServeReport): string {
  const rows = Object.entries(rounds).map(([name, timings]) => [
    name,
    median(timings.map(({ tokensPerSecond }) => tokensPerSecond)).toFixed(1),
    `${(1000 * median(timings.map(({ firstToken }) => firstToken))).toFixed(0)} ms`,
    `${(1000 * median(timings.map(({ health }) => health))).toFixed(0)} ms`,
  ]);
  return markdownTable(
    ['at once', 'tokens/s, all streams', 'first token, median', 'slowest health check'],
    rows,
  );
}
