/** @file One system on one set of users with one model: what is chosen on validation users, then its scores, texts and costs. */
import { join } from 'node:path';
import { EngineError, throwIfAborted } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { meanByUser } from '../../base/statistics/by-user.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Model } from '../../engine/models/model.ts';
import type { Cell, SystemRun } from '../../method/benchmark/results.ts';
import { promptOfSystem, scoreSystem } from '../../method/benchmark/score-system.ts';
import { strengthOf } from '../../method/benchmark/strength.ts';
import { type BenchmarkSystem, benchmarkSystem, identityOf } from '../../method/benchmark/systems.ts';
import { summarise, withSummaries } from '../../method/generation/summaries.ts';
import { type WrittenTexts, writeTexts } from '../../method/generation/write-texts.ts';
import { comparedPrompts } from '../../method/prompts/compared-prompts.ts';
import type { PromptSettings } from '../../method/prompts/pair.ts';
import { measuredFor } from '../../method/scoring/measured-retrieval.ts';
import type { ScoredModel } from '../../method/scoring/scored-model.ts';
import { type EmbeddingFile, hashOfEmbeddings } from '../files/embedding-file.ts';
import type { OpenModelOptions } from '../open/model-source.ts';
import type { BenchmarkDataSet } from './benchmark-data.ts';
import type { Cells } from './cells.ts';
import { type HeldOutSettings, type TrainedSystem, trainSystem } from './train-system.ts';
import { mergedBase, trainUserAdapters } from './user-adapters.ts';

export interface BenchmarkOptions extends OpenModelOptions {
  readonly onProgress?: ProgressListener;
  /** Milliseconds of a clock that only runs forward; `performance.now` by default. */
  readonly clock?: () => number;
}

/** A recipe with nothing left open. */
export interface Plan {
  readonly out: string;
  readonly seeds: readonly number[];
  readonly rates: readonly number[];
  readonly maxSteps: number;
  readonly batchSize: number;
  readonly loraRank: number;
  /** Of trained systems on validation users; nothing where training does not look at them. */
  readonly heldOut: HeldOutSettings;
  /** Passes over a user's texts for an adapter of the user's own. */
  readonly userEpochs: number;
  readonly strengths: readonly number[];
  readonly others: number;
  readonly texts: number;
  readonly maxNewTokens: number;
  readonly summaryTokens: number;
  readonly threads?: number;
  /** By their names. */
  readonly systems: ReadonlyMap<string, BenchmarkSystem>;
}

/** One model on one set of users. */
export interface Bench extends Plan {
  readonly place: string;
  readonly model: Model;
  readonly modelSource: string;
  readonly prompt: PromptSettings;
  readonly data: BenchmarkDataSet;
  /** What dense compares, in place of the model's own hidden states. */
  readonly embeddings?: EmbeddingFile;
  readonly cells: Cells;
  /** Of the three sets, the model and the prompt: what every cell depends on. */
  readonly made: unknown;
  readonly options: BenchmarkOptions;
}

/** All that a system is measured by, on one set of users with one model. */
export async function systemRun(bench: Bench, name: string): Promise<SystemRun> {
  const system = systemOf(bench, name);
  const trained = trainingSystem(bench, name, system);
  const rate = trained && (await chooseRate(bench, trained));
  const strength = system.scales && (await chooseStrength(bench, name, system, rate?.chosen));
  const cells: Cell[] = [];
  for (const seed of trained === undefined ? [0] : bench.seeds)
    cells.push(await cellOf(bench, name, system, { seed, rate: rate?.chosen, strength: strength?.chosen }));
  return { system: name, what: system.what, ...(rate && { rate }), ...(strength && { strength }), cells };
}

/** A system of this benchmark, or one of the table that another builds on. */
const systemOf = ({ systems }: Pick<Plan, 'systems'>, name: string): BenchmarkSystem =>
  systems.get(name) ?? benchmarkSystem(name);

/** A system that is trained, by its name. */
interface Trained {
  readonly name: string;
  readonly system: BenchmarkSystem & Required<Pick<BenchmarkSystem, 'training'>>;
}

/** What is trained for a system: itself, the one whose adapter it uses, or nothing. */
function trainingSystem(
  bench: Pick<Plan, 'systems'>,
  name: string,
  system: BenchmarkSystem,
): Trained | undefined {
  if (system.adapterOf !== undefined)
    return trainingSystem(bench, system.adapterOf, systemOf(bench, system.adapterOf));
  const { training } = system;
  return training && { name, system: { ...system, training } };
}

interface Chosen {
  readonly seed: number;
  readonly rate: number | undefined;
  readonly strength: number | undefined;
}

/** All that a part of a system under one seed depends on. */
const dependsOn = (bench: Bench, system: BenchmarkSystem, { seed, rate, strength }: Chosen): unknown[] => [
  bench.made,
  ...identityOf(system),
  ...(system.adapterOf === undefined ? [] : identityOf(systemOf(bench, system.adapterOf))),
  ...(rate === undefined ? [] : trainedFrom(bench, system)),
  seed,
  rate ?? null,
  strength ?? null,
  bench.texts,
  bench.maxNewTokens,
  ...(system.template === 'summary' ? [bench.summaryTokens] : []),
  ...(system.retrieval === 'dense' && bench.embeddings !== undefined
    ? [hashOfEmbeddings(bench.embeddings)]
    : []),
];

/** A system ready to be used, and the texts that it is scored on, with whatever its prompts show. */
async function subjectOf(bench: Bench, name: string, system: BenchmarkSystem, { seed, rate }: Chosen) {
  const trained =
    rate === undefined
      ? undefined
      : await trainedBy(bench, trainingSystem(bench, name, system)!, rate, seed, 'test');
  const scored: ScoredModel = trained?.scored ?? { model: bench.model };
  const measured = await measuredFor(scored, bench.data.test, {
    ...running(bench, name),
    prompt: promptOfSystem(system, bench.prompt),
    embeddings: bench.embeddings,
  });
  const summaries = system.template === 'summary' ? await summariesOf(bench, name) : undefined;
  const test = summaries === undefined ? measured : withSummaries(measured, summaries);
  return { trained, scored, test, summaries, ...adaptersOf(trained) };
}

/** Adapters of users, where a trained system has them. */
const adaptersOf = (trained: TrainedSystem | undefined) =>
  trained?.adapters && { adapters: trained.adapters };

/** How a system writes. */
const writingOf = (bench: Bench, name: string, system: BenchmarkSystem, { strength }: Chosen) => ({
  ...running(bench, name),
  prompt: promptOfSystem(system, bench.prompt),
  history: system.retrieval !== undefined,
  maxNewTokens: bench.maxNewTokens,
  ...(strength !== undefined && (system.scales === 'adapter' ? { contrast: strength } : { strength })),
});

/** One system under one seed: its scores, its texts, and what they cost. */
function cellOf(bench: Bench, name: string, system: BenchmarkSystem, chosen: Chosen): Promise<Cell> {
  const { others, texts, options } = bench;
  const { seed, strength } = chosen;
  const clock = options.clock ?? (() => performance.now());
  return bench.cells.result(`${name}-${seed}`, dependsOn(bench, system, chosen), async () => {
    const { trained, scored, test, summaries, ...personal } = await subjectOf(bench, name, system, chosen);
    const asked = { ...running(bench, name), pool: test, others, seed: 0, prompt: bench.prompt };
    const start = clock();
    const scores = await scoreSystem(scored, system, test, {
      ...asked,
      ...personal,
      ...(strength !== undefined && { strength }),
    });
    const seconds = (clock() - start) / 1000;
    let written: WrittenTexts | undefined;
    if (texts > 0)
      written = await writeTexts(scored, test.slice(0, texts), {
        ...writingOf(bench, name, system, chosen),
        ...personal,
        authors: { pool: test, others, seed: 0, judge: bench.model },
      });
    return {
      seed,
      scores,
      scoringSeconds: seconds,
      ...(trained && {
        trainingSeconds: trained.cost.seconds,
        trainingTokens: trained.cost.tokens,
        peakMemoryBytes: trained.cost.peakMemoryBytes,
        ...(trained.best && { best: trained.best }),
      }),
      ...(written && { written }),
      ...(summaries && {
        summaryTokens: mean(summaries.map(({ tokensRead, tokensWritten }) => tokensRead + tokensWritten)),
      }),
    };
  });
}

/**
 * What a system writes for the same requests with a matched stranger's history in place of the own, under its first seed.
 * @returns texts by example; undefined for a system that shows no history
 */
export async function strangersTexts(
  bench: Bench,
  { system: name, cells, rate, strength }: SystemRun,
): Promise<ReadonlyMap<string, string> | undefined> {
  const system = systemOf(bench, name);
  if (system.retrieval === undefined && system.perUser === undefined) return undefined;
  const chosen: Chosen = { seed: cells[0]!.seed, rate: rate?.chosen, strength: strength?.chosen };
  const depends = [...dependsOn(bench, system, chosen), 'stranger'];
  const texts = await bench.cells.result(`stranger-${name}-${chosen.seed}`, depends, async () => {
    const { scored, test, adapters } = await subjectOf(bench, name, system, chosen);
    const writing = {
      ...writingOf(bench, name, system, chosen),
      ...(adapters && { adapters }),
    };
    const strangers = test.slice(0, bench.texts).flatMap((example) => {
      const { matched } = comparedPrompts(example, bench.model.tokenizer, writing.prompt, {
        ...{ pool: test, others: 1, seed: 0 },
      });
      if (matched === undefined) return [];
      const [{ user, history }] = matched.others as [(typeof matched.others)[number]];
      // A stranger's adapter comes with the history.
      return [{ ...example, history, ...(adapters && { user }) }];
    });
    return strangers.length === 0 ? [] : (await writeTexts(scored, strangers, writing)).texts;
  });
  return new Map(texts.map(({ example, text }) => [example, text]));
}

/**
 * The rate of the least loss on validation users, as the system is used, among those of the recipe: the same rule and the same cost
 * for every system. It is chosen under the first seed and holds for all.
 */
async function chooseRate(bench: Bench, { name, system }: Trained) {
  const { rates, made, data, seeds, others } = bench;
  if (rates.length === 1) return { chosen: rates[0]!, tried: [] };
  const tried: { readonly rate: number; readonly nll: number | null }[] = [];
  for (const rate of rates)
    tried.push(
      await bench.cells.result(
        `rate-${name}-${rate}`,
        [made, system, ...trainedFrom(bench, system), seeds[0]!, rate],
        async () => {
          const trained = await trainedBy(bench, { name, system }, rate, seeds[0]!, 'validation').catch(
            (error: unknown) => {
              // A rate under which the loss is no number is a bad rate, and no end of the benchmark.
              if (error instanceof EngineError && /^training\/nan-/.test(error.code)) return undefined;
              throw error;
            },
          );
          if (trained === undefined) return { rate, nll: null };
          const scores = await scoreSystem(trained.scored, system, data.validation, {
            ...running(bench, name),
            ...adaptersOf(trained),
            pool: data.validation,
            others,
            seed: 0,
            prompt: bench.prompt,
          });
          return {
            rate,
            nll: meanByUser(scores.map(({ user, nllWithHistory: value }) => ({ user, value }))).value,
          };
        },
      ),
    );
  const best = tried.reduce((least, each) =>
    (each.nll ?? Number.POSITIVE_INFINITY) < (least.nll ?? Number.POSITIVE_INFINITY) ? each : least,
  );
  return { chosen: best.rate, tried };
}

/** The strength of the least loss on validation users; under the first seed, where the system is trained. */
function chooseStrength(bench: Bench, name: string, system: BenchmarkSystem, rate: number | undefined) {
  const { made, strengths, data, prompt, seeds } = bench;
  const depends = [
    made,
    system,
    strengths,
    ...(rate === undefined ? [] : [trainingOf(bench), seeds[0]!, rate]),
  ];
  return bench.cells.result(`strength-${name}`, depends, async () => {
    const trained =
      rate === undefined
        ? undefined
        : await trainedBy(bench, trainingSystem(bench, name, system)!, rate, seeds[0]!, 'validation');
    return strengthOf(trained?.scored ?? { model: bench.model }, data.validation, {
      ...running(bench, name),
      strengths,
      scales: system.scales!,
      prompt: promptOfSystem(system, prompt),
    });
  });
}

/** Summaries of the histories of the users scored, by the model as it comes. */
function summariesOf(bench: Bench, name: string) {
  const { made, model, data, prompt, summaryTokens } = bench;
  return bench.cells.result('summaries', [made, summaryTokens], () =>
    summarise({ model }, data.test, { ...running(bench, name), prompt, maxNewTokens: summaryTokens }),
  );
}

/** What all trained systems share; settings that are not asked for are no part of it, so that what was trained before them is kept. */
const trainingOf = ({ maxSteps, batchSize, loraRank, heldOut }: Plan) => ({
  maxSteps,
  batchSize,
  loraRank,
  ...heldOut,
});

/** What the training of a system depends on, beside its rate and seed. */
const trainedFrom = (bench: Bench, { perUser }: BenchmarkSystem): unknown[] => [
  trainingOf(bench),
  ...(perUser === undefined ? [] : [benchmarkSystem(perUser.base), bench.rates, bench.userEpochs]),
];

/** Where a system is trained at one rate under one seed. */
function runFolder(bench: Bench, { name, system }: Trained, learningRate: number, seed: number): string {
  const depends = [bench.made, ...identityOf(system), ...trainedFrom(bench, system), learningRate, seed];
  const hash = sha256(canonicalJson(depends as never)).slice(0, 8);
  return join(bench.out, 'runs', `${bench.place}-${name}-${learningRate}-${seed}-${hash}`);
}

/** @param part whose users have adapters, where each has one */
async function trainedBy(
  bench: Bench,
  trained: Trained,
  learningRate: number,
  seed: number,
  part: 'validation' | 'test',
): Promise<TrainedSystem> {
  const { place, model, modelSource, data, prompt, loraRank, userEpochs } = bench;
  throwIfAborted(bench.options.signal);
  const { name, system } = trained;
  const { training, perUser } = system;
  const run = runFolder(bench, trained, learningRate, seed);
  const options = {
    ...running(bench, `${name}, rate ${learningRate}, seed ${seed}`),
    dataSource: `benchmark ${place}`,
    prompt: promptOfSystem(system, prompt),
    loraRank,
    training,
    learningRate,
    seed,
  };
  if (perUser === undefined)
    return trainSystem(run, {
      ...trainingOf(bench),
      ...options,
      ...((bench.heldOut.evalEvery ?? 0) > 0 && { evaluation: { ...bench.heldOut, rows: data.validation } }),
      model,
      modelSource,
      examples: data.train,
    });
  const base = trainingSystem(bench, perUser.base, benchmarkSystem(perUser.base))!;
  const { chosen } = await chooseRate(bench, base);
  const { scored, cost } = await trainedBy(bench, base, chosen, seed, part);
  const folder = `${runFolder(bench, base, chosen, seed)}-merged`;
  const merged = await mergedBase(folder, model, scored.adapter!);
  const users = { ...options, model: merged, modelSource: folder, examples: data[part], epochs: userEpochs };
  const { adapters, cost: ofUsers } = await trainUserAdapters(`${run}-${part}`, users);
  return {
    scored: { model: merged },
    adapters,
    cost: {
      seconds: cost.seconds + ofUsers.seconds,
      tokens: cost.tokens + ofUsers.tokens,
      peakMemoryBytes: Math.max(cost.peakMemoryBytes, ofUsers.peakMemoryBytes),
    },
  };
}

/** Threads, signal and progress of a part, told by its place. */
function running({ place, threads, options: { signal, onProgress } }: Bench, what: string) {
  return {
    ...(threads !== undefined && { threads }),
    ...(signal && { signal }),
    ...(onProgress && {
      onProgress: ((progress) =>
        onProgress({ ...progress, stage: `${place} ${what}: ${progress.stage}` })) satisfies ProgressListener,
    }),
  };
}
