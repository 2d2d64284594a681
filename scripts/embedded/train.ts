/**
 * @file Makes models/embedded from nothing: tokenizer, first weights, training, f16 export. Resumable.
 *
 *     npx tsx scripts/embedded/train.ts WORK_FOLDER
 *
 * About an hour on two cores. The same seed, threads and versions give the same weights.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModel } from '../../src/engine/models/model.ts';
import { openSafetensors, readTensor, writeSafetensors } from '../../src/engine/weights/safetensors.ts';
import { type LoopOptions, trainingLoop } from '../../src/method/training/trainer.ts';
import { createTrainingGraph } from '../../src/method/training/training-graph.ts';
import { corpusRows, PRETRAINING_SEED } from './corpus.ts';
import { config, writeInitialWeights } from './initial-weights.ts';
import { writeTokenizer } from './tokenizer.ts';

/** Steps in all; the rate is constant until the last fifth. */
const TOTAL_STEPS = Number(process.env.TOTAL_STEPS ?? 4900);
const WARMUP_STEPS = 80;
const CHECKPOINT_EVERY = 100;
const THREADS = 2;

const options: LoopOptions = {
  learningRate: 2e-3,
  schedule: 'stable-decay',
  warmupRatio: WARMUP_STEPS / TOTAL_STEPS,
  weightDecay: 0.1,
  beta2: 0.99,
  maxGradientNorm: 1,
  batchSize: 8,
  gradientAccumulation: 1,
  epochs: 100,
  maxSteps: TOTAL_STEPS,
  seed: PRETRAINING_SEED,
  threads: THREADS,
  padId: config.pad_token_id,
};

const [work] = process.argv.slice(2);
if (work === undefined) throw new Error('usage: npx tsx scripts/embedded/train.ts WORK_FOLDER');
const start = join(work, 'start');
if (!existsSync(join(start, 'model.safetensors'))) {
  mkdirSync(start, { recursive: true });
  writeTokenizer(start);
  await writeInitialWeights(start);
}
const model = await loadModel(start, join(work, 'cache'));
const rows = corpusRows(model.tokenizer);
console.log(
  `${rows.all.length} rows of ${rows.all.reduce((sum, p) => sum + p.responseIds.length + 1, 0)} tokens in all`,
);
const graph = await createTrainingGraph({
  model,
  objective: 'sft',
  seed: PRETRAINING_SEED,
  threads: THREADS,
});
const { parameters } = graph;
const state = { weights: parameters.weights, first: parameters.firstMoment, second: parameters.secondMoment };
const checkpoint = join(work, 'checkpoint.safetensors');

let startStep = 0;
if (existsSync(checkpoint)) {
  const file = await openSafetensors(checkpoint);
  startStep = Number(file.metadata.step);
  for (const [name, buffer] of Object.entries(state)) buffer.set(await readTensor(file, name));
}
async function save(step: number): Promise<void> {
  const tensors = Object.entries(state).map(([name, data]) => ({
    name,
    dtype: 'F32' as const,
    shape: [data.length],
    data,
  }));
  await writeSafetensors(checkpoint, tensors, { step: String(step) });
}

let tokens = 0;
const began = performance.now();
const log = join(work, 'steps.jsonl');
// How these came about is told in docs/log.md; one phase after the other, the optimizer's state goes on.
const phases = [
  { pairs: rows.simulated, until: 800, batchSize: 8 },
  { pairs: rows.all, until: 1300, batchSize: 8 },
  { pairs: rows.mostlySimulated, until: 1600, batchSize: 8 },
  { pairs: rows.short, until: 2800, batchSize: 24 },
  { pairs: rows.mostlySimulated, until: 3300, batchSize: 8 },
  { pairs: rows.balanced, until: TOTAL_STEPS, batchSize: 12 },
];
for (const { pairs, until, batchSize } of phases) {
  if (startStep >= until) continue;
  for await (const record of trainingLoop(graph, pairs, { ...options, batchSize, startStep })) {
    tokens += record.tokens;
    const seconds = (performance.now() - began) / 1000;
    writeFileSync(log, `${JSON.stringify({ ...record, seconds })}\n`, { flag: 'a' });
    if (record.step % 25 === 0)
      console.log(
        `step ${record.step} loss ${record.loss.toFixed(3)} ${(tokens / seconds).toFixed(0)} tokens/s`,
      );
    if (record.step % CHECKPOINT_EVERY === 0) await save(record.step);
    startStep = record.step;
    if (record.step === until) break;
  }
}

const out = join(work, 'embedded');
mkdirSync(out, { recursive: true });
for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json'])
  copyFileSync(join(start, name), join(out, name));
const half = parameters.tensors.map(({ name, shape, offset, size }) => ({
  name,
  dtype: 'F16' as const,
  shape,
  data: parameters.weights.subarray(offset, offset + size),
}));
await writeSafetensors(join(out, 'model.safetensors.part'), half, { format: 'pt' });
renameSync(join(out, 'model.safetensors.part'), join(out, 'model.safetensors'));
console.log(`wrote ${out}: ${readFileSync(join(out, 'model.safetensors')).length} bytes`);
