/** @file `nextquill train`: fine-tunes by a recipe or by flags, and continues runs. */

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { breathe } from '../../../base/breathe.ts';
import { AbortedError, ConfigError } from '../../../base/errors.ts';
import type { Model } from '../../../engine/models/model.ts';
import type { Example } from '../../../method/data/example.ts';
import { readExamples } from '../../../method/data/source.ts';
import { DEFAULT_OBJECTIVE } from '../../../method/objectives/objectives.ts';
import { readManifest } from '../../../method/runs/manifest.ts';
import { checkFree } from '../../../method/runs/run-folder.ts';
import { HANDED_OVER } from '../../../method/runs/step-engine.ts';
import { resume, train } from '../../../method/runs/train.ts';
import { resumeUsers, trainUsers } from '../../../method/runs/train-users.ts';
import { isUsersRun, readUsersManifest, runOfUser } from '../../../method/runs/users-folder.ts';
import { heldOutRows } from '../../../method/training/held-out.ts';
import type { RecipeRun } from '../../config/recipe.ts';
import { effectCache } from '../../files/effect-cache.ts';
import { readRows, warnOfLeakage } from '../../files/example-rows.ts';
import { hasRunReport, writeRunReport } from '../../files/run-report.ts';
import { openEstimator } from '../../open/estimator-source.ts';
import { lastingModelSource, type OpenModelOptions, openModel } from '../../open/model-source.ts';
import type { CliCommand, Session } from '../command.ts';
import {
  addTrainingEngineFlags,
  engineFlagNames,
  type TrainingEngineFlags,
  trainingEngine,
} from '../engine.ts';
import { addFlag, addStrictFlag } from '../flags.ts';
import { openingOf } from '../scoring.ts';
import { addTrainFlags, flagName, objectivesHelp, specOf, type TrainFlags } from '../train-flags.ts';
import { printSummary, printUsersSummary, showTraining, showUsersTraining } from '../training-output.ts';

/** Flags beside those of the recipe. */
interface RunFlags extends TrainingEngineFlags {
  readonly resume?: string;
  readonly strict?: boolean;
}

export const trainCommand: CliCommand = {
  define: (command: Command) => {
    command
      .argument('[recipe]', 'RECIPE.yaml')
      .argument('[overrides...]', 'key=value, such as training.learningRate=1e-4; with and without a recipe');
    addTrainFlags(command);
    addTrainingEngineFlags(command);
    addStrictFlag(command);
    addFlag(command, '--resume <run>', 'continue a run that was stopped, bit for bit');
    command.addHelpText(
      'after',
      `${objectivesHelp()}
Examples:
  nextquill train recipes/quickstart-sotu.yaml out=runs/a training.maxSteps=50
  nextquill train --model embedded --data sotu --lora-rank 16 --learning-rate 1e-3 --out runs/a
  nextquill train --model embedded --data sotu --out runs/b training.warmupRatio=0.05
  nextquill train --model embedded --data users.jsonl --per-user history --objective sft-no-history --out runs/each
  nextquill train --resume runs/a
A run folder holds ids of examples, and weights that have learnt from users’ texts. Keep it as private as the data.`,
    );
  },
  run: async (operands, flags, session) => {
    const { resume: folder, strict, ...rest } = flags as TrainFlags & RunFlags;
    const { engine, recipe } = splitFlags(rest);
    try {
      if (folder === undefined)
        await trainFresh(await specOf(operands, recipe, session), { ...engine, strict }, session);
      else await resumeRun(folder, operands, { ...recipe, ...(strict && { strict }) }, engine, session);
    } catch (error) {
      if (!isHandedOver(error) || session.signal.aborted) throw error;
      printHandOver(error, session);
    }
  },
};

/** Whether a training ends here because it goes on elsewhere. */
const isHandedOver = (error: unknown): error is AbortedError =>
  error instanceof AbortedError && error.code === HANDED_OVER;

/** The command that goes on with a run, for whoever starts it. */
function printHandOver({ message, hint: command }: AbortedError, { options, print, note }: Session): void {
  note(
    `${message}; its folder, the model and the package must be there by the same paths. Then "nextquill train --resume" follows it and makes its report.`,
  );
  print(options.json ? `${JSON.stringify({ command })}\n` : `${command}\n`);
}

/** The flags of the engine, which are no part of a recipe, and the others. */
function splitFlags(flags: TrainFlags & TrainingEngineFlags): {
  readonly engine: TrainingEngineFlags;
  readonly recipe: TrainFlags;
} {
  const isEngine = (name: string) => (engineFlagNames as readonly string[]).includes(name);
  const entries = Object.entries(flags);
  return {
    engine: Object.fromEntries(entries.filter(([name]) => isEngine(name))),
    recipe: Object.fromEntries(entries.filter(([name]) => !isEngine(name))),
  };
}

async function trainFresh(
  spec: RecipeRun,
  { strict, ...flags }: TrainingEngineFlags & { readonly strict: boolean | undefined },
  session: Session,
): Promise<void> {
  const { settings, prompt, perUser, maxExamples, maxMemory } = spec;
  // Before data are read or a model is downloaded.
  await checkFree(spec.out);
  const { engine, worker } = await trainingEngine(flags, session, spec.device);
  const dataSource = lastingSource(spec.data);
  const { rows, all } = await readRows(dataSource, 'train', {
    ...(maxExamples !== undefined && { limit: maxExamples }),
    onNotice: session.notice,
    signal: session.signal,
  });
  // Before a model is downloaded.
  if ((settings.evalEvery ?? 0) > 0) heldOutRows(all);
  await breathe(session.signal);
  await warnOfLeakage(all, session.warn, session.signal);
  await breathe(session.signal);
  const opening = openingOf(session, worker, spec.device);
  const modelSource = await lastingModelSource(spec.model, opening);
  const model = await openModel(modelSource, opening);
  const { signal } = session;
  const { estimatorModel } = settings;
  const options = {
    ...settings,
    ...(estimatorModel !== undefined && {
      estimatorModel: await lastingModelSource(estimatorModel, opening),
    }),
    ...estimating(session, opening),
    ...(engine && { engine }),
    prompt,
    ...(strict && { strict }),
    model,
    modelSource,
    dataSource,
    examples: [...rows, ...all.filter(({ split }) => split === 'validation')],
    out: spec.out,
    ...(maxMemory !== undefined && { maxMemory }),
    signal,
  };
  const objective = settings.objective ?? DEFAULT_OBJECTIVE;
  if (perUser !== undefined) {
    const events = trainUsers({ ...options, texts: perUser });
    printUsersSummary(await showUsersTraining(events, spec.out, objective, session), session);
    return;
  }
  const summary = await showTraining(train(options), spec.out, objective, session);
  await report(spec.out, model, all, session);
  printSummary(summary, session);
}

async function resumeRun(
  run: string,
  operands: readonly string[],
  flags: TrainFlags & Pick<RunFlags, 'strict'>,
  engineFlags: TrainingEngineFlags,
  session: Session,
): Promise<void> {
  const { seed, threads, device } = session.options;
  const extra = [...operands, ...Object.keys(flags).map(flagName), ...(seed === undefined ? [] : ['--seed'])];
  if (extra.length > 0)
    throw new ConfigError(
      `--resume: expected no recipe and no flags of one beside it, got ${extra.join(' ')}`,
      {
        code: 'usage/resume',
        hint: 'A run continues with the recipe and seed of its manifest; start a new run to change them.',
      },
    );
  const { signal, notice } = session;
  const ofMany = await runOfUser(run);
  if (ofMany !== undefined)
    throw new ConfigError(`${run}: expected a whole run, got one user’s part of ${ofMany}`, {
      code: 'usage/resume',
      hint: `Run "nextquill train --resume ${ofMany}": its users share one base.`,
    });
  const isOfUsers = await isUsersRun(run);
  const { recipe, machine } = isOfUsers ? await readUsersManifest(run) : await readManifest(run);
  // Where nothing else is asked for, a run continues on the engine and the device that it began on.
  const name = engineFlags.engine ?? machine.engine ?? 'onnx';
  const before = name === (machine.engine ?? 'onnx') ? machine.device : undefined;
  const { engine, worker } = await trainingEngine(
    { ...engineFlags, engine: name },
    session,
    device ?? before,
  );
  const opening = openingOf(session, worker, device ?? before);
  let model: Model | undefined;
  let examples: readonly Example[] = [];
  const options = {
    open: {
      model: async (source: string) => {
        model = await openModel(source, opening);
        return model;
      },
      examples: async (source: string) => {
        examples = await readExamples(source, { onNotice: notice, signal });
        return examples;
      },
    },
    ...(threads !== undefined && { threads }),
    ...estimating(session, opening),
    ...(engine && { engine }),
    signal,
  };
  const { objectiveRequested } = recipe;
  if (isOfUsers) {
    const shown = await showUsersTraining(resumeUsers(run, options), run, objectiveRequested, session);
    printUsersSummary(shown, session);
    return;
  }
  const summary = await showTraining(resume(run, options), run, objectiveRequested, session);
  if (model !== undefined && !(await hasRunReport(run))) await report(run, model, examples, session);
  printSummary(summary, session);
}

/** How effects that are needed before training are computed: by which model, and kept where. */
function estimating({ warn, progress }: Session, opening: OpenModelOptions) {
  return {
    openEstimator: (source: string, model: Model) => openEstimator(source, model, opening),
    cache: effectCache({ onWarning: warn }),
    onProgress: progress,
  };
}

async function report(
  run: string,
  model: Model,
  examples: readonly Example[],
  { signal, progress, notice }: Session,
): Promise<void> {
  await writeRunReport(run, { model, examples, signal, onProgress: progress, onNotice: notice });
}

/** The name of the data with its path made absolute, so that a run can be resumed from any folder. */
function lastingSource(data: string): string {
  if (data.startsWith('acl:')) return `acl:${resolve(data.slice('acl:'.length))}`;
  return /\.jsonl(\.gz)?$/.test(data) ? resolve(data) : data;
}
