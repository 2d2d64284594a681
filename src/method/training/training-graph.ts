/** @file One ONNX graph for a training step: its passes over shared weights, the objective, and all gradients. */
import { EngineError } from '../../base/errors.ts';
import { accumulate, vjp } from '../../engine/autodiff/vjp.ts';
import type { Model } from '../../engine/models/model.ts';
import {
  frozenParameters,
  type LoraOptions,
  loraParameters,
  trainedParameters,
} from '../../engine/models/parameters.ts';
import { createPasses, openSession } from '../../engine/models/pass.ts';
import { input } from '../../engine/ops/operators.ts';
import type { Value } from '../../engine/ops/value.ts';
import { type FlatParameters, flatParameters, viewsOf } from '../../engine/optim/flat-parameters.ts';
import { type HostTensor, scalar } from '../../engine/runtime/session.ts';
import { readTensor } from '../../engine/weights/safetensors.ts';
import { copiedFeed, copiedInput } from '../objectives/copied.ts';
import { comparedFeed, comparedInput, groupFeeds, groupInputs } from '../objectives/groups.ts';
import { objectiveLoss } from '../objectives/loss.ts';
import {
  type ObjectivePlan,
  otherPassNames,
  type PassName,
  passNamesOf,
  placeOfOther,
} from '../objectives/plan.ts';
import { passRows } from '../prompts/collate.ts';
import { createAnchorPass } from './anchor-pass.ts';
import type { TrainingBatch } from './batch.ts';
import { estimateFeeds, estimateInputs } from './given-effects.ts';
import { fillInitial } from './initial-adapter.ts';

export interface TrainingGraphOptions {
  readonly model: Model;
  /** What it needs of an estimator comes with each batch; a moving average of the trained weights starts as they do. */
  readonly objective: ObjectivePlan;
  /** Low-rank adapters on a frozen base; all parameters are trained when absent. */
  readonly lora?: LoraOptions;
  /** Computes each layer again in the backward pass: less memory, more time; off by default. */
  readonly recompute?: boolean;
  /** Draws the adapter's first values, and what dropout is made of. */
  readonly seed: number;
  readonly threads?: number;
  /**
   * Whether gradients of several microbatches add up (default). Without, each run overwrites the gradients of the one
   * before: for steps of one microbatch, a pass over all gradients and their clearing less.
   */
  readonly accumulates?: boolean;
}

/** The graph with its trained state. */
export interface TrainingGraph extends AsyncDisposable {
  /** The trained state; it begins with the starting weights. */
  readonly parameters: FlatParameters;
  readonly passes: readonly PassName[];
  /** Whether gradients add up until they are cleared; else each microbatch overwrites those of the one before. */
  readonly accumulates: boolean;
  /**
   * Adds this microbatch's gradients to `parameters.gradients`, or writes them there if the graph does not accumulate.
   * @param stepExamples examples of the whole step, over all its microbatches
   * @param effectScale factor of losses on effects in this step, where they begin late or grow
   * @returns the microbatch's share of the step's loss and of its parts, nats
   * @throws {EngineError} when the loss is not a number
   */
  accumulate(
    batch: TrainingBatch,
    stepExamples: number,
    effectScale?: number,
  ): Promise<Record<string, number>>;
  /** Puts the trained state back to where it began, so that another run can have the compiled graph. */
  reset(): Promise<void>;
}

const PART = 'part.';

/** The symbol of a pass's padded length. */
const lengthOf = (pass: PassName): string =>
  pass === 'withHistory' ? 'T' : pass === 'withoutHistory' ? 'U' : `O${placeOfOther(pass)}`;

/** A training step as expressions, before anything is compiled. */
export interface TrainingExpressions {
  readonly passes: readonly PassName[];
  /** Trained tensors by name, inputs of the graph. */
  readonly trainable: ReadonlyMap<string, Value>;
  /** `loss`, `part.NAME` and `gradient.NAME`; with `sum.NAME` as inputs where gradients accumulate. */
  readonly outputs: Readonly<Record<string, Value>>;
  /** The feeds of a microbatch, except for the trained tensors, their sums, estimates and the anchor's logits. */
  feeds(batch: TrainingBatch, stepExamples: number): Record<string, HostTensor>;
}

/** Builds the passes, the objective and all gradients. */
export function trainingExpressions(options: TrainingGraphOptions): TrainingExpressions {
  const { model, objective, lora, recompute = false, seed, accumulates = true } = options;
  const { needs } = objective;
  const passes = passNamesOf(objective);
  const source =
    lora === undefined
      ? trainedParameters()
      : loraParameters(lora, { base: frozenParameters(model.quantised), seed });
  const decoder = createPasses(model, source, { recompute });
  const logits = Object.fromEntries(passes.map((pass) => [pass, decoder.logits(pass, lengthOf(pass))]));
  const [, ...further] = otherPassNames(needs.others);
  const { loss, parts } = objectiveLoss(objective, {
    ...logits,
    furtherHistories: further.map((pass) => logits[pass]!),
    ...estimateInputs(objective),
    ...(needs.anchor && { anchor: input('anchor', 'f32', ['S', model.config.vocabularySize]) }),
    ...(needs.scale && { effectScale: input('effectScale', 'f32', []) }),
    ...(needs.others > 0 && { isCompared: comparedInput() }),
    ...(needs.copied && { isCopied: copiedInput() }),
    targets: input('targets', 'i64', ['S']),
    groups: groupInputs(),
  });
  const names = [...source.trainable.keys()];
  const gradients = vjp(loss, [...source.trainable.values()]);
  const outputs: Record<string, Value> = { loss };
  for (const [name, value] of Object.entries(parts)) outputs[PART + name] = value;
  // Sums over microbatches inside the graph: where the gradient is a product, the sum costs no pass of its own.
  for (const [i, name] of names.entries())
    outputs[`gradient.${name}`] = accumulates
      ? accumulate(input(`sum.${name}`, 'f32', gradients[i]!.shape), gradients[i]!)
      : gradients[i]!;

  return {
    passes,
    trainable: source.trainable,
    outputs,
    feeds: (batch, stepExamples) => {
      const batches = passes.map((pass) => [pass, batch[pass]!] as const);
      const { exampleOf, targets } = batches[0]![1];
      return {
        ...decoder.feeds(passRows(Object.fromEntries(batches))),
        ...groupFeeds(exampleOf, batch.hasHistory, stepExamples),
        ...(needs.others > 0 && comparedFeed(exampleOf, batch.isCompared!)),
        ...(needs.copied && copiedFeed(batch.isCopied!)),
        targets: { data: targets, shape: [targets.length] },
      };
    },
  };
}

/** Compiles the graph and fills the trained state: the model's weights, or fresh adapters. */
export async function createTrainingGraph(options: TrainingGraphOptions): Promise<TrainingGraph> {
  const { model, objective, lora, seed, threads, accumulates = true } = options;
  const { needs } = objective;
  const { passes, trainable, outputs, feeds: feedsOf } = trainingExpressions(options);
  const parts = Object.keys(outputs).filter((name) => name.startsWith(PART));
  const session = await openSession(model, outputs, threads === undefined ? {} : { threads });
  const anchor = needs.anchor ? await createAnchorPass(model, threads) : undefined;
  const parameters = flatParameters(
    [...trainable].map(([name, value]) => ({ name, shape: value.shape as number[] })),
    objective.estimator === 'moving-average',
  );
  const reset = () => initialise(parameters, model, lora, seed);
  await reset();
  const weights = viewsOf(parameters, parameters.weights);
  const sums = accumulates ? viewsOf(parameters, parameters.gradients, 'sum.') : {};
  const into = viewsOf(parameters, parameters.gradients, 'gradient.');

  return {
    parameters,
    passes,
    accumulates,
    reset,
    accumulate: async (batch, stepExamples, effectScale = 1) => {
      const results = await session.run(
        {
          ...weights,
          ...sums,
          ...feedsOf(batch, stepExamples),
          ...estimateFeeds(objective, batch.estimates ?? []),
          ...(needs.scale && { effectScale: scalar(effectScale) }),
          ...(anchor && { anchor: await anchor.logits(batch.withoutHistory!) }),
        },
        into,
      );
      const record: Record<string, number> = { loss: results.loss!.data[0] as number };
      for (const name of parts) record[name.slice(PART.length)] = results[name]!.data[0] as number;
      if (!Number.isFinite(record.loss))
        throw new EngineError(`loss: expected a finite number, got ${record.loss}`, {
          code: 'training/nan-loss',
          hint: 'Lower the learning rate, or resume from the last checkpoint with a smaller one.',
        });
      return record;
    },
    [Symbol.asyncDispose]: async () => {
      await session[Symbol.asyncDispose]();
      await anchor?.[Symbol.asyncDispose]();
    },
  };
}

/** The start of training: no moments, and the model's own weights or a fresh adapter that changes nothing yet. */
async function initialise(
  parameters: FlatParameters,
  model: Model,
  lora: LoraOptions | undefined,
  seed: number,
): Promise<void> {
  for (const buffer of ['weights', 'gradients', 'firstMoment', 'secondMoment'] as const)
    parameters[buffer].fill(0);
  for (const tensor of parameters.tensors) {
    const { name, offset, size } = tensor;
    const view = parameters.weights.subarray(offset, offset + size);
    if (lora === undefined) view.set(await readTensor(model.weights, name));
    else fillInitial(view, tensor, seed);
  }
  parameters.average?.set(parameters.weights);
}
