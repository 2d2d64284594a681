/** @file The recipe of a benchmark: systems, data, models and seeds, every key with its default. */
import { z } from 'zod';
import { type SystemName, systemNames } from '../../method/benchmark/systems.ts';
import { type ObjectiveChoice, objectiveNames } from '../../method/objectives/objectives.ts';
import { type EstimatorName, estimatorNames } from '../../method/objectives/plan.ts';
import { type WorldName, worldNames } from '../../method/simulation/worlds/worlds.ts';
import { defaultSettings } from '../../method/training/settings.ts';
import { MODEL_WORDS } from '../open/model-words.ts';
import { objectiveOptionsSchema } from './recipe.ts';

const count = z.int().min(1);

/** A name in tables and file names. */
const fileName = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'a name of small letters, digits and dashes');

const system = z.union([
  z.enum(systemNames as readonly [SystemName, ...SystemName[]]),
  z
    .strictObject({
      name: fileName,
      objective: z.enum(objectiveNames as readonly [ObjectiveChoice, ...ObjectiveChoice[]]),
      objectiveOptions: objectiveOptionsSchema.optional(),
      estimator: z.enum(estimatorNames as [EstimatorName, ...EstimatorName[]]).optional(),
    })
    .describe('a system of your own: trained by an objective with these options, shown the latest items'),
  z
    .strictObject({ name: fileName, scaled: z.string().min(1) })
    .describe(
      'a trained system of this list, the effect of its history scaled by the strength that is best on validation users',
    ),
]);

const data = z
  .strictObject({
    name: fileName.describe('in tables and file names'),
    source: z.string().min(1).optional().describe('FILE.jsonl, sotu or acl:PATH'),
    simulated: z
      .strictObject({
        seed: z.int().min(0).describe('of the users; others train and others are scored'),
        historyItems: count.optional().describe('earlier texts of each user; default 6'),
        world: z
          .enum(worldNames as readonly [WorldName, ...WorldName[]])
          .optional()
          .describe('what they write about; the embedded model knows nothing of journeys; default reviews'),
      })
      .optional()
      .describe('users with known habits, in place of source'),
    cutCharacters: count
      .optional()
      .describe('texts and items are cut to at most so many characters, in whole words; default: not cut'),
    embeddings: z
      .string()
      .min(1)
      .optional()
      .describe(
        'FILE.jsonl, .parquet or .safetensors of embeddings that dense compares; default: the model’s own hidden states',
      ),
    train: count.describe('texts trained on at most'),
    validation: count.describe('texts that rates and strengths are chosen on, at most'),
    test: count.describe('texts scored, at most'),
  })
  .describe('One set of users.');

/** The schema of a benchmark's recipe. */
export const benchmarkSchema = z
  .strictObject({
    out: z.string().min(1).describe('folder of the results; a benchmark that was stopped continues there'),
    models: z
      .array(z.strictObject({ name: z.string().min(1), source: z.string().min(1).describe(MODEL_WORDS) }))
      .min(1)
      .describe('models, each with a name for tables'),
    data: z.array(data).min(1),
    systems: z.array(system).min(1).describe('rows of the leaderboard'),
    baseline: z
      .string()
      .min(1)
      .optional()
      .describe('the system that all others are tested against; default: the first'),
    seeds: z
      .array(z.int().min(0))
      .min(1)
      .optional()
      .describe('of training; systems that are not trained have one run; default [1]'),
    prompt: z
      .strictObject({
        maxTokens: z
          .int()
          .min(8)
          .optional()
          .describe('tokens of prompt and response; default: 2048 or what the model holds'),
        maxHistory: count.optional().describe('history items shown at most; default 8'),
      })
      .optional(),
    training: z
      .strictObject({
        learningRates: z
          .array(z.number().positive())
          .min(1)
          .optional()
          .describe('tried for each trained system; the best on validation users is used; default [5e-4]'),
        maxSteps: count.optional().describe('steps of every trained system; default 20'),
        batchSize: count.optional().describe('examples of a step; default 8'),
        loraRank: count.optional().describe('default 16'),
        evalEvery: count
          .optional()
          .describe(
            'steps between measurements of the loss on validation users in every training, and one at the end; default: none',
          ),
        evalExamples: count
          .optional()
          .describe(
            `their texts that are measured at most, spread over users; default ${defaultSettings.evalExamples}`,
          ),
        keepBest: z
          .boolean()
          .optional()
          .describe(
            'every trained system uses the weights of its step with the least of these losses; default false: of the last step',
          ),
        patience: count
          .optional()
          .describe(
            'with keepBest: measurements without a better one after which a training ends; default: never',
          ),
        userEpochs: count
          .optional()
          .describe(
            'passes over a user’s earlier texts for the user’s own adapter (oppu), a text a step; default 3',
          ),
      })
      .optional(),
    strengths: z
      .array(z.number())
      .min(1)
      .optional()
      .describe(
        'tried for steering, cope and scaled systems on validation users; default [0.5, 0.75, 1, 1.25, 1.5]',
      ),
    others: count.optional().describe('matched strangers for each text; default 3'),
    generate: z
      .strictObject({
        texts: z.int().min(0).optional().describe('texts written by each system; default 0'),
        maxNewTokens: count.optional().describe('tokens of each; default 60'),
        summaryTokens: count.optional().describe('tokens of a summary of a history; default 100'),
      })
      .optional(),
    judge: z
      .strictObject({
        url: z
          .url({ protocol: /^https?$/ })
          .describe(
            'of an OpenAI-compatible endpoint, up to /chat/completions, such as http://localhost:8080/v1',
          ),
        model: z.string().min(1).describe('as the endpoint names it'),
        keyEnv: z
          .string()
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'the name of an environment variable')
          .optional()
          .describe('environment variable that holds the key; default: no key'),
        sendTexts: z
          .boolean()
          .optional()
          .describe("whether users' texts may be sent to another machine; default false"),
      })
      .optional()
      .describe('a judge of the written texts; it decides nothing alone'),
    threads: count.optional().describe('of the engine; default: all processors'),
  })
  .describe('A benchmark of NextQuill: systems × data × models × seeds.');

/** A benchmark as it is written. */
export type BenchmarkRecipe = z.infer<typeof benchmarkSchema>;

/** The JSON Schema of benchmark recipes, for editors. */
export const benchmarkJsonSchema = (): object => z.toJSONSchema(benchmarkSchema, { io: 'input' });
