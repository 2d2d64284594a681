/**
 * @file Shows that llama.cpp loads our GGUF adapters and that its log-probabilities move with them as ours do.
 *
 * node-llama-cpp carries GPU libraries and is no dependency: install it apart, then name its folder.
 *   mkdir /tmp/llama && cd /tmp/llama && npm init -y && npm install node-llama-cpp@3.22.1
 *   npx tsx scripts/llama-cpp-adapter.ts MODEL.gguf /tmp/llama [ADAPTER]
 * Without a PEFT folder as ADAPTER a random one on all linear layers is made. llama.cpp computes with the file's own
 * quantised weights and quantised activations, we with the same weights in f32, so the base differs a little; what is
 * compared is the change that the adapter makes at each token of a text. Ends with 1 when the changes disagree.
 */
import { mkdtemp } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openModel } from '../src/app/open/model-source.ts';
import { randomStream } from '../src/base/random.ts';
import { mean } from '../src/base/statistics/mean.ts';
import type { Adapter } from '../src/engine/lora/adapter.ts';
import { loadAdapter } from '../src/engine/lora/adapter-folder.ts';
import { saveGgufAdapter } from '../src/engine/lora/gguf-adapter.ts';
import { adapterShapes, blockModules } from '../src/engine/lora/layers.ts';
import type { Model } from '../src/engine/models/model.ts';
import { loraParameters } from '../src/engine/models/parameters.ts';
import { logitsOf } from '../tests/support/logits.ts';

const TEXT =
  'The capital of France is Paris. Once upon a time there was a small engine that could not stop asking, of every ' +
  'word it read, what the reader before it would have changed. My sister writes in short sentences. I do not!';
/** llama.cpp hangs here with its own choice. */
const THREADS = 2;

/** As much of node-llama-cpp as is used. */
interface Llama {
  loadModel(options: object): Promise<{
    createContext(options: object): Promise<{ getSequence(): Sequence; dispose(): Promise<void> }>;
  }>;
}
interface Sequence {
  controlledEvaluate(
    input: readonly (number | readonly [number, object])[],
  ): Promise<({ next: { probabilities?: Map<number, number> } } | undefined)[]>;
}

const [gguf, folder, peft] = process.argv.slice(2).map((path) => resolve(path));
if (gguf === undefined || folder === undefined)
  throw new Error('usage: llama-cpp-adapter.ts MODEL.gguf FOLDER_OF_NODE_LLAMA_CPP [ADAPTER]');
const model = await openModel(gguf);
const adapter = peft === undefined ? randomAdapter(model) : await loadAdapter(peft, model);
const adapterFile = join(await mkdtemp(join(tmpdir(), 'nextquill-llama-')), 'adapter.gguf');
await saveGgufAdapter(adapterFile, model, adapter);
const { ids } = model.tokenizer.encode(TEXT);

const ours = {
  base: logProbabilities(await logitsOf(model, ids)),
  adapted: logProbabilities(await logitsOf(model, ids, loraParameters(adapter.lora), adapter.tensors)),
};
const theirs = await llamaCpp();
const change = ({ base, adapted }: typeof ours) => adapted.map((value, t) => value - base[t]!);
const [ourChange, theirChange] = [change(ours), change(theirs)];
const meanDistance = (a: readonly number[], b: readonly number[]) =>
  mean(a.map((value, t) => Math.abs(value - b[t]!)));
const correlation = correlationOf(ourChange, theirChange);
const sameSign = mean(ourChange.map((value, t) => (value * theirChange[t]! > 0 ? 1 : 0)));
console.log(
  JSON.stringify(
    {
      tokens: ids.length - 1,
      meanLogProbability: {
        ours: [mean(ours.base), mean(ours.adapted)],
        llamaCpp: [mean(theirs.base), mean(theirs.adapted)],
      },
      meanAbsoluteChange: { ours: mean(ourChange.map(Math.abs)), llamaCpp: mean(theirChange.map(Math.abs)) },
      meanDistance: {
        base: meanDistance(ours.base, theirs.base),
        adapted: meanDistance(ours.adapted, theirs.adapted),
        change: meanDistance(ourChange, theirChange),
      },
      correlationOfChanges: correlation,
      sameDirection: sameSign,
    },
    null,
    1,
  ),
);
process.exitCode = correlation > 0.9 ? 0 : 1;

/** Large enough to be seen beside the difference of the arithmetic, small enough to leave the text readable. */
function randomAdapter(base: Model): Adapter {
  const lora = { rank: 8, loraAlpha: 16, targetModules: blockModules(base) };
  const random = randomStream(1, 'scripts/llama-cpp-adapter');
  const tensors = adapterShapes(base, lora).map(({ name, shape }) => {
    const data = Float32Array.from({ length: shape[0]! * shape[1]! }, () => random.normal() * 0.04);
    return [name, { shape, data }] as const;
  });
  return { lora, tensors: Object.fromEntries(tensors) };
}

/** The log-probability of each token after the first. */
function logProbabilities({ data }: { data: unknown }): number[] {
  const logits = data as Float32Array;
  const width = logits.length / ids.length;
  return ids.slice(1).map((id, t) => {
    const row = logits.subarray(t * width, (t + 1) * width);
    const largest = row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const total = row.reduce((sum, value) => sum + Math.exp(value - largest), 0);
    return row[id]! - largest - Math.log(total);
  });
}

async function llamaCpp(): Promise<typeof ours> {
  const entry = createRequire(join(folder!, 'package.json')).resolve('node-llama-cpp');
  const { getLlama } = (await import(pathToFileURL(entry).href)) as {
    getLlama(options: object): Promise<Llama>;
  };
  const llama = await getLlama({ gpu: false, build: 'never', maxThreads: THREADS });
  const loaded = await llama.loadModel({ modelPath: gguf });
  const score = async (lora: object) => {
    const context = await loaded.createContext({ contextSize: 512, threads: THREADS, ...lora });
    const input = ids.slice(0, -1).map((id) => [id, { generateNext: { probabilities: true } }] as const);
    const outputs = await context.getSequence().controlledEvaluate(input);
    const values = ids
      .slice(1)
      .map((id, t) => Math.log(outputs[t]?.next.probabilities?.get(id) ?? Number.NaN));
    await context.dispose();
    return values;
  };
  return {
    base: await score({}),
    adapted: await score({ lora: { adapters: [{ filePath: adapterFile, scale: 1 }] } }),
  };
}

function correlationOf(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  const products = (x: readonly number[], mx: number, y: readonly number[], my: number) =>
    mean(x.map((value, i) => (value - mx) * (y[i]! - my)));
  return (
    products(a, meanA, b, meanB) / Math.sqrt(products(a, meanA, a, meanA) * products(b, meanB, b, meanB))
  );
}
