/**
 * @file The main job, end to end and offline: fine-tune the embedded model by `sft` and by `nextquill` on the same
 * data and seed, score both and the base on people and passages never trained on, and draw what the history changes.
 */
import { join } from 'node:path';
import { writeFileAtomically } from '../../base/atomic-file.ts';
import { makeFolder } from '../../base/atomic-folder.ts';
import type { DeviceChoice } from '../../base/device.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { loadAdapter } from '../../engine/lora/adapter-folder.ts';
import type { Example } from '../../method/data/example.ts';
import { checkLeakageWithPauses } from '../../method/data/leakage.ts';
import type { NoticeListener } from '../../method/data/notice.ts';
import { prepareSotuPassages } from '../../method/data/sotu-passages.ts';
import { evaluate, pairedDifferences, type SystemEvaluation } from '../../method/evaluation/evaluate.ts';
import type { Evaluation, PairedDifference, SystemResult } from '../../method/evaluation/results.ts';
import { effectAuc } from '../../method/evaluation/token-causes.ts';
import { effectMapOf } from '../../method/explain/explain.ts';
import { DEFAULT_OTHERS } from '../../method/others/others-histories.ts';
import type { PromptSettings } from '../../method/prompts/pair.ts';
import { train } from '../../method/runs/train.ts';
import { type ExampleEffects, exampleEffects } from '../../method/scoring/rows.ts';
import type { ScoredModel } from '../../method/scoring/scored-model.ts';
import { comparisonAnswer } from '../../reports/comparison/comparison-answer.ts';
import { type LossCurve, renderComparison } from '../../reports/comparison/comparison-html.ts';
import { type OpenModelOptions, openModel } from '../open/model-source.ts';
import { defaultSizes, type QuickstartSizes, quickstartData } from './data.ts';
import { introduction, provenance } from './words.ts';

/** How the quickstart runs. */
export interface QuickstartOptions {
  /** Folder for the report and the two runs; made when it is not there. */
  readonly out: string;
  readonly seed?: number;
  readonly threads?: number;
  /** What the model is computed on; `cpu` by default. */
  readonly device?: DeviceChoice;
  /** Told which device was taken, where one was asked for. */
  readonly onDevice?: OpenModelOptions['onDevice'];
  readonly sizes?: QuickstartSizes;
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
  readonly onNotice?: NoticeListener | undefined;
  /** Seconds since some start; for tests. */
  readonly clock?: () => number;
}

/** What `quickstart --json` prints. */
export interface QuickstartResult {
  /** Whether the trained model uses a user's own history, in a sentence. */
  readonly answer: string;
  /** On simulated users never trained on. */
  readonly systems: readonly SystemResult[];
  /** The same systems on the last address of each president. */
  readonly speeches: {
    readonly systems: readonly SystemResult[];
    readonly differences: readonly PairedDifference[];
  };
  /** Between the systems, on the simulated users, with p-values of paired permutation tests by user. */
  readonly differences: readonly PairedDifference[];
  /** Of the log ratio against the known causes; `system` says whose effects. */
  readonly effects: { readonly auc: Estimate & { readonly system: string } };
  readonly report: string;
  readonly runs: readonly string[];
  readonly seconds: number;
}

/** Systems that are fine-tuned, in the order of the table; `base` comes before them. */
const OBJECTIVES = ['sft', 'nextquill'] as const;

/** Fine-tuning of both systems: chosen on validation seeds (docs/log.md), the same for both. */
const TRAINING = {
  lora: { rank: 16, loraAlpha: 32 },
  learningRate: 1e-3,
  schedule: 'linear',
  warmupRatio: 0.05,
  batchSize: 8,
  gradientAccumulation: 1,
  epochs: 1,
} as const;

const MAPS_OF_EACH = 3;

interface Scored {
  readonly simulated: SystemEvaluation;
  readonly speeches: SystemEvaluation;
  readonly effects: readonly ExampleEffects[];
  readonly model: ScoredModel;
}

/** Runs the quickstart. @throws {AbortedError} when the signal says so; the folder then holds what was finished */
export async function quickstart(options: QuickstartOptions): Promise<QuickstartResult> {
  const {
    out,
    seed = 1,
    threads,
    sizes = defaultSizes,
    device,
    onDevice,
    signal,
    onProgress,
    onNotice,
  } = options;
  const clock = options.clock ?? (() => performance.now() / 1000);
  const start = clock();
  const model = await openModel('embedded', { ...(device && { device }), ...(onDevice && { onDevice }) });
  const prompt: PromptSettings = {
    template: 'default',
    reference: 'removed',
    maxTokens: model.config.maxPositions,
    maxHistory: 3,
  };
  await prepareSotuPassages(signal);
  const data = quickstartData(seed, sizes);
  await checkLeakageWithPauses([...data.train, ...data.simulated, ...data.speeches], { signal });
  await makeFolder(out);
  const shared = {
    prompt,
    ...(threads === undefined ? {} : { threads }),
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  };

  const score = async (name: string, scored: ScoredModel): Promise<Scored> => {
    const settings = { ...shared, others: DEFAULT_OTHERS, seed };
    const simulated = await evaluate(name, scored, data.simulated, settings);
    const speeches = await evaluate(name, scored, data.speeches, { ...settings, pool: data.speechPool });
    const effects: ExampleEffects[] = [];
    for await (const effect of exampleEffects(scored, data.simulated, {
      ...shared,
      ...stage(`effects of ${name}`, onProgress),
    }))
      effects.push(effect);
    return { simulated, speeches, effects, model: scored };
  };

  const results = new Map<string, Scored>([['base', await score('base', { model })]]);
  const curves: LossCurve[] = [];
  const runs: string[] = [];
  for (const objective of OBJECTIVES) {
    const run = join(out, 'runs', objective);
    const steps: { step: number; loss: number }[] = [];
    const events = train({
      ...TRAINING,
      ...shared,
      model,
      modelSource: 'embedded',
      examples: data.train,
      dataSource: `quickstart, seed ${seed}`,
      objective,
      seed,
      out: run,
    });
    for await (const event of events) {
      if (event.type === 'notice') onNotice?.(event.notice);
      if (event.type !== 'step') continue;
      // The cross-entropy part is what the two systems have in common.
      steps.push({ step: event.step, loss: event.parts.crossEntropy! });
      onProgress?.({
        stage: `training ${objective}`,
        done: event.step,
        total: event.totalSteps,
        unit: 'steps',
        detail: `loss ${event.loss.toFixed(3)}`,
      });
    }
    curves.push({ system: objective, steps });
    runs.push(run);
    const adapter = await loadAdapter(join(run, 'adapter'), model);
    results.set(objective, await score(objective, { model, adapter }));
  }

  const evaluations = [
    evaluationOf('Simulated users', results, 'simulated', seed),
    evaluationOf('Presidents', results, 'speeches', seed),
  ];
  const chosen = results.get('nextquill')!;
  const speechMaps = exampleEffects(chosen.model, pickMaps(data.speeches), {
    ...shared,
    ...stage('maps', onProgress),
  });
  const mapped: ExampleEffects[] = pickMaps(chosen.effects);
  for await (const effect of speechMaps) mapped.push(effect);
  const seconds = clock() - start;
  const report = join(out, 'report.html');
  const html = renderComparison({
    question: 'Does a model that was trained on users’ histories use a user’s own?',
    facts: `NextQuill quickstart · seed ${seed} · ${Math.round(seconds)} seconds`,
    system: 'nextquill',
    introduction: introduction(data, DEFAULT_OTHERS + 1),
    evaluations,
    lossCurves: curves,
    maps: mapped.map((effect) =>
      effectMapOf(
        effect,
        { model },
        { modelName: 'embedded, nextquill', title: titleOf(effect.example), prompt },
      ),
    ),
    provenance: provenance(model, data, seed, seconds, TRAINING),
  });
  await writeFileAtomically(report, (file) => file.writeFile(html));
  const best = evaluations[0]!.effectAuc!.find((auc) => auc.system === 'nextquill')!;
  return {
    answer: comparisonAnswer(evaluations, 'nextquill').sentence,
    systems: evaluations[0]!.systems,
    speeches: { systems: evaluations[1]!.systems, differences: evaluations[1]!.differences! },
    differences: evaluations[0]!.differences!,
    effects: { auc: best },
    report,
    runs,
    seconds,
  };
}

function evaluationOf(
  name: string,
  results: ReadonlyMap<string, Scored>,
  part: 'simulated' | 'speeches',
  seed: number,
): Evaluation {
  const of = (system: string) => results.get(system)![part];
  const systems = [...results.keys()];
  const scores = of('base').scores;
  return {
    name,
    users: new Set(scores.map((score) => score.user)).size,
    examples: scores.length,
    systems: systems.map((system) => of(system).system),
    historyEffects: systems.map((system) => of(system).historyEffect),
    differences: [
      ...pairedDifferences(
        of('nextquill'),
        of('sft'),
        [
          'nllWithHistory',
          'nllWithoutHistory',
          'nllOtherHistory',
          'userSpecificEffect',
          'authorIdentification',
        ],
        { seed },
      ),
      ...OBJECTIVES.flatMap((system) =>
        pairedDifferences(
          of(system),
          of('base'),
          ['nllWithHistory', 'nllWithoutHistory', 'nllOtherHistory', 'userSpecificEffect'],
          { seed },
        ),
      ),
    ],
    ...(part === 'simulated'
      ? {
          effectAuc: systems.map((system) => ({
            ...effectAuc(results.get(system)!.effects, { seed }),
            system,
          })),
        }
      : {}),
  };
}

/** The first few: examples come in random order of users. */
const pickMaps = <T>(items: readonly T[]): T[] => items.slice(0, MAPS_OF_EACH);

function titleOf(example: Example): string {
  return example.causes === undefined ? `${example.user}, ${example.time}` : `Simulated user ${example.user}`;
}

function stage(name: string, onProgress: ProgressListener | undefined): { onProgress?: ProgressListener } {
  return onProgress === undefined
    ? {}
    : { onProgress: (progress) => onProgress({ ...progress, stage: name }) };
}
