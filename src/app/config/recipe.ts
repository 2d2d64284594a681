/** @file The training recipe: every key with its type, unit, default and where the default comes from. */
import { z } from 'zod';
import { type DeviceName, deviceChoices, deviceNames, torchDeviceChoices } from '../../base/device.ts';
import { ConfigError } from '../../base/errors.ts';
import { checkThreads } from '../../base/threads.ts';
import { schedules } from '../../engine/optim/learning-rate.ts';
import { type UserTexts, userTextsRules } from '../../method/data/user-texts.ts';
import { type ObjectiveOptions, objectiveOptionRows } from '../../method/objectives/objective-options.ts';
import {
  DEFAULT_OBJECTIVE,
  describeObjectiveOption,
  type ObjectiveChoice,
  objectiveNames,
} from '../../method/objectives/objectives.ts';
import { type EstimatorName, estimatorNames } from '../../method/objectives/plan.ts';
import type { PromptSettings } from '../../method/prompts/pair.ts';
import { referenceValues } from '../../method/prompts/template.ts';
import { DEFAULT_RETRIEVAL, type Retrieval, retrievalNames } from '../../method/retrieval/choose.ts';
import { defaultSettings, type LoraSettings, type TrainingSettings } from '../../method/training/settings.ts';
import { MODEL_WORDS } from '../open/model-words.ts';
import { bytesOfSize, MEMORY_SIZE } from './memory-size.ts';

const d = defaultSettings;

const positive = z.number().positive();
const share = z.number().min(0).max(1);
const count = z.int().min(1);

/** The schema of an option of an objective, as the method's table has it. */
function optionSchema([name, row]: (typeof objectiveOptionRows)[number]): [string, z.ZodType] {
  const base = () => {
    if ('choices' in row) return z.enum(row.choices as [string, ...string[]]);
    if (!('range' in row)) return z.boolean();
    const [least, greatest] = row.range;
    let number: z.ZodNumber = row.isWhole ? z.int() : z.number();
    if (Number.isFinite(least)) number = number.min(least);
    if (Number.isFinite(greatest)) number = number.max(greatest);
    return number;
  };
  return [name, base().optional().describe(describeObjectiveOption(name))];
}

/** The schema of the options of an objective. */
export const objectiveOptionsSchema = (
  z.strictObject(
    Object.fromEntries(objectiveOptionRows.map(optionSchema)),
  ) as unknown as z.ZodType<ObjectiveOptions>
).describe('Numbers and switches of the objective; defaults are those of the reference code, else off.');

const lora = z
  .strictObject({
    rank: count.optional().describe('R of the low-rank matrices; default 16'),
    loraAlpha: positive.optional().describe('scaling is loraAlpha / rank; default 2 × rank'),
    targetModules: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe(
        'last parts of the names of the layers that get an adapter; default: all linear layers of a block',
      ),
    dropout: z
      .number()
      .min(0)
      .lt(1)
      .optional()
      .describe('share of a layer’s inputs hidden from its adapter in training; default 0'),
    baseBits: z
      .union([z.literal(4), z.literal(8)])
      .optional()
      .describe('bits of the frozen base under the adapter, 4 or 8; default: f32'),
    rsLora: z.boolean().optional().describe('scaling is loraAlpha / √rank; default false'),
  })
  .describe('Low-rank adapters on a frozen base.');

const prompt = z
  .strictObject({
    reference: z
      .enum(referenceValues as ['removed', 'none-text', 'placebo'])
      .optional()
      .describe('what stands for no history; default removed: no history section at all'),
    maxTokens: z
      .int()
      .min(8)
      .optional()
      .describe('tokens of prompt and response; default 2048, or what the model can hold'),
    maxHistory: z.int().min(0).optional().describe('history items shown at most; default 8'),
    retrieval: z
      .enum(retrievalNames as readonly [Retrieval, ...Retrieval[]])
      .optional()
      .describe(`which history items are shown; default ${DEFAULT_RETRIEVAL}`),
    historyStride: count
      .optional()
      .describe(
        'the window of latest items begins at a multiple of this in the history: fewer items, and prompts that begin alike; default 1',
      ),
  })
  .describe('How prompts are made; saved beside the adapter.');

const training = z
  .strictObject({
    learningRate: positive
      .optional()
      .describe(
        `peak rate of AdamW; default ${d.learningRateWithLora} with lora, ${d.learningRateOfAll} with full`,
      ),
    schedule: z.enum(schedules).optional().describe(`after the warm-up; default ${d.schedule}`),
    warmupRatio: share.optional().describe(`share of all steps; default ${d.warmupRatio}`),
    weightDecay: z.number().min(0).optional().describe(`of matrices; default ${d.weightDecay}`),
    maxGradientNorm: positive
      .optional()
      .describe(`gradients are clipped to this norm; default ${d.maxGradientNorm}`),
    batchSize: count.optional().describe(`examples of one microbatch; default ${d.batchSize}`),
    gradientAccumulation: count
      .optional()
      .describe(`microbatches of one step; default ${d.gradientAccumulation}`),
    epochs: count.optional().describe(`passes over the data; default ${d.epochs}`),
    maxSteps: count.optional().describe('ends the run and its schedule earlier; default: none'),
    recompute: z
      .boolean()
      .optional()
      .describe(
        `computes each layer again in the backward pass: less memory, more time; default ${d.recompute}`,
      ),
    packing: z
      .boolean()
      .optional()
      .describe(
        'computes what examples of a microbatch begin with alike once, and packs short rows in place of padding; default true, except with lora.dropout and with --engine torch',
      ),
    groupByPrefix: z
      .boolean()
      .optional()
      .describe(
        `keeps examples whose prompts begin alike in one step: packing saves more, and steps are made of fewer users; default ${d.groupByPrefix}`,
      ),
    checkpointEvery: count.optional().describe(`steps between checkpoints; default ${d.checkpointEvery}`),
    checkpointMinutes: positive
      .optional()
      .describe(
        `minutes after which a checkpoint is written whatever the number of steps; default ${d.checkpointMinutes}`,
      ),
    keepCheckpoints: count
      .optional()
      .describe(`newest checkpoints that are kept; default ${d.keepCheckpoints}`),
    evalEvery: z
      .int()
      .min(0)
      .optional()
      .describe(
        `steps between measurements of the loss on validation rows, and one at the end; default ${d.evalEvery}: none`,
      ),
    evalExamples: count
      .optional()
      .describe(`validation rows that are measured at most, spread over users; default ${d.evalExamples}`),
    keepBest: z
      .boolean()
      .optional()
      .describe(
        `the result holds the weights of the step with the least loss on validation rows (evalEvery), not the last step’s; default ${d.keepBest}`,
      ),
    patience: count
      .optional()
      .describe('with keepBest: evaluations without a better one after which the run ends; default: never'),
  })
  .describe('The loop.');

/** The schema of a recipe. Defaults are said here and filled in by the trainer, which other callers share. */
export const recipeSchema = z
  .strictObject({
    model: z.string().min(1).describe(MODEL_WORDS),
    data: z.string().min(1).describe('examples: FILE.jsonl, sotu or acl:PATH'),
    objective: z
      .enum(objectiveNames as readonly [ObjectiveChoice, ...ObjectiveChoice[]])
      .optional()
      .describe(`what is minimised; default ${DEFAULT_OBJECTIVE}`),
    objectiveOptions: objectiveOptionsSchema.optional(),
    estimator: z
      .enum(estimatorNames as [EstimatorName, ...EstimatorName[]])
      .optional()
      .describe(
        'which model’s effects set the token weights: the model in training (dynamic), a frozen one (fixed), or moving-average; default dynamic',
      ),
    estimatorModel: z
      .string()
      .min(1)
      .optional()
      .describe('model or adapter used by a fixed estimator; default: the starting model'),
    estimatorDecay: share
      .optional()
      .describe(`of a moving average: share that each step keeps; default ${d.estimatorDecay}`),
    perUser: z
      .enum(userTextsRules as readonly [UserTexts, ...UserTexts[]])
      .optional()
      .describe(
        'one adapter for each user, trained on the user’s own rows (rows) or on the items of their histories (history); default: one for all',
      ),
    lora: lora.optional(),
    full: z.literal(true).optional().describe('true: train all weights; in place of lora'),
    prompt: prompt.optional(),
    training: training.optional(),
    limits: z
      .strictObject({
        maxExamples: count.optional().describe('examples read at most; default: all'),
        maxMemory: z
          .string()
          .regex(MEMORY_SIZE, 'a size such as 4G')
          .optional()
          .describe('memory of the run at most, such as 4G or 800M; default: what the machine has left'),
      })
      .optional()
      .describe('Bounds of the data and of the memory.'),
    compute: z
      .strictObject({
        device: z
          .enum(deviceNames)
          .optional()
          .describe(
            `what the model is computed on: ${deviceChoices.join(', ')}, or with --engine torch ${torchDeviceChoices.join(', ')}; default cpu, with --engine torch auto`,
          ),
      })
      .optional()
      .describe('What the run is computed on.'),
    seed: z.int().min(0).optional().describe(`of every random draw; default ${d.seed}`),
    threads: count.optional().describe('of the engine; default: all processors'),
    out: z.string().min(1).describe('folder of the run'),
  })
  .describe('A training recipe of NextQuill.');

/** A recipe as it is written. */
export type Recipe = z.infer<typeof recipeSchema>;

/** What a recipe asks for, in the words of the method: typed options, no configuration. */
export interface RecipeRun {
  readonly model: string;
  readonly data: string;
  readonly out: string;
  readonly maxExamples?: number;
  /** Bytes. */
  readonly maxMemory?: number;
  readonly device?: DeviceName;
  /** Which texts each user’s own adapter learns from; one adapter for all where absent. */
  readonly perUser?: UserTexts;
  readonly prompt: Partial<PromptSettings>;
  readonly settings: TrainingSettings;
}

/**
 * The run that a recipe describes.
 * @throws {ConfigError} when not exactly one of lora and full is given, or the number of threads would hang the engine
 */
export function recipeRun(recipe: Recipe, where: string): RecipeRun {
  const { model, data, out, objective, objectiveOptions: numbers, lora: adapter, full, limits } = recipe;
  const { estimator, estimatorModel, estimatorDecay } = recipe;
  if ((adapter === undefined) === (full === undefined))
    throw new ConfigError(
      `${where}: lora or full: expected one of them, got ${adapter === undefined ? 'neither' : 'both'}`,
      {
        code: 'recipe/lora-or-full',
        hint: 'Write "lora: {rank: 16}" for an adapter, or "full: true" to train all weights.',
      },
    );
  checkThreads(recipe.threads, `${where}: threads`);
  return {
    model,
    data,
    out,
    ...(limits?.maxExamples !== undefined && { maxExamples: limits.maxExamples }),
    ...(limits?.maxMemory !== undefined && { maxMemory: bytesOfSize(limits.maxMemory) }),
    ...(recipe.compute?.device !== undefined && { device: recipe.compute.device }),
    ...(recipe.perUser !== undefined && { perUser: recipe.perUser }),
    prompt: withoutUndefined(recipe.prompt ?? {}),
    settings: {
      ...(objective !== undefined && { objective }),
      ...(numbers !== undefined && { objectiveOptions: numbers }),
      ...(estimator !== undefined && { estimator }),
      ...(estimatorModel !== undefined && { estimatorModel }),
      ...(estimatorDecay !== undefined && { estimatorDecay }),
      ...(adapter !== undefined && { lora: loraSettings(adapter) }),
      ...(adapter?.baseBits !== undefined && { baseBits: adapter.baseBits }),
      ...withoutUndefined(recipe.training ?? {}),
      ...(recipe.seed !== undefined && { seed: recipe.seed }),
      ...(recipe.threads !== undefined && { threads: recipe.threads }),
    },
  };
}

function loraSettings({
  rank = 16,
  loraAlpha = 2 * rank,
  targetModules,
  dropout,
  rsLora,
}: z.infer<typeof lora>): LoraSettings {
  return { rank, loraAlpha, ...withoutUndefined({ targetModules, dropout, rsLora }) };
}

/** Zod types an absent key as possibly undefined; the method's options are absent or there. */
function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** The JSON Schema of recipes, for editors. */
export function recipeJsonSchema(): object {
  return z.toJSONSchema(recipeSchema, { io: 'input' });
}
