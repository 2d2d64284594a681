/** @file The flags of `nextquill train`, each for a key of the recipe, and the run that recipe, flags and overrides describe. */
import { type Command, Option } from 'commander';
import { ConfigError } from '../../base/errors.ts';
import { DEFAULT_USER_TEXTS, userTextsRules } from '../../method/data/user-texts.ts';
import { objectiveOptionRows } from '../../method/objectives/objective-options.ts';
import {
  DEFAULT_OBJECTIVE,
  describeObjective,
  describeObjectiveOption,
  objectiveNames,
} from '../../method/objectives/objectives.ts';
import { estimatorNames } from '../../method/objectives/plan.ts';
import { defaultSettings } from '../../method/training/settings.ts';
import type { RecipeRun } from '../config/recipe.ts';
import { type Override, parseOverride, readRecipe } from '../config/recipe-source.ts';
import { resolveRecipe } from '../config/resolve-recipe.ts';
import { recipeText } from '../files/recipe-text.ts';
import { MODEL_WORDS } from '../open/model-words.ts';
import type { Session } from './command.ts';
import {
  addBaseBitsFlag,
  addDataFlags,
  addFlag,
  addObjectiveOptionFlag,
  addPromptFlags,
  numberBetween,
  oneOf,
  wholeNumber,
} from './flags.ts';

/** Flags that stand for a key of the recipe. */
const recipeKeys = {
  model: 'model',
  data: 'data',
  objective: 'objective',
  estimator: 'estimator',
  estimatorModel: 'estimatorModel',
  perUser: 'perUser',
  out: 'out',
  learningRate: 'training.learningRate',
  epochs: 'training.epochs',
  batchSize: 'training.batchSize',
  maxSteps: 'training.maxSteps',
  checkpointEvery: 'training.checkpointEvery',
  evalEvery: 'training.evalEvery',
  keepBest: 'training.keepBest',
  recompute: 'training.recompute',
  loraRank: 'lora.rank',
  loraAlpha: 'lora.loraAlpha',
  loraTargets: 'lora.targetModules',
  loraDropout: 'lora.dropout',
  rslora: 'lora.rsLora',
  baseBits: 'lora.baseBits',
  maxExamples: 'limits.maxExamples',
  maxMemory: 'limits.maxMemory',
  maxHistory: 'prompt.maxHistory',
  historyStride: 'prompt.historyStride',
  retrieval: 'prompt.retrieval',
  maxTokens: 'prompt.maxTokens',
  reference: 'prompt.reference',
  seed: 'seed',
  threads: 'threads',
  device: 'compute.device',
} as const;

type FlagValue = string | number | boolean | readonly string[];

export type TrainFlags = Partial<Record<keyof typeof recipeKeys, FlagValue>> & {
  readonly objectiveOption?: readonly string[];
};

/** The flag of a name in camel case, such as `--max-steps`. */
export const flagName = (name: string) =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Adds the flags. */
export function addTrainFlags(command: Command): void {
  const count = (flag: string) => wholeNumber(flag, 1);
  const positive = (flag: string) => numberBetween(flag, 0, Number.POSITIVE_INFINITY);
  const {
    learningRateWithLora,
    learningRateOfAll,
    epochs,
    batchSize,
    checkpointEvery,
    checkpointMinutes,
    evalExamples,
  } = defaultSettings;
  addFlag(command, '--model <M>', MODEL_WORDS);
  addDataFlags(command);
  addFlag(command, '--out <folder>', 'folder for the run; it must not hold a run yet');
  addFlag(
    command,
    '--objective <name>',
    `what is minimised (default: ${DEFAULT_OBJECTIVE}); see below`,
    (flag) => oneOf(flag, objectiveNames),
  );
  addObjectiveOptionFlag(command, '; see below');
  addFlag(
    command,
    '--estimator <name>',
    `which model’s effects set the token weights: ${estimatorNames.join(', ')} (default: dynamic)`,
    (flag) => oneOf(flag, estimatorNames),
  );
  addFlag(command, '--estimator-model <M>', 'model or adapter used by --estimator fixed');
  addFlag(
    command,
    '--learning-rate <rate>',
    `peak rate of AdamW (default: ${learningRateWithLora} with adapters, ${learningRateOfAll} without)`,
    positive,
  );
  addFlag(command, '--epochs <n>', `passes over the data (default: ${epochs})`, count);
  addFlag(command, '--batch-size <n>', `examples of one microbatch (default: ${batchSize})`, count);
  addFlag(command, '--max-steps <n>', 'stop after this many steps', count);
  addFlag(
    command,
    '--checkpoint-every <n>',
    `steps between checkpoints (default: ${checkpointEvery}); there is one every ${checkpointMinutes} minutes, too`,
    count,
  );
  addFlag(
    command,
    '--eval-every <n>',
    `steps between measurements of the loss on validation rows, at most ${evalExamples} of them (default: none)`,
    (flag) => wholeNumber(flag, 0),
  );
  addFlag(
    command,
    '--keep-best',
    'keep the weights of the step with the least loss on validation rows (--eval-every), not the last step’s',
  );
  addFlag(
    command,
    '--lora-rank <R>',
    'train low-rank adapters; without LoRA flags all weights are trained',
    count,
  );
  addFlag(
    command,
    '--lora-alpha <alpha>',
    'adapters are scaled by alpha / rank (default: 2 × rank)',
    positive,
  );
  addFlag(
    command,
    '--lora-targets <names>',
    'layers with an adapter, such as q_proj,v_proj (default: all linear layers of a block)',
    () => (text) => text.split(',').map((name) => name.trim()),
  );
  addFlag(
    command,
    '--lora-dropout <share>',
    'share of a layer’s inputs hidden from its adapter in training',
    (flag) => numberBetween(flag, 0, 0.99),
  );
  addFlag(command, '--rslora', 'scale adapters by alpha / √rank');
  addBaseBitsFlag(command, 'keep the frozen base under adapters in 4 or 8 bits');
  command.addOption(
    new Option(
      '--per-user [texts]',
      `train one adapter for each user, on the user’s own rows, or with history on the items of their histories (default: ${DEFAULT_USER_TEXTS})`,
    )
      .preset(DEFAULT_USER_TEXTS)
      .argParser(oneOf('--per-user', userTextsRules)),
  );
  addFlag(command, '--recompute', 'compute each layer again in the backward pass: less memory, more time');
  addFlag(
    command,
    '--max-memory <size>',
    'refuse to start a run predicted to need more memory than this, e.g. 4G (default: what is left)',
  );
  addPromptFlags(command);
}

/** Objectives and their options, as help shows them. */
export function objectivesHelp(): string {
  const rows = (pairs: readonly (readonly [string, string])[]) => {
    const width = Math.max(...pairs.map(([name]) => name.length));
    return pairs.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`).join('\n');
  };
  const objectives = objectiveNames.map((name) => [name, describeObjective(name)] as const);
  const options = objectiveOptionRows.map(([name]) => [name, describeObjectiveOption(name)] as const);
  return `\nObjectives:\n${rows(objectives)}\n\nObjective options:\n${rows(options)}\n`;
}

/** Defaults, under the recipe, under the flags, under the overrides `key=value`. */
export async function specOf(
  operands: readonly string[],
  flags: TrainFlags,
  session: Session,
): Promise<RecipeRun> {
  const { seed, threads, device } = session.options;
  const [first, ...rest] = operands;
  const isRecipe = first !== undefined && !first.includes('=');
  const words = isRecipe ? rest : operands;
  const all: TrainFlags = {
    ...flags,
    ...(seed !== undefined && { seed }),
    ...(threads !== undefined && { threads }),
    ...(device !== undefined && { device }),
  };
  const overrides: Override[] = Object.entries(recipeKeys).flatMap(([flag, key]) => {
    const value = all[flag as keyof typeof recipeKeys];
    return value === undefined ? [] : [{ key, value, place: flagName(flag) }];
  });
  const loraFlag = overrides.find(({ key }) => key.startsWith('lora.'));
  if (loraFlag !== undefined) overrides.push({ key: 'full', value: undefined, place: loraFlag.place });
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
  const has = (group: string) => overrides.some(({ key }) => key.split('.')[0] === group);
  // A user's own model is an adapter.
  const value = has('lora') ? {} : has('perUser') ? { lora: {} } : { full: true };
  return resolveRecipe({ value, places: new Map([['', 'flags']]) }, overrides);
}
