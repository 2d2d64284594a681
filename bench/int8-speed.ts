/**
 * @file How fast a model is over a frozen base of f32, 8 and 4 bits, with products in f32 and int8: scoring, a prompt, decoding one
 * text, and the forward and backward pass of a LoRA step. All bases take their turn within each round.
 *
 *     npx tsx bench/int8-speed.ts --model FILE.gguf [--parts score,generate,train] [--bases int8] [--tokens 256] [--new 24]
 *       [--rounds 5] [--threads 2] [--llama-cpp DIR/node_modules/node-llama-cpp --ggufs FILE.gguf,OTHER.gguf]
 */
import { parseArgs } from 'node:util';
import { openModel } from '../src/app/open/model-source.ts';
import { randomStream } from '../src/base/random.ts';
import { openCachedPass } from '../src/engine/generate/cached-pass.ts';
import { createCache } from '../src/engine/generate/kv-cache.ts';
import { blockModules } from '../src/engine/lora/layers.ts';
import type { Model } from '../src/engine/models/model.ts';
import { withQuantisedBase } from '../src/engine/quantisation/quantised-base.ts';
import { planObjective } from '../src/method/objectives/plan.ts';
import type { PromptPair } from '../src/method/prompts/pair.ts';
import { createScorer } from '../src/method/scoring/scorer.ts';
import { trainingBatch } from '../src/method/training/batch.ts';
import { createTrainingGraph } from '../src/method/training/training-graph.ts';
import { markdownTable } from '../src/reports/text/markdown.ts';
import { llamaPeer } from './generate.ts';
import { commit, machine, median } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    parts: { type: 'string', default: 'score,generate,train' },
    bases: { type: 'string', default: '' },
    tokens: { type: 'string', default: '256' },
    new: { type: 'string', default: '24' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    'llama-cpp': { type: 'string' },
    ggufs: { type: 'string', default: '' },
  },
});
if (flags.model === undefined)
  throw new Error('--model: expected a model, such as SmolLM2-135M-Instruct.Q4_1.gguf');
const [length, newTokens, rounds, threads] = [flags.tokens, flags.new, flags.rounds, flags.threads].map(
  Number,
) as [number, number, number, number];
const plain = await openModel(flags.model);
const over = (bits: 4 | 8, products: 'f32' | 'int8') =>
  withQuantisedBase(plain, bits, undefined, { products });
const all: readonly (readonly [string, Model])[] = [
  ['f32', plain],
  ['8 bits', await over(8, 'f32')],
  ['8 bits, int8 products', await over(8, 'int8')],
  ['4 bits', await over(4, 'f32')],
  ['4 bits, int8 products', await over(4, 'int8')],
];
const models = all.filter(([name]) => name === 'f32' || name.includes(flags.bases));
const random = randomStream(0, 'bench/int8-speed');
const tokens = (count: number) =>
  Array.from({ length: count }, () => random.integer(plain.config.vocabularySize));

/** One part of a round for one peer: seconds by what is timed, or the work itself. */
type Work = () => Promise<Readonly<Record<string, number>>>;
interface Peer extends AsyncDisposable {
  readonly name: string;
  readonly work: Work;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Four prompts of the asked length, half of each the response. */
async function scoring(name: string, model: Model): Promise<Peer> {
  const prompts = Array.from({ length: 4 }, () => ({
    promptIds: tokens(length / 2),
    responseIds: tokens(length / 2),
  }));
  const scorer = createScorer({ model }, { threads });
  return {
    name,
    work: async () => ({
      'scored tokens': (await seconds(() => scorer.logProbabilities(prompts))) / (4 * length),
    }),
    [Symbol.asyncDispose]: () => scorer[Symbol.asyncDispose](),
  };
}

async function generating(name: string, model: Model): Promise<Peer> {
  const pass = await openCachedPass(model, {}, { threads });
  const prompt = tokens(length);
  return {
    name,
    work: async () => {
      const cache = createCache(model.config, 1, length + newTokens);
      const prefill = await seconds(() => pass.prefill(cache, 0, prompt));
      const steps = await seconds(async () => {
        for (let t = 0; t < newTokens; t++) await pass.step(cache, [1]);
      });
      return { 'prompt tokens': prefill / length, 'new tokens': steps / newTokens };
    },
    [Symbol.asyncDispose]: () => pass[Symbol.asyncDispose](),
  };
}

/** One row of the asked length, half of it the response: cross-entropy, and the gradients of rank 16 on all linear layers. */
async function training(name: string, model: Model): Promise<Peer> {
  const graph = await createTrainingGraph({
    model,
    objective: planObjective('sft'),
    lora: { rank: 16, loraAlpha: 32, targetModules: blockModules(model) },
    seed: 0,
    threads,
  });
  const pair = { promptIds: tokens(length / 2), withoutHistoryIds: [], responseIds: tokens(length / 2) };
  const batch = trainingBatch([pair as unknown as PromptPair], ['withHistory'], 0);
  return {
    name,
    work: async () => ({ 'trained tokens': (await seconds(() => graph.accumulate(batch, 1))) / length }),
    [Symbol.asyncDispose]: () => graph[Symbol.asyncDispose](),
  };
}

const parts = { score: scoring, generate: generating, train: training };
const { cpu } = machine();
console.log(
  `${flags.model.split('/').at(-1)}, ${cpu}, ${threads} threads, ${length} tokens, commit ${commit()}\n`,
);
for (const part of flags.parts.split(',') as (keyof typeof parts)[]) {
  const peers: Peer[] = [];
  for (const [name, model] of models) peers.push(await parts[part](name, model));
  if (part === 'generate' && flags['llama-cpp'] !== undefined)
    for (const gguf of flags.ggufs.split(',')) {
      const given = { module: flags['llama-cpp'], gguf };
      const run = await llamaPeer(given, { prompt: tokens(length), newTokens, threads });
      peers.push({
        name: `llama.cpp, ${gguf.split('/').at(-1)}`,
        work: async () => {
          const { prefill, token } = await run();
          return { 'prompt tokens': prefill / length, 'new tokens': token };
        },
        [Symbol.asyncDispose]: async () => {},
      });
    }
  const times = new Map<string, Map<string, number[]>>();
  for (let round = 0; round <= rounds; round++) {
    for (const { name, work } of peers) {
      const measured = await work();
      if (round === 0) continue;
      for (const [what, time] of Object.entries(measured)) {
        const of = times.get(what) ?? new Map<string, number[]>();
        times.set(what, of);
        of.set(name, [...(of.get(name) ?? []), time]);
      }
    }
    console.error(`${part}: round ${round}`);
  }
  for (const peer of peers) await peer[Symbol.asyncDispose]();
  for (const [what, of] of times) {
    const first = of.get('f32')!;
    const rows = [...of].map(([name, list]) => [
      name,
      (1 / Math.min(...list)).toFixed(0),
      (1 / median(list)).toFixed(0),
      median(list.map((time, i) => first[i]! / time)).toFixed(2),
    ]);
    console.log(markdownTable([what, 'best, tokens/s', 'median', 'of f32, within a round'], rows), '\n');
  }
}
