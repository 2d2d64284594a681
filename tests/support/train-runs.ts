/** @file The small run that tests of stopping, killing and full disks share, and what must be equal after any of them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainEvent } from '../../src/method/runs/run.ts';
import { type TrainPairsOptions, trainPairs } from '../../src/method/runs/train.ts';
import { randomPairs, tinyModel } from './tiny-model.ts';

/** How a child process runs. */
export interface ChildOptions {
  /** `averaging` trains all weights, too, by effects of their moving average. */
  readonly method: 'full' | 'averaging' | 'lora';
  /** Keeps the best step by twelve held-out pairs, at a rate under which it is one in the middle. */
  readonly keepBest?: boolean;
  /** Rest after each event. */
  readonly stepMilliseconds?: number;
  /** Rest before each flush to disk. */
  readonly flushMilliseconds?: number;
}

/** What runs of the tiny model on random pairs share: four examples a step, twice over, on one thread. */
export const randomRun = {
  modelSource: 'tiny-llama',
  dataSource: 'random pairs',
  batchSize: 2,
  gradientAccumulation: 2,
  epochs: 2,
  threads: 1,
} as const satisfies Partial<TrainPairsOptions>;

/** 24 steps, checkpoints after every fourth; adapters with dropout. */
export async function childRun({ method, keepBest = false }: ChildOptions) {
  const model = await tinyModel();
  const pairs = randomPairs(48);
  const validation = randomPairs(12, 5);
  const fresh: Omit<TrainPairsOptions, 'out'> = {
    ...randomRun,
    model,
    pairs,
    objective: 'nextquill-code',
    ...(method === 'lora'
      ? { lora: { rank: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj'], dropout: 0.1 } }
      : {}),
    // Soft weights: no effect of this model reaches the threshold, so that the average would change nothing.
    ...(method === 'averaging' && {
      estimator: 'moving-average',
      estimatorDecay: 0.9,
      objectiveOptions: { softWeights: true },
    }),
    learningRate: 1e-3,
    seed: 7,
    checkpointEvery: 4,
    ...(keepBest && { learningRate: 3e-2, validation, evalEvery: 2, keepBest }),
  };
  return { fresh, again: { model, pairs, ...(keepBest && { validation }) } };
}

/** Reads all events of a run. */
export async function allEvents(events: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const list: TrainEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}

/**
 * Trains on pairs, and aborts at a reading of the clock after a step: it is read once when a step begins, and once between a step and
 * its evaluation.
 * @throws {AbortedError} there
 */
export async function abortAtClock(
  options: TrainPairsOptions,
  { step, calls }: { readonly step: number; readonly calls: number },
): Promise<void> {
  const controller = new AbortController();
  let left = Number.POSITIVE_INFINITY;
  const clock = () => {
    left -= 1;
    if (left === 0) controller.abort();
    return performance.now();
  };
  for await (const event of trainPairs({ ...options, signal: controller.signal, clock }))
    if (event.type === 'step' && event.step === step) left = calls;
}

/** What must not depend on interruptions: the bytes of the result, and the steps but for time and memory. */
export async function outcomeOf(run: string): Promise<{ files: Record<string, string>; steps: unknown[] }> {
  const manifest = JSON.parse(await readFile(join(run, 'manifest.json'), 'utf8')) as {
    recipe: { lora?: unknown };
  };
  const result = join(run, manifest.recipe.lora === undefined ? 'weights' : 'adapter');
  const files: Record<string, string> = {};
  for (const name of (await readdir(result)).sort())
    files[name] = (await readFile(join(result, name))).toString('base64');
  const lines = (await readFile(join(run, 'steps.jsonl'), 'utf8')).trimEnd().split('\n');
  const steps = lines.map((line) => {
    const { seconds: _, tokensPerSecond: __, peakMemoryBytes: ___, ...same } = JSON.parse(line);
    return same as unknown;
  });
  return { files, steps };
}
