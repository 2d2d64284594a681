/** @file `generate`: prompts and tokens per second with the key/value cache, without it, and of llama.cpp, in turn. */

import { pathToFileURL } from 'node:url';
import { randomStream } from '../src/base/random.ts';
import { openCachedPass } from '../src/engine/generate/cached-pass.ts';
import { createCache } from '../src/engine/generate/kv-cache.ts';
import type { Model } from '../src/engine/models/model.ts';
import { frozenParameters } from '../src/engine/models/parameters.ts';
import { createPasses, openSession } from '../src/engine/models/pass.ts';
import { architectureOf } from '../src/engine/models/registry.ts';
import { openSafetensors } from '../src/engine/weights/safetensors.ts';
import { markdownTable } from '../src/reports/text/markdown.ts';
import { commit, machine, median } from './report.ts';
import { randomWeights, smolLm2 } from './shape.ts';

export interface GenerateOptions {
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly rounds: number;
  readonly threads: number;
  /** Of SmolLM2's 30; fewer while developing. */
  readonly layers: number;
  /** Folder of an installed node-llama-cpp, and the file of SmolLM2-135M that it runs. */
  readonly llamaCpp?: { readonly module: string; readonly gguf: string };
  readonly log: (line: string) => void;
}

/** Seconds of one round: for the whole prompt, and for each new token. */
interface Timing {
  readonly prefill: number;
  readonly token: number;
}

export interface GenerateReport {
  readonly bench: 'generate';
  readonly date: string;
  readonly commit: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly options: Readonly<Record<string, number>>;
  readonly rounds: Readonly<Record<string, readonly Timing[]>>;
}

/** Without a cache every token costs a pass over all before it: so few are timed. */
const UNCACHED_TOKENS = 2;

/** Sequences that step together beside the single one. */
const BATCH = 4;

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};

/** Times all peers in turn, `rounds` times after one warm-up. */
export async function benchGenerate(options: GenerateOptions): Promise<GenerateReport> {
  const { promptTokens, newTokens, rounds, threads, layers, llamaCpp, log } = options;
  const config = smolLm2(layers);
  await using weights = await randomWeights(config, 0);
  const opened = await openSafetensors(weights.path);
  const model: Pick<Model, 'config' | 'architecture' | 'weights'> = {
    config,
    architecture: architectureOf(config),
    weights: opened,
  };
  const random = randomStream(0, 'bench/prompt');
  const prompt = Array.from({ length: promptTokens }, () => random.integer(config.vocabularySize));
  await using pass = await openCachedPass(model, {}, { threads });
  const passes = createPasses(model, frozenParameters());
  await using whole = await openSession(model, { logits: passes.logits('prompt', 'T') }, { threads });

  const cached = async (sequences: number): Promise<Timing> => {
    const cache = createCache(config, sequences, promptTokens + newTokens);
    const prefill = await seconds(async () => {
      for (let row = 0; row < sequences; row++) await pass.prefill(cache, row, prompt);
    });
    const tokens = new Array<number>(sequences).fill(1);
    const steps = await seconds(async () => {
      for (let t = 0; t < newTokens; t++) await pass.step(cache, tokens);
    });
    return { prefill: prefill / sequences, token: steps / (newTokens * sequences) };
  };
  const uncached = async (): Promise<Timing> => {
    const over = (length: number) =>
      whole.run(
        passes.feeds({
          prompt: {
            batch: 1,
            length,
            tokenIds: BigInt64Array.from({ length }, (_, t) => BigInt(prompt[t] ?? 1)),
            positionIds: BigInt64Array.from({ length }, (_, t) => BigInt(t)),
            attentionMask: new Float32Array(length).fill(1),
            rows: BigInt64Array.of(BigInt(length - 1)),
          },
        }),
      );
    const prefill = await seconds(() => over(promptTokens));
    const steps = await seconds(async () => {
      for (let t = 1; t <= UNCACHED_TOKENS; t++) await over(promptTokens + t);
    });
    return { prefill, token: steps / UNCACHED_TOKENS };
  };
  const peers: Record<string, () => Promise<Timing>> = {
    cached: () => cached(1),
    [`cached, ${BATCH} together`]: () => cached(BATCH),
    'no cache': uncached,
    ...(llamaCpp !== undefined && {
      'llama.cpp': await llamaPeer(llamaCpp, { prompt, newTokens, threads }),
    }),
  };
  const timings: Record<string, Timing[]> = Object.fromEntries(Object.keys(peers).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [name, measure] of Object.entries(peers)) {
      const timing = await measure();
      if (round > 0) timings[name]!.push(timing);
      const { prefill, token } = timing;
      log(
        `${round === 0 ? 'warm-up' : `round ${round}`}: ${name}: prompt ${prefill.toFixed(2)} s, token ${token.toFixed(3)} s`,
      );
    }
  }
  return {
    bench: 'generate',
    date: new Date().toISOString(),
    commit: commit(),
    machine: machine(),
    options: { promptTokens, newTokens, rounds, threads, layers },
    rounds: timings,
  };
}

/** What we use of node-llama-cpp, which is installed apart: it carries libraries for GPUs. */
interface LlamaSequence {
  clearHistory(): Promise<void>;
  evaluate(tokens: readonly number[], options: { temperature: number }): AsyncIterable<number>;
}
interface LlamaModule {
  getLlama(options: object): Promise<{
    loadModel(options: object): Promise<{
      createContext(options: object): Promise<{ getSequence(): LlamaSequence }>;
    }>;
  }>;
}

export async function llamaPeer(
  { module, gguf }: NonNullable<GenerateOptions['llamaCpp']>,
  { prompt, newTokens, threads }: { prompt: readonly number[]; newTokens: number; threads: number },
): Promise<() => Promise<Timing>> {
  const { getLlama } = (await import(pathToFileURL(`${module}/dist/index.js`).href)) as LlamaModule;
  const llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads, logLevel: 'error' });
  const loaded = await llama.loadModel({ modelPath: gguf });
  const contextSize = prompt.length + newTokens + 8;
  const context = await loaded.createContext({ contextSize, threads, batchSize: prompt.length });
  const sequence = context.getSequence();
  return async () => {
    await sequence.clearHistory();
    const start = performance.now();
    let first = start;
    let count = 0;
    for await (const _ of sequence.evaluate(prompt, { temperature: 0 })) {
      if (count === 0) first = performance.now();
      if (count++ === newTokens) break;
    }
    return {
      prefill: (first - start) / 1000,
      token: (performance.now() - first) / 1000 / Math.max(1, count - 1),
    };
  };
}

/** A Markdown table; ratios are those within a round. */
export function generateTable({ rounds, options, machine: on, commit: at }: GenerateReport): string {
  const cached = rounds.cached!;
  const rows = Object.entries(rounds).map(([name, timings]) => {
    const of = (part: keyof Timing, tokens: number) => {
      const times = timings.map((timing) => timing[part]);
      const rate = (time: number) => (tokens / time).toFixed(tokens / time < 10 ? 1 : 0);
      return `${rate(Math.min(...times))} / ${rate(median(times))}`;
    };
    const ratio = (part: keyof Timing) =>
      median(timings.map((timing, i) => timing[part] / cached[i]![part])).toFixed(2);
    return [name, of('prefill', options.promptTokens!), ratio('prefill'), of('token', 1), ratio('token')];
  });
  const head = ['peer', 'prompt tokens/s, best / median', 'time / cached', 'new tokens/s', 'time / cached'];
  return [
    markdownTable(head, rows),
    '',
    `Prompt of ${options.promptTokens} tokens, ${options.newTokens} new ones, ${options.layers} layers, f32 (llama.cpp: as its file). ${options.threads} threads, ${on.cpu}, commit ${at}.`,
  ].join('\n');
}
