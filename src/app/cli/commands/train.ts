/** @file `nextquill train`: fine-tunes by a recipe or by flags, and continues runs. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { mebibytes } from '../../../base/bytes.ts';
import { AbortedError, ConfigError } from '../../../base/errors.ts';
import type { Model } from '../../../engine/models/model.ts';
import type { Example } from '../../../method/data/example.ts';
import { readExamples } from '../../../method/data/source.ts';
import { defaultObjectiveOptions } from '../../../method/objectives/objective-options.ts';
import { DEFAULT_OBJECTIVE, objectiveNames } from '../../../method/objectives/objectives.ts';
import { estimatorNames } from '../../../method/objectives/plan.ts';
import type { TrainSummary } from '../../../method/runs/manifest.ts';
import type { TrainEvent } from '../../../method/runs/run.ts';
import { checkFree } from '../../../method/runs/run-folder.ts';
import type { MemoryRecord } from '../../../method/training/memory/memory-check.ts';
import type { RunSpec } from '../../config/recipe.ts';
import { type Override, parseOverride, readRecipe } from '../../config/recipe-source.ts';
import { resolveRecipe } from '../../config/resolve-recipe.ts';
import { readRows, warnOfLeakage } from '../../files/example-rows.ts';
import { MODEL_WORDS } from '../../open/model-words.ts';
import type { CliCommand, Session } from '../command.ts';
import {
  addDataFlags,
  addFlag,
  addPromptFlags,
  numberBetween,
  oneOf,
  repeated,
  wholeNumber,
} from '../flags.ts';
import { openingOf } from '../scoring.ts';

/** Flags that stand for a key of the recipe. */
const recipeKeys = {
  model: 'model',
  data: 'data',
  objective: 'objective',
  estimator: 'estimator',
  estimatorModel: 'estimatorModel',
  out: 'out',
  loraRank: 'lora.rank',
  loraDropout: 'lora.dropout',
  rslora: 'lora.rsLora',
  baseBits: 'lora.baseBits',
  recompute: 'training.recompute',
  maxSteps: 'training.maxSteps',
  maxExamples: 'limits.maxExamples',
  maxMemory: 'limits.maxMemory',
  maxHistory: 'prompt.maxHistory',
  maxTokens: 'prompt.maxTokens',
  reference: 'prompt.reference',
  seed: 'seed',
  threads: 'threads',
} as const;

type TrainFlags = Partial<Record<keyof typeof recipeKeys, string | number | boolean>> & {
  readonly resume?: string;
  readonly objectiveOption?: readonly string[];
};

export const trainCommand: CliCommand = {
  name: 'train',
  summary: 'fine-tune by a recipe or by flags; --resume RUN continues',
  define: (command: Command) => {
    command
      .argument('[recipe]', 'RECIPE.yaml')
      .argument('[overrides...]', 'key=value, such as training.learningRate=1e-4');
    addFlag(command, '--model <M>', MODEL_WORDS);
    addDataFlags(command);
    addFlag(
      command,
      '--objective <name>',
      `what is minimised: ${objectiveNames.join(', ')} (default: ${DEFAULT_OBJECTIVE})`,
      (flag) => oneOf(flag, objectiveNames),
    );
    command.addOption(
      new Option(
        '--objective-option <key=value>',
        `an option of the objective, such as stopGradient=true; may be given several times: ${Object.keys(defaultObjectiveOptions).join(', ')}`,
      ).argParser(repeated()),
    );
    addFlag(
      command,
      '--estimator <name>',
      `whose effects weights are made of: ${estimatorNames.join(', ')} (default: dynamic)`,
      (flag) => oneOf(flag, estimatorNames),
    );
    addFlag(command, '--estimator-model <M>', 'of a fixed estimator: an adapter folder or a model');
    addFlag(command, '--out <folder>', 'folder of the run; must not hold a run yet');
    addFlag(
      command,
      '--lora-rank <R>',
      'train low-rank adapters; without it all weights are trained',
      (flag) => wholeNumber(flag, 1),
    );
    addFlag(
      command,
      '--lora-dropout <share>',
      'share of a layer’s inputs hidden from its adapter in training',
      (flag) => numberBetween(flag, 0, 0.99),
    );
    addFlag(command, '--rslora', 'scale adapters by alpha / √rank');
    addFlag(
      command,
      '--base-bits <bits>',
      'keep the frozen base under adapters in 4 or 8 bits',
      (flag) => (text) => Number(oneOf(flag, ['4', '8'])(text)),
    );
    addFlag(command, '--recompute', 'compute each layer again in the backward pass: less memory, more time');
    addFlag(
      command,
      '--max-memory <size>',
      'refuse a run that would need more, such as 4G (default: what is left)',
    );
    addFlag(command, '--max-steps <n>', 'end the run after so many steps', (flag) => wholeNumber(flag, 1));
    addPromptFlags(command);
    addFlag(command, '--resume <run>', 'continue a run that was stopped, bit for bit');
    command.addHelpText(
      'after',
      '\nExamples:\n  nextquill train recipes/quickstart-sotu.yaml out=runs/a training.maxSteps=50\n' +
        '  nextquill train --model embedded --data sotu --objective nextquill --lora-rank 16 --out runs/a\n' +
        '  nextquill train --resume runs/a\n' +
        'A run folder holds ids of examples, and weights that have learnt from users’ texts: keep it where the data may be.',
    );
  },
  run: async (operands, flags, session) => {
    const { resume: folder, ...given } = flags as TrainFlags;
    const summary =
      folder === undefined
        ? await trainFresh(await specOf(operands, given, session), session)
        : await goOn(folder, operands, given, session);
    printSummary(summary, session);
  },
};

/** The recipe under the flags, and both under the overrides of the command line. */
async function specOf(operands: readonly string[], flags: TrainFlags, session: Session): Promise<RunSpec> {
  const { seed, threads } = session.options;
  const [first, ...rest] = operands;
  const isRecipe = first !== undefined && !first.includes('=');
  const words = isRecipe ? rest : operands;
  const all: TrainFlags = {
    ...flags,
    ...(seed !== undefined && { seed }),
    ...(threads !== undefined && { threads }),
  };
  const overrides: Override[] = Object.entries(recipeKeys).flatMap(([flag, key]) => {
    const value = all[flag as keyof typeof recipeKeys];
    return value === undefined ? [] : [{ key, value, place: flagName(flag) }];
  });
  if (flags.loraRank !== undefined) overrides.push({ key: 'full', value: undefined, place: '--lora-rank' });
  for (const option of flags.objectiveOption ?? []) {
    const { key, value } = parseOverride(option);
    overrides.push({ key: `objectiveOptions.${key}`, value, place: `--objective-option ${option}` });
  }
  overrides.push(...words.map(parseOverride));
  if (isRecipe) return resolveRecipe(readRecipe(await recipeText(first), first), overrides);
  for (const flag of ['model', 'data', 'out'] as const)
    if (!overrides.some(({ key }) => key === flag))
      throw new ConfigError(`--${flag}: expected a value, or a recipe that has it, got neither`, {
        code: 'usage/missing-flag',
        hint: 'Give --model, --data and --out, or name a RECIPE.yaml.',
      });
  const adapted = overrides.some(({ key }) => key.startsWith('lora'));
  const value = adapted ? {} : { full: true };
  return resolveRecipe({ value, places: new Map([['', 'flags']]) }, overrides);
}

async function recipeText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigError(
      `${path}: expected a recipe, got ${cause.code === 'ENOENT' ? 'no such file' : cause.code}`,
      {
        code: 'recipe/missing-file',
        hint: 'Name a YAML file, such as one of the folder recipes/.',
        cause,
      },
    );
  });
}

async function trainFresh(spec: RunSpec, session: Session): Promise<TrainSummary> {
  const { settings, prompt, maxExamples, maxMemory } = spec;
  // Before data are read or a model is downloaded.
  await checkFree(spec.out);
  const dataSource = lastingSource(spec.data);
  const { rows, all } = await readRows(dataSource, 'train', {
    ...(maxExamples !== undefined && { limit: maxExamples }),
    onWarning: session.warn,
    signal: session.signal,
  });
  warnOfLeakage(all, session.warn);
  const { lastingModelSource, openModel } = await import('../../open/model-source.ts');
  const modelSource = await lastingModelSource(spec.model, openingOf(session));
  const model = await openModel(modelSource, openingOf(session));
  const { train } = await import('../../../method/runs/train.ts');
  const { signal } = session;
  const { estimatorModel } = settings;
  const events = train({
    ...settings,
    ...(estimatorModel !== undefined && {
      estimatorModel: await lastingModelSource(estimatorModel, openingOf(session)),
    }),
    ...(await estimating(session)),
    prompt,
    model,
    modelSource,
    dataSource,
    examples: rows,
    out: spec.out,
    ...(maxMemory !== undefined && { maxMemory }),
    signal,
  });
  const summary = await follow(events, spec.out, settings.objective ?? DEFAULT_OBJECTIVE, session);
  await report(spec.out, model, all, session);
  return summary;
}

async function goOn(
  run: string,
  operands: readonly string[],
  flags: TrainFlags,
  session: Session,
): Promise<TrainSummary> {
  const { seed, threads } = session.options;
  const extra = [...operands, ...Object.keys(flags).map(flagName), ...(seed === undefined ? [] : ['--seed'])];
  if (extra.length > 0)
    throw new ConfigError(
      `--resume: expected no recipe and no flags of one beside it, got ${extra.join(' ')}`,
      {
        code: 'usage/resume',
        hint: 'A run continues with the recipe and seed of its manifest; start a new run to change them.',
      },
    );
  const { resume } = await import('../../../method/runs/train.ts');
  const { readManifest } = await import('../../../method/runs/manifest.ts');
  const { openModel } = await import('../../open/model-source.ts');
  const { signal, warn } = session;
  const { hasRunReport } = await import('../../files/run-report.ts');
  const { recipe } = await readManifest(run);
  let model: Model | undefined;
  let examples: readonly Example[] = [];
  const events = resume(run, {
    open: {
      model: async (source) => {
        model = await openModel(source, openingOf(session));
        return model;
      },
      examples: async (source) => {
        examples = await readExamples(source, { onWarning: warn, signal });
        return examples;
      },
    },
    ...(threads !== undefined && { threads }),
    ...(await estimating(session)),
    signal,
  });
  const summary = await follow(events, run, recipe.objectiveRequested, session);
  if (model !== undefined && !(await hasRunReport(run))) await report(run, model, examples, session);
  return summary;
}

/** How effects that are needed before training are computed: by which model, and kept where. */
async function estimating(session: Session) {
  const { warn, progress } = session;
  const { openEstimator } = await import('../../open/estimator-source.ts');
  const { effectCache } = await import('../../files/effect-cache.ts');
  return {
    openEstimator: (source: string, model: Model) => openEstimator(source, model, openingOf(session)),
    cache: effectCache({ onWarning: warn }),
    onProgress: progress,
  };
}

async function report(
  run: string,
  model: Model,
  examples: readonly Example[],
  { signal, progress, warn }: Session,
): Promise<void> {
  const { writeRunReport } = await import('../../files/run-report.ts');
  await writeRunReport(run, { model, examples, signal, onProgress: progress, onWarning: warn });
}

/** Draws the events, and returns the summary. @throws {AbortedError} with the command that goes on */
async function follow(
  events: AsyncGenerator<TrainEvent, TrainSummary>,
  run: string,
  objective: string,
  session: Session,
): Promise<TrainSummary> {
  try {
    for (;;) {
      const next = await events.next();
      if (next.done) return next.value;
      tell(next.value, `training ${objective}`, session);
    }
  } catch (error) {
    // Stopped before the folder was made, there is nothing to go on from.
    if (!(error instanceof AbortedError) || !existsSync(run)) throw error;
    const hint = `Run "nextquill train --resume ${run}" to go on from there.`;
    throw new AbortedError(error.message, { code: error.code, hint, cause: error });
  }
}

function tell(event: TrainEvent, stage: string, session: Session): void {
  if (event.type === 'warning') session.warn(event.message);
  else if (event.type === 'started') {
    const { steps, startStep, isResumed, examples, trainedParameters, run } = event;
    const from = isResumed
      ? `, resumed ${startStep === 0 ? 'from the beginning' : `after step ${startStep}`}`
      : '';
    session.note(
      `${run}: ${examples} examples, ${steps} steps${from}, ${trainedParameters.toLocaleString('en')} trained parameters`,
    );
    const { memory } = event;
    if (memory !== undefined) session.note(memoryLine(memory));
    session.progress({ stage, done: startStep, total: steps, unit: 'steps' });
  } else if (event.type === 'step')
    session.progress({
      stage,
      done: event.step,
      total: event.totalSteps,
      unit: 'steps',
      detail: `loss ${event.loss.toFixed(3)} · ${Math.round(event.tokensPerSecond)} tokens/s`,
    });
}

function memoryLine(memory: MemoryRecord): string {
  const { total, limit, activations, trained, estimator, mappedWeights, process } = memory;
  return `memory: ${mebibytes(total)} predicted of ${mebibytes(limit)}: activations ${mebibytes(activations)}, trained ${mebibytes(trained)}, ${estimator > 0 ? `estimator ${mebibytes(estimator)}, ` : ''}frozen weights ${mebibytes(mappedWeights)} (mapped), process ${mebibytes(process)}`;
}

/** The name of the data with its path made absolute, so that a run can be resumed from any folder. */
function lastingSource(data: string): string {
  if (data.startsWith('acl:')) return `acl:${resolve(data.slice('acl:'.length))}`;
  return /\.jsonl(\.gz)?$/.test(data) ? resolve(data) : data;
}

function printSummary(summary: TrainSummary, session: Session): void {
  if (session.options.json) {
    session.print(`${JSON.stringify(summary)}\n`);
    return;
  }
  const { run, steps, finalLoss, examplesPerSecond, tokensPerSecond, peakMemoryBytes, adapter, weights } =
    summary;
  session.print(
    [
      `run          ${run}`,
      adapter === undefined ? `weights      ${weights}` : `adapter      ${adapter}`,
      `steps        ${steps}`,
      `report       ${join(run, 'report.html')}`,
      `final loss   ${finalLoss.toFixed(4)} nats`,
      `speed        ${examplesPerSecond.toFixed(2)} examples/s, ${Math.round(tokensPerSecond)} tokens/s`,
      `peak memory  ${(peakMemoryBytes / 2 ** 20).toFixed(0)} MiB`,
      '',
    ].join('\n'),
  );
}

const flagName = (name: string) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
