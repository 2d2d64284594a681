/**
 * @file Runs a benchmark: every system on every set of users with every model and seed, each on the same prompts, budgets and
 * decoding. What is finished is kept and not done again; what was killed is resumed.
 */
import { join, resolve } from 'node:path';
import { makeFolder } from '../../base/atomic-folder.ts';
import { ConfigError } from '../../base/errors.ts';
import { canonicalJson, sha256 } from '../../base/hash.ts';
import { type Leaderboard, leaderboard } from '../../method/benchmark/leaderboard.ts';
import type { BenchmarkResult, SystemRun } from '../../method/benchmark/results.ts';
import { systemsOf } from '../../method/benchmark/systems.ts';
import { defaultPromptSettings } from '../../method/prompts/pair.ts';
import { lockRun } from '../../method/runs/run-lock.ts';
import { checkKeptStep } from '../../method/training/settings.ts';
import type { BenchmarkRecipe } from '../config/benchmark-recipe.ts';
import { readEmbeddings } from '../files/embedding-file.ts';
import { lastingModelSource, openModel } from '../open/model-source.ts';
import { benchmarkData } from './benchmark-data.ts';
import { openCells } from './cells.ts';
import { openJudge } from './judge-endpoint.ts';
import { judgedSystems } from './judged-systems.ts';
import { type Bench, type BenchmarkOptions, type Plan, systemRun } from './system-run.ts';
import type { HeldOutSettings } from './train-system.ts';

/**
 * Runs what is not finished of a benchmark, and gives the whole.
 * @throws {ConfigError} for a recipe that contradicts itself
 * @throws {CheckpointError} when another process works in the folder
 * @throws {AbortedError} when the signal says so; what was finished is kept
 */
export async function benchmark(
  recipe: BenchmarkRecipe,
  options: BenchmarkOptions = {},
): Promise<BenchmarkResult> {
  const plan = planOf(recipe);
  const names = [...plan.systems.keys()];
  const baseline = recipe.baseline ?? names[0]!;
  if (!names.includes(baseline))
    throw new ConfigError(`baseline: expected one of the systems ${names.join(', ')}, got ${baseline}`, {
      code: 'benchmark/baseline',
      hint: 'Add it to systems, or choose another baseline.',
    });
  for (const [key, list] of Object.entries({ models: recipe.models, data: recipe.data })) {
    const all = list.map(({ name }) => fileName(name));
    const twice = all.find((name, place) => all.indexOf(name) !== place);
    if (twice !== undefined)
      throw new ConfigError(`${key}: expected different names, got ${twice} twice`, {
        code: 'benchmark/duplicate',
        hint: 'Results are kept by these names: rename one.',
      });
  }
  for (const { name, source, simulated } of recipe.data)
    if ((source === undefined) === (simulated === undefined))
      throw new ConfigError(
        `data ${name}: expected one of source and simulated, got ${source ? 'both' : 'none'}`,
        {
          code: 'benchmark/data',
          hint: 'Name a file of examples, or ask for simulated users.',
        },
      );
  const idle = recipe.data.find(({ embeddings }) => embeddings !== undefined && !names.includes('dense'));
  if (idle !== undefined)
    throw new ConfigError(`data ${idle.name}: embeddings: expected the system dense, got none`, {
      code: 'config/no-effect',
      hint: 'Add dense to systems, or leave embeddings out.',
    });
  const { judge } = recipe;
  if (judge !== undefined && plan.texts === 0)
    throw new ConfigError('judge: expected written texts (generate.texts), got none', {
      code: 'config/no-effect',
      hint: 'Set generate.texts, or leave the judge out.',
    });
  const ask = judge && (await openJudge(judge, options));
  await makeFolder(plan.out);
  await using _lock = await lockRun(plan.out);
  const boards: BenchmarkResult['boards'][number][] = [];
  for (const { name: modelName, source } of recipe.models) {
    const modelSource = await lastingModelSource(source, options);
    const model = await openModel(modelSource, options);
    for (const spec of recipe.data) {
      const data = await benchmarkData(spec, options);
      const embeddings =
        spec.embeddings === undefined ? undefined : await readEmbeddings(spec.embeddings, options);
      const prompt = {
        ...defaultPromptSettings(model.config.maxPositions),
        ...(recipe.prompt?.maxTokens !== undefined && { maxTokens: recipe.prompt.maxTokens }),
        ...(recipe.prompt?.maxHistory !== undefined && { maxHistory: recipe.prompt.maxHistory }),
      };
      const place = `${fileName(modelName)}-${spec.name}`;
      const bench: Bench = {
        ...plan,
        place,
        model,
        modelSource,
        prompt,
        data,
        ...(embeddings && { embeddings }),
        cells: await openCells(join(plan.out, 'cells', place)),
        made: [
          2,
          model.hash,
          model.tokenizer.hash,
          prompt,
          sha256(canonicalJson(data as never)),
          plan.others,
          // A device's last digits are its own.
          ...(model.device === undefined ? [] : [model.device]),
        ],
        options,
      };
      const runs: SystemRun[] = [];
      for (const name of names) runs.push(await systemRun(bench, name));
      boards.push({
        model: modelName,
        modelHash: model.hash,
        data: spec.name,
        counts: { train: data.train.length, validation: data.validation.length, test: data.test.length },
        prompt,
        ...(spec.embeddings !== undefined && { embeddings: spec.embeddings }),
        leaderboard: boardOf(runs, baseline),
        ...(judge && {
          judge: {
            model: judge.model,
            host: new URL(judge.url).host,
            systems: await judgedSystems(bench, runs, baseline, {
              ask: ask!,
              answers: await openCells(join(plan.out, 'judge', place)),
              judge: [judge.url, judge.model],
            }),
          },
        }),
        systems: runs.map(({ cells, ...run }) => ({
          ...run,
          cells: cells.map(({ scores: _, ...cell }) => cell),
        })),
      });
    }
  }
  return { format: 'nextquill/benchmark', version: 1, recipe, boards };
}

const fileName = (name: string) => name.replace(/[^A-Za-z0-9.]+/g, '-');

function planOf(recipe: BenchmarkRecipe): Plan {
  const { training, generate, threads } = recipe;
  return {
    out: resolve(recipe.out),
    systems: systemsOf(recipe.systems),
    seeds: recipe.seeds ?? [1],
    rates: training?.learningRates ?? [5e-4],
    maxSteps: training?.maxSteps ?? 20,
    batchSize: training?.batchSize ?? 8,
    loraRank: training?.loraRank ?? 16,
    heldOut: heldOutOf(training),
    userEpochs: training?.userEpochs ?? 3,
    strengths: recipe.strengths ?? [0.5, 0.75, 1, 1.25, 1.5],
    others: recipe.others ?? 3,
    texts: generate?.texts ?? 0,
    maxNewTokens: generate?.maxNewTokens ?? 60,
    summaryTokens: generate?.summaryTokens ?? 100,
    ...(threads !== undefined && { threads }),
  };
}

/** How training looks at validation users. @throws {ConfigError} for what has no effect without it */
function heldOutOf(training: BenchmarkRecipe['training']): HeldOutSettings {
  const { evalEvery, evalExamples, keepBest, patience } = training ?? {};
  const settings = {
    ...(evalEvery !== undefined && { evalEvery }),
    ...(evalExamples !== undefined && { evalExamples }),
    ...(keepBest !== undefined && { keepBest }),
    ...(patience !== undefined && { patience }),
  };
  checkKeptStep(settings);
  if (evalExamples !== undefined && evalEvery === undefined)
    throw new ConfigError(`training.evalExamples: expected evalEvery beside it, got ${evalExamples} alone`, {
      code: 'config/no-effect',
      hint: 'Set training.evalEvery, or remove training.evalExamples.',
    });
  return settings;
}

const boardOf = (runs: readonly SystemRun[], baseline: string): Leaderboard =>
  leaderboard(
    runs.map(({ system, cells }) => ({ system, runs: cells })),
    baseline,
  );
