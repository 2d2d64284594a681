/** @file One trained system of a benchmark: its adapter, from a run that is started, resumed or already finished. */
import { join } from 'node:path';
import { exists } from '../../base/exists.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { Adapter } from '../../engine/lora/adapter.ts';
import { loadAdapter } from '../../engine/lora/adapter-folder.ts';
import type { Model } from '../../engine/models/model.ts';
import type { BenchmarkSystem } from '../../method/benchmark/systems.ts';
import type { Example, Split } from '../../method/data/example.ts';
import type { PromptSettings } from '../../method/prompts/pair.ts';
import type { BestStep } from '../../method/runs/best-step.ts';
import { readStepLog } from '../../method/runs/step-log.ts';
import { resume, train } from '../../method/runs/train.ts';
import type { ScoredModel } from '../../method/scoring/scored-model.ts';
import type { UserAdapters } from '../../method/scoring/user-adapters.ts';
import type { TrainingSettings } from '../../method/training/settings.ts';

/** What a training took; of all its parts where it has several. */
export interface TrainingCost {
  readonly seconds: number;
  /** Of all passes, padding not counted. */
  readonly tokens: number;
  readonly peakMemoryBytes: number;
}

export interface TrainedSystem {
  readonly scored: ScoredModel & { readonly adapter?: Adapter };
  /** Adapters of users on that model, where each has its own. */
  readonly adapters?: UserAdapters;
  readonly cost: TrainingCost;
  /** The step whose weights these are, where the best one is kept. */
  readonly best?: BestStep;
}

/** When the loss on validation users is measured in training, and what follows from it. */
export type HeldOutSettings = Pick<TrainingSettings, 'evalEvery' | 'evalExamples' | 'keepBest' | 'patience'>;

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
  /** Measures the loss on these rows while it trains, and keeps the best step where that is asked for. */
  readonly evaluation?: HeldOutSettings & { readonly rows: readonly Example[] };
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
}

/** Trains, or takes up what was begun in `run`. @throws as `train` and `resume` do */
export async function trainSystem(run: string, options: TrainSystemOptions): Promise<TrainedSystem> {
  const { model, threads, signal, onProgress, modelSource, dataSource, prompt } = options;
  const { maxSteps, batchSize, evaluation } = options;
  const { rows, ...heldOut } = evaluation ?? {};
  const examples =
    rows === undefined
      ? options.examples
      : [...ofSplit(options.examples, 'train'), ...ofSplit(rows, 'validation')];
  const running = { ...(signal && { signal }), ...(threads !== undefined && { threads }) };
  const events = (await exists(join(run, 'manifest.json')))
    ? resume(run, {
        ...running,
        open: { model: async () => model, examples: async () => examples },
      })
    : train({
        ...trainingSettings(options),
        ...heldOut,
        ...running,
        model,
        modelSource,
        examples,
        dataSource,
        prompt,
        maxSteps,
        batchSize,
        epochs: Math.ceil((maxSteps * batchSize) / options.examples.length),
        out: run,
      });
  for (;;) {
    const { value, done } = await events.next();
    if (done) {
      const adapter = await loadAdapter(join(run, 'adapter'), model);
      const { peakMemoryBytes, best } = value;
      let [seconds, tokens] = [0, 0];
      for (const line of await readStepLog(run)) {
        seconds += line.seconds;
        tokens += line.tokens;
      }
      const cost = { seconds, tokens, peakMemoryBytes };
      return { scored: { model, adapter }, cost, ...(best && { best }) };
    }
    if (value.type === 'step')
      onProgress?.({ stage: 'training', done: value.step, total: value.totalSteps, unit: 'steps' });
  }
}

/** Rows as a run knows them, whatever they were called in a benchmark's data. */
const ofSplit = (rows: readonly Example[], split: Split): Example[] =>
  rows.map((example) => ({ ...example, split }));

/** What all trained systems are trained by alike. */
export function trainingSettings({
  training,
  loraRank,
  learningRate,
  seed,
}: Pick<TrainSystemOptions, 'training' | 'loraRank' | 'learningRate' | 'seed'>): TrainingSettings {
  return {
    objective: training.objective,
    ...(training.options && { objectiveOptions: training.options }),
    ...(training.estimator && { estimator: training.estimator }),
    lora: { rank: loraRank, loraAlpha: 2 * loraRank },
    learningRate,
    schedule: 'linear',
    warmupRatio: 0.05,
    gradientAccumulation: 1,
    seed,
  };
}
