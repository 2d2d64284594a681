/** @file One trained system of a benchmark: its adapter, from a run that is started, resumed or already finished. */
import { join } from 'node:path';
import { exists } from '../../base/exists.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { loadAdapter } from '../../engine/lora/adapter-folder.ts';
import type { Model } from '../../engine/models/model.ts';
import type { BenchmarkSystem } from '../../method/benchmark/systems.ts';
import type { Example } from '../../method/data/example.ts';
import type { PromptSettings } from '../../method/prompts/pair.ts';
import type { TrainSummary } from '../../method/runs/manifest.ts';
import { resume, train } from '../../method/runs/train.ts';
import type { ScoredModel } from '../../method/scoring/scored-model.ts';

export interface TrainedSystem {
  readonly scored: ScoredModel;
  readonly summary: TrainSummary;
}

export interface TrainSystemOptions {
  readonly model: Model;
  readonly modelSource: string;
  readonly examples: readonly Example[];
  readonly dataSource: string;
  readonly prompt: PromptSettings;
  readonly training: NonNullable<BenchmarkSystem['training']>;
  readonly learningRate: number;
  readonly maxSteps: number;
  readonly batchSize: number;
  readonly loraRank: number;
  readonly seed: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
}

/** Trains, or takes up what was begun in `run`. @throws as `train` and `resume` do */
export async function trainSystem(run: string, options: TrainSystemOptions): Promise<TrainedSystem> {
  const { model, examples, threads, signal, onProgress, training, loraRank, ...rest } = options;
  const running = { ...(signal && { signal }), ...(threads !== undefined && { threads }) };
  const events = (await exists(join(run, 'manifest.json')))
    ? resume(run, {
        ...running,
        open: { model: async () => model, examples: async () => examples },
      })
    : train({
        ...rest,
        ...running,
        model,
        examples,
        objective: training.objective,
        ...(training.options && { objectiveOptions: training.options }),
        lora: { rank: loraRank, loraAlpha: 2 * loraRank },
        schedule: 'linear',
        warmupRatio: 0.05,
        gradientAccumulation: 1,
        epochs: Math.ceil((rest.maxSteps * rest.batchSize) / examples.length),
        out: run,
      });
  for (;;) {
    const { value, done } = await events.next();
    if (done) {
      const adapter = await loadAdapter(join(run, 'adapter'), model);
      return { scored: { model, adapter }, summary: value };
    }
    if (value.type === 'step')
      onProgress?.({ stage: 'training', done: value.step, total: value.totalSteps, unit: 'steps' });
  }
}
