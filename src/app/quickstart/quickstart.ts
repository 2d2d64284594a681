/**
 * @file The main job, end to end and offline: fine-tune the embedded model on users of a world that it does not know, by `sft` and
 * by `nextquill` on the same data and seed; score both and the base on users never trained on; draw what the history changes
 * before training and after it.
 */
import { join } from 'node:path';
import { writeFileAtomically } from '../../base/atomic-file.ts';
import { makeFolder } from '../../base/atomic-folder.ts';
import type { DeviceChoice } from '../../base/device.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import { loadAdapter } from '../../engine/lora/adapter-folder.ts';
import type { Model } from '../../engine/models/model.ts';
import type { Example } from '../../method/data/example.ts';
import { checkLeakageWithPauses } from '../../method/data/leakage.ts';
import type { NoticeListener } from '../../method/data/notice.ts';
import { evaluate, pairedDifferences, type SystemEvaluation } from '../../method/evaluation/evaluate.ts';
import type { Evaluation, PairedDifference, SystemResult } from '../../method/evaluation/results.ts';
import { effectAuc } from '../../method/evaluation/token-causes.ts';
import type { EffectMap } from '../../method/explain/effect-map.ts';
import { effectMapOf } from '../../method/explain/explain.ts';
import { DEFAULT_OTHERS } from '../../method/others/others-histories.ts';
import type { PromptSettings } from '../../method/prompts/pair.ts';
import { train } from '../../method/runs/train.ts';
import { type ExampleEffects, exampleEffects } from '../../method/scoring/rows.ts';
import { memoryKeeper } from '../../method/scoring/score-keeper.ts';
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

type SystemAuc = Estimate & { readonly system: string };

/** What `quickstart --json` prints. */
export interface QuickstartResult {
  /** What fine-tuning taught, and whether the model uses a user's own history, in sentences. */
  readonly answer: string;
  /** On users of the new world that no training has seen. */
  readonly systems: readonly SystemResult[];
  /** The same systems on users of the world that the embedded model knew before. */
  readonly knownWorld: {
    readonly systems: readonly SystemResult[];
    readonly differences: readonly PairedDifference[];
  };
  /** Between the systems, on the new world, with p-values of paired permutation tests by user. */
  readonly differences: readonly PairedDifference[];
  /**
   * Of the log ratio against the known causes; `system` says whose effects. `auc` is of the trained model where it knows both
   * items and words, and so says whether effects find what users do; `newWorld` is of every system where items are new.
   */
  readonly effects: { readonly auc: SystemAuc; readonly newWorld: readonly SystemAuc[] };
  readonly report: string;
  readonly runs: readonly string[];
  readonly seconds: number;
}

/** Systems that are fine-tuned, in the order of the table; `base` comes before them. */
const OBJECTIVES = ['sft', 'nextquill'] as const;
const LEARNING = { before: 'base', after: OBJECTIVES };

/** Fine-tuning of both systems: chosen on validation seeds (docs/log.md), the same for both. */
const TRAINING = {
  lora: { rank: 16, loraAlpha: 32 },
  learningRate: 2e-3,
  schedule: 'linear',
  warmupRatio: 0.05,
  batchSize: 8,
  gradientAccumulation: 1,
  epochs: 1,
} as const;

const MAPS_OF_EACH = 3;

type Part = 'newWorld' | 'knownWorld';

interface ScoredPart {
  readonly evaluation: SystemEvaluation;
  readonly effects: readonly ExampleEffects[];
}

type Scored = Readonly<Record<Part, ScoredPart>>;

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
  const data = quickstartData(seed, sizes);
  await checkLeakageWithPauses([...data.train, ...data.newWorld, ...data.knownWorld], { signal });
  await makeFolder(out);
  const shared = {
    prompt,
    ...(threads === undefined ? {} : { threads }),
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  };

  const scorePart = async (
    name: string,
    scored: ScoredModel,
    examples: readonly Example[],
  ): Promise<ScoredPart> => {
    // Of the prompts that are evaluated, those with and without the history have been scored for the effects.
    const keeper = memoryKeeper();
    const effects: ExampleEffects[] = [];
    for await (const effect of exampleEffects(scored, examples, {
      ...shared,
      keeper,
      ...stage(`effects of ${name}`, onProgress),
    }))
      effects.push(effect);
    const evaluation = await evaluate(name, scored, examples, {
      ...shared,
      keeper,
      others: DEFAULT_OTHERS,
      seed,
    });
    return { evaluation, effects };
  };
  const score = async (name: string, scored: ScoredModel): Promise<Scored> => ({
    newWorld: await scorePart(name, scored, data.newWorld),
    knownWorld: await scorePart(name, scored, data.knownWorld),
  });

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
    evaluationOf('New world: journeys', results, 'newWorld', seed),
    evaluationOf('Known world: reviews', results, 'knownWorld', seed),
  ] as const;
  const [newWorld, knownWorld] = evaluations;
  const seconds = clock() - start;
  const report = join(out, 'report.html');
  const html = renderComparison({
    question: 'Can a model learn to use the histories of users whose subjects it has never met?',
    facts: `NextQuill quickstart · seed ${seed} · ${Math.round(seconds)} seconds`,
    system: 'nextquill',
    learning: LEARNING,
    introduction: introduction(data, DEFAULT_OTHERS + 1),
    evaluations,
    lossCurves: curves,
    maps: mapsOf(results, model, prompt),
    mapsInAnswer: 2,
    provenance: provenance(model, data, seed, seconds, TRAINING),
  });
  await writeFileAtomically(report, (file) => file.writeFile(html));
  return {
    answer: comparisonAnswer(evaluations, 'nextquill', LEARNING).sentence,
    systems: newWorld.systems,
    knownWorld: { systems: knownWorld.systems, differences: knownWorld.differences! },
    differences: newWorld.differences!,
    effects: {
      auc: knownWorld.effectAuc!.find((auc) => auc.system === 'nextquill')!,
      newWorld: newWorld.effectAuc!,
    },
    report,
    runs,
    seconds,
  };
}

function evaluationOf(
  name: string,
  results: ReadonlyMap<string, Scored>,
  part: Part,
  seed: number,
): Evaluation {
  const of = (system: string) => results.get(system)![part].evaluation;
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
    effectAuc: systems.map((system) => ({
      ...effectAuc(results.get(system)![part].effects, { seed }),
      system,
    })),
  };
}

/** The first text of the new world before training and after it, then other texts after it: examples come in random order of users. */
function mapsOf(results: ReadonlyMap<string, Scored>, model: Model, prompt: PromptSettings): EffectMap[] {
  const [before, after] = [results.get('base')!, results.get('nextquill')!];
  const shown: readonly (readonly [ExampleEffects | undefined, string, string])[] = [
    [before.newWorld.effects[0], 'base', 'before training'],
    [after.newWorld.effects[0], 'nextquill', 'after training'],
    ...after.newWorld.effects
      .slice(1, MAPS_OF_EACH)
      .map((effect) => [effect, 'nextquill', 'new world'] as const),
    ...after.knownWorld.effects
      .slice(0, MAPS_OF_EACH)
      .map((effect) => [effect, 'nextquill', 'known world'] as const),
  ];
  return shown.flatMap(([effect, system, when]) =>
    effect === undefined
      ? []
      : [
          effectMapOf(
            effect,
            { model },
            {
              modelName: `embedded, ${system}`,
              title: `Simulated user ${effect.example.user}, ${when}`,
              prompt,
            },
          ),
        ],
  );
}

function stage(name: string, onProgress: ProgressListener | undefined): { onProgress?: ProgressListener } {
  return onProgress === undefined
    ? {}
    : { onProgress: (progress) => onProgress({ ...progress, stage: name }) };
}
