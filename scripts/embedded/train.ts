/**
 * @file Makes models/embedded from nothing: tokenizer, first weights, training, f16 export. Resumable.
 *
 *     npx tsx scripts/embedded/train.ts WORK_FOLDER
 *
 * About an hour and a half on two idle cores. The same seed, threads and versions give the same weights. TOTAL_STEPS in
 * the environment makes a shorter or longer run; a run can be prolonged until its last fifth, where the rate falls.
 */
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { loadModel } from '../../src/engine/models/model.ts';
import { viewsOf } from '../../src/engine/optim/flat-parameters.ts';
import { openSafetensors, readTensor, writeSafetensors } from '../../src/engine/weights/safetensors.ts';
import { planObjective } from '../../src/method/objectives/plan.ts';
import { type LoopOptions, trainingLoop } from '../../src/method/training/trainer.ts';
import { createTrainingGraph } from '../../src/method/training/training-graph.ts';
import { type CorpusRows, corpusRows, PRETRAINING_SEED } from './corpus.ts';
import { config, writeInitialWeights } from './initial-weights.ts';
import { writeTokenizer } from './tokenizer.ts';
import { validate } from './validate.ts';

/** Steps in all; the rate is constant until the last fifth. */
const TOTAL_STEPS = Number(process.env.TOTAL_STEPS ?? 1900);
const WARMUP_STEPS = 60;
const CHECKPOINT_EVERY = 100;
const THREADS = 2;

const options: Omit<LoopOptions, 'batchSize'> = {
  learningRate: Number(process.env.RATE ?? 1.5e-3),
  schedule: 'stable-decay',
  warmupRatio: WARMUP_STEPS / TOTAL_STEPS,
  weightDecay: 0.1,
  beta2: 0.98,
  maxGradientNorm: 1,
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
// Making the rows takes minutes; a resumed run reads them again.
const rowsFile = join(work, 'rows.json');
if (!existsSync(rowsFile)) writeFileSync(rowsFile, JSON.stringify(corpusRows(model.tokenizer)));
const rows: CorpusRows = JSON.parse(readFileSync(rowsFile, 'utf8'));
console.log(`${rows.simulated.length} rows of simulated users, ${rows.speeches.length} of presidents`);
const graph = await createTrainingGraph({
  model,
  objective: planObjective('sft'),
  seed: PRETRAINING_SEED,
  threads: THREADS,
  accumulates: false,
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
  const part = `${checkpoint}.part`;
  await writeSafetensors(part, tensors, { step: String(step) });
  renameSync(part, checkpoint);
}

// Exercises and reviews first, where each use of a history is learnt soonest; then all
// there is, and more of the speeches, which take longest.
const phases = [
  { pairs: [...rows.drills, ...rows.short, ...rows.simulated.slice(0, 10_000)], until: 500, batchSize: 16 },
  { pairs: [...rows.simulated, ...rows.speeches], until: 1000, batchSize: 16 },
  {
    pairs: [...rows.simulated.slice(0, 20_000), ...rows.speeches, ...rows.speeches],
    until: TOTAL_STEPS,
    batchSize: 16,
  },
];
let tokens = 0;
const began = performance.now();
const note = (line: object) => appendFileSync(join(work, 'steps.jsonl'), `${JSON.stringify(line)}\n`);
for (const { pairs, until, batchSize } of phases) {
  if (startStep >= until) continue;
  for await (const record of trainingLoop(graph, pairs, { ...options, batchSize, startStep })) {
    tokens += record.tokens;
    const seconds = (performance.now() - began) / 1000;
    note({ ...record, seconds });
    if (record.step % 25 === 0)
      console.log(
        `step ${record.step} loss ${record.loss.toFixed(3)} norm ${record.gradientNorm.toFixed(2)} ${(tokens / seconds).toFixed(0)} tokens/s`,
      );
    if (record.step % CHECKPOINT_EVERY === 0) {
      await save(record.step);
      const found = await validate({ model, trained: viewsOf(parameters, parameters.weights) }, THREADS);
      console.log(JSON.stringify({ step: record.step, ...found }));
      note({ step: record.step, ...found });
    }
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
