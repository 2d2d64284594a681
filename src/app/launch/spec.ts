/**
 * @file The RunSpec: what a worker in another process is told to do, whole in the folder `spec/` of a run. Ids, order, rates and
 * first values are in it, so that a worker has no tokenizer, template, reader, planner or schedule of its own.
 *
 * run.json is described here, and `python/nextquill_torch/run-spec.schema.json` is made of it; the files beside it are described
 * in `python/nextquill_torch/README.md`.
 */
import { z } from 'zod';
import { torchDeviceChoices } from '../../base/device.ts';
import { schedules } from '../../engine/optim/learning-rate.ts';
import { type ObjectiveOption, objectiveOptionRows } from '../../method/objectives/objective-options.ts';
import {
  describeObjectiveOption,
  objectiveNames,
  objectiveTable,
} from '../../method/objectives/objectives.ts';
import { estimatorNames } from '../../method/objectives/plan.ts';
import { parallelModes, torchDtypes } from './torch-choices.ts';

const count = z.int().min(1);
const hash = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hexadecimal');
const name = z.string().min(1);

const model = z
  .strictObject({
    source: name.describe('how the user named the model'),
    path: name.describe('its folder in Hugging Face’s layout'),
    hash: name.describe('of config, weights and tokenizer'),
    tokenizerHash: name,
    type: name.describe('model_type of config.json'),
    vocabularySize: count.describe('V: every id is below it'),
    padId: z.int().min(0).describe('id that fills rows; masked everywhere'),
    tiedHead: z.boolean().describe('whether the head is the embedding table'),
  })
  .describe('The model that training begins from, or that is scored.');

const objectiveOptions = z
  .strictObject(
    Object.fromEntries(
      objectiveOptionRows.map(([option, row]) => [
        option,
        typeSchema(row).describe(describeObjectiveOption(option)),
      ]),
    ),
  )
  .describe('Every option of the objective with its value.');

function typeSchema(row: ObjectiveOption): z.ZodType {
  if ('choices' in row) return z.enum(row.choices as [string, ...string[]]);
  if (!('range' in row)) return z.boolean();
  return row.isWhole ? z.int() : z.number();
}

/** Numbers of tokens that weights are made of, beside the anchor’s. */
const quantities = [
  'logProbWithHistory',
  'logProbWithoutHistory',
  'divergence',
  'generic',
  'placeboMost',
  'anchor',
] as const;
export type Quantity = (typeof quantities)[number];

const objective = z
  .strictObject({
    fit: z.enum(['withHistory', 'withoutHistory']).describe('the pass that the text is fitted in'),
    weights: z
      .enum(['uniform', 'threshold', 'clipped', 'soft', 'divergence'])
      .describe('rule of ω; uniform where no effect has a say'),
    difference: z
      .enum(['none', 'uniform', 'weighted'])
      .describe('weights of the loss on the logit difference: none, the mean over tokens, or ω̃'),
    preference: z
      .boolean()
      .optional()
      .describe('whether the own history is preferred to another user’s; false when absent'),
    passes: z
      .enum(['withHistory', 'withoutHistory', 'pair'])
      .describe('passes of a training step with the user’s own prompts'),
    gradientWithoutHistory: z.boolean().describe('whether a gradient flows into the pass without history'),
    needs: z
      .array(z.enum(quantities))
      .describe(
        'numbers of tokens that the loss is made of, beside the fit: of the passes where the estimator is dynamic, else of estimates.safetensors or the moving average; generic is B of others’ histories, placeboMost the most that one of them does; anchor asks for the starting model’s pass without history',
      ),
  })
  .describe('The objective as rules, resolved: a worker knows no names of objectives.');

const lora = z
  .strictObject({
    rank: count,
    loraAlpha: z.number().positive(),
    targetModules: z.array(name).min(1).describe('last parts of the names of adapted layers'),
    dropout: z.number().min(0).lt(1).optional(),
    rsLora: z.boolean().optional().describe('scaling is loraAlpha / √rank'),
  })
  .describe('The adapter; absent for full training.');

const recipe = z
  .looseObject({
    objective: z.enum(Object.keys(objectiveTable) as [string, ...string[]]),
    objectiveRequested: z.enum(objectiveNames as readonly [string, ...string[]]),
    objectiveOptions,
    estimator: z.enum(estimatorNames as [string, ...string[]]),
    lora: lora.optional(),
    learningRate: z.number().positive().describe('peak; the plan has that of every step'),
    schedule: z.enum(schedules),
    weightDecay: z.number().min(0).describe('of matrices'),
    maxGradientNorm: z.number().positive(),
    batchSize: count,
    gradientAccumulation: count,
    epochs: count,
    seed: z.int().min(0),
    threads: count.describe('of the processor, all processes together'),
    checkpointMinutes: z.number().positive(),
    evalEvery: z.int().min(0).describe('steps between measurements on validation.safetensors; 0: none'),
    keepBest: z
      .boolean()
      .optional()
      .describe('whether the result holds the step of the least measured loss; false when absent'),
    patience: count
      .optional()
      .describe('measurements without a better one after which the run ends; never when absent'),
  })
  .describe('The settings as manifest.json has them; keys that are not listed here are not the worker’s.');

const estimator = z
  .strictObject({
    kind: z.enum(estimatorNames as [string, ...string[]]),
    model: name.nullable().describe('folder of a fixed estimator’s model; null: the starting model'),
    adapter: name.nullable().describe('its adapter folder'),
    decay: z.number().min(0).max(1).describe('share of a moving average that each step keeps'),
  })
  .describe('Whose effects token weights are made of.');

const compute = z
  .strictObject({
    device: z.enum(torchDeviceChoices),
    dtype: z.enum(torchDtypes),
    parallel: z.enum(parallelModes),
    attention: z.enum(['auto', 'eager', 'sdpa', 'flash', 'flex']),
    packing: z.boolean().describe('prompts as segments of one row; needs flash or flex'),
    tokensPerMicrobatch: count
      .nullable()
      .describe('regroups the examples of a step; null: as the plan has them'),
    chunk: count.describe('response tokens whose logits exist at a time'),
    recompute: z.boolean().describe('computes each layer again in the backward pass'),
    deterministic: z.boolean(),
    threads: count.optional().describe('of the processor, in each process; torch’s choice when absent'),
  })
  .describe('How it is computed: no part of what a run is, so that it may differ at every resume.');

const files = z
  .record(
    z.string().regex(/^[a-z]+\.safetensors$/, 'the name of a safetensors file'),
    z.strictObject({ bytes: z.int().min(0), sha256: hash }),
  )
  .describe('Every file beside run.json; a worker refuses one that is not these bytes.');

const shared = {
  formatVersion: z.literal(1),
  nextquill: name.describe('version that wrote the folder'),
  model,
  compute,
  files,
};

const result = z
  .strictObject({
    folder: z.enum(['adapter', 'weights']),
    files: z
      .record(name, z.record(z.string(), z.unknown()))
      .describe('JSON files beside the weights, as they are to be written'),
    copies: z.array(name).describe('files that are copied from the model’s folder where they are there'),
  })
  .describe('What stands beside the weights in the result.');

const trainSpec = z.strictObject({
  task: z.literal('train'),
  ...shared,
  recipe,
  objective,
  estimator,
  totalSteps: count,
  checkpoint: z.strictObject({
    every: count.describe('steps'),
    minutes: z.number().positive().describe('a checkpoint after so many, whatever the number of steps'),
    keep: count.describe('newest that are kept'),
  }),
  result,
});

const scoreSpec = z.strictObject({
  task: z.literal('score'),
  ...shared,
  adapter: name.nullable().describe('adapter folder in PEFT’s layout'),
});

const generateSpec = z.strictObject({ ...scoreSpec.shape, task: z.literal('generate') });

/** run.json. */
export const runSpecSchema = z
  .discriminatedUnion('task', [trainSpec, scoreSpec, generateSpec])
  .describe('run.json of a RunSpec folder of NextQuill.');

export type TrainSpec = z.infer<typeof trainSpec>;
export type ScoreSpec = z.infer<typeof scoreSpec>;
export type GenerateSpec = z.infer<typeof generateSpec>;
export type RunSpec = z.infer<typeof runSpecSchema>;
export type ComputeSpec = z.infer<typeof compute>;
export type ObjectiveSpec = z.infer<typeof objective>;
export type ModelSpec = z.infer<typeof model>;

/** How it is computed where nobody says otherwise. */
export const defaultCompute: ComputeSpec = {
  device: 'auto',
  dtype: 'f32',
  parallel: 'auto',
  attention: 'auto',
  packing: false,
  tokensPerMicrobatch: null,
  chunk: 1024,
  recompute: false,
  deterministic: false,
};

/** The JSON Schema of run.json, for workers. */
export function runSpecJsonSchema(): object {
  return z.toJSONSchema(runSpecSchema);
}
