/** @file The files of a run folder damaged: manifest.json, steps.jsonl, state.json and the tensors of a checkpoint. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256OfFile } from '../../src/base/hash.ts';
import type { RandomStream } from '../../src/base/random.ts';
import { flatParameters } from '../../src/engine/optim/flat-parameters.ts';
import { planObjective } from '../../src/method/objectives/plan.ts';
import { restoreNewest, writeBest, writeCheckpoint } from '../../src/method/runs/checkpoint.ts';
import { checkUnchanged, recordedItems } from '../../src/method/runs/data-record.ts';
import { type Manifest, readManifest, recipeOf, settingsOf } from '../../src/method/runs/manifest.ts';
import { summarise } from '../../src/method/runs/run.ts';
import { isFinished } from '../../src/method/runs/run-folder.ts';
import { cutStepLog, readStepLog } from '../../src/method/runs/step-log.ts';
import { totalSteps } from '../../src/method/training/trainer.ts';
import { type MutationTarget, mutateBytes, mutateJson, mutateText } from './mutations.ts';

const hash = 'a'.repeat(64);

/** A manifest with every key that there is. */
export const exampleManifest: Manifest = {
  formatVersion: 1,
  status: 'done',
  step: 6,
  totalSteps: 6,
  recipe: recipeOf(
    {
      objective: planObjective('perce', { plainWeight: 0.8 }, 'fixed'),
      estimatorModel: 'runs/sft/adapter',
      estimatorDecay: 0.99,
      lora: { rank: 2, loraAlpha: 4, targetModules: ['q_proj'], dropout: 0.1, rsLora: true },
      baseBits: 4,
      recompute: false,
      packing: false,
      groupByPrefix: false,
      learningRate: 1e-3,
      schedule: 'linear',
      warmupRatio: 0.01,
      weightDecay: 0.025,
      maxGradientNorm: 1,
      batchSize: 2,
      gradientAccumulation: 1,
      epochs: 1,
      maxSteps: 6,
      seed: 0,
      threads: 1,
      checkpointEvery: 2,
      checkpointMinutes: 10,
      evalEvery: 2,
      evalExamples: 8,
      keepBest: true,
      patience: 2,
      keepCheckpoints: 2,
    },
    { template: 'default', reference: 'removed', maxTokens: 100, maxHistory: 2 },
  ),
  model: { source: 'm', hash, tokenizerHash: hash },
  data: {
    source: 'd.jsonl',
    hash,
    examples: ['e1', 'e2'],
    exampleHashes: ['a'.repeat(12), 'b'.repeat(12)],
    promptsHash: hash,
  },
  validation: {
    ...{ source: 'd.jsonl', hash, promptsHash: hash },
    ...{ examples: ['e3'], exampleHashes: ['c'.repeat(12)] },
  },
  estimates: { hash, modelHash: hash },
  versions: { nextquill: '0.1.0', node: '20.19.0', onnxruntime: '1.30.0' },
  machine: { platform: 'linux-x64', processor: 'p', threads: 1 },
  summary: {
    steps: 6,
    examplesPerSecond: 1,
    tokensPerSecond: 1,
    peakMemoryBytes: 1,
    finalLoss: 1,
    validationLoss: 1,
    best: { step: 4, validationLoss: 0.5 },
    endedBy: 'patience',
    adapter: 'a',
  },
};

const line = (step: number) => ({
  ...{ step, epoch: 0, loss: 2.5, parts: { crossEntropy: 2.5 }, learningRate: 1e-3, gradientNorm: 1 },
  ...{ examples: 2, tokens: 40, seconds: 0.5, tokensPerSecond: 80, peakMemoryBytes: 1e8 },
});

/** Reads a manifest as resuming does, before any model is opened. */
export async function readAsResume(run: string): Promise<void> {
  const manifest = await readManifest(run);
  totalSteps(manifest.data.examples.length, settingsOf(manifest.recipe));
  const items = manifest.data.examples.map((id) => ({ id }));
  recordedItems(manifest.data, items);
  checkUnchanged(manifest.data, exampleManifest.data);
  await isFinished(run, manifest);
}

async function inFolder(work: (folder: string) => Promise<unknown>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nextquill-mutation-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The text of a JSON value, damaged as a value nine times in ten, else as text. */
const damaged = (value: unknown, random: RandomStream): string =>
  random.next() < 0.1 ? mutateText(JSON.stringify(value), random) : JSON.stringify(mutateJson(value, random));

const shapes = [
  { name: 'a', shape: [4, 3] },
  { name: 'b', shape: [5] },
];
let checkpoint: Promise<string> | undefined;

/** A run folder with one checkpoint, written once. */
function checkpointRun(): Promise<string> {
  checkpoint ??= (async () => {
    const run = mkdtempSync(join(tmpdir(), 'nextquill-mutation-run-'));
    process.once('exit', () => rmSync(run, { recursive: true, force: true }));
    mkdirSync(join(run, 'checkpoints'));
    await writeBest(run, 4, flatParameters(shapes));
    const best = { step: 4, validationLoss: 0.5, evaluatedAt: 6, evaluationsSince: 1 };
    await writeCheckpoint(run, 6, flatParameters(shapes), best);
    return run;
  })();
  return checkpoint;
}

function checkpointTarget(
  name: string,
  damage: (folder: string, random: RandomStream) => Promise<void> | void,
): MutationTarget {
  return {
    name,
    tryMutant: (random) =>
      inFolder(async (run) => {
        cpSync(await checkpointRun(), run, { recursive: true });
        await damage(join(run, 'checkpoints/step-6'), random);
        await restoreNewest(run, flatParameters(shapes));
      }),
  };
}

export const runTargets: readonly MutationTarget[] = [
  {
    name: 'manifest.json',
    tryMutant: (random) =>
      inFolder(async (run) => {
        writeFileSync(join(run, 'manifest.json'), damaged(exampleManifest, random));
        await readAsResume(run);
      }),
  },
  {
    name: 'steps.jsonl',
    tryMutant: (random) =>
      inFolder(async (run) => {
        const texts = [1, 2, 3].map((step) => JSON.stringify(line(step)));
        const at = random.integer(texts.length);
        texts[at] = damaged(line(at + 1), random);
        const text = `${texts.join('\n')}\n`;
        const file = join(run, 'steps.jsonl');
        writeFileSync(file, random.next() < 0.1 ? mutateBytes(new TextEncoder().encode(text), random) : text);
        await readStepLog(run);
        const lines = await cutStepLog(run, 3);
        if (lines.length > 0) summarise(run, exampleManifest, lines, { step: lines.length });
      }),
  },
  checkpointTarget('checkpoint state.json', (folder, random) => {
    const file = join(folder, 'state.json');
    writeFileSync(file, damaged(JSON.parse(readFileSync(file, 'utf8')), random));
  }),
  // The hashes are made to fit, as a hand that changes a file would.
  checkpointTarget('checkpoint tensors', async (folder, random) => {
    const name = random.pick(['weights.safetensors', 'optimizer.safetensors']);
    const bytes = mutateBytes(readFileSync(join(folder, name)), random);
    writeFileSync(join(folder, name), bytes);
    const state = JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8'));
    state.files[name] = { bytes: bytes.length, sha256: await sha256OfFile(join(folder, name)) };
    writeFileSync(join(folder, 'state.json'), JSON.stringify(state));
  }),
];
