/** @file Refuses a run that the machine has no memory for, with the settings that would fit. */

import { mebibytes } from '../../../base/bytes.ts';
import { ConfigError } from '../../../base/errors.ts';
import { largest } from '../../../base/largest.ts';
import { blockModules } from '../../../engine/lora/layers.ts';
import type { Model } from '../../../engine/models/model.ts';
import { withPlannedBase } from '../../../engine/quantisation/quantised-base.ts';
import type { PromptPair } from '../../prompts/pair.ts';
import type { ResolvedSettings } from '../settings.ts';
import type { TrainingGraphOptions } from '../training-graph.ts';
import { type MemoryPrediction, memoryLimit, predictMemory } from './training-memory.ts';

/** What a run was predicted to need, and what there was. */
export interface MemoryRecord extends MemoryPrediction {
  /** Bytes that the run may have in all. */
  readonly limit: number;
}

/** What a run trains on, and what it measures its held-out loss on. */
export interface MeasuredData {
  readonly pairs: readonly PromptPair[];
  readonly heldOut?: readonly PromptPair[] | undefined;
}

/** The graph of a run, by its settings. */
export function graphOptions(settings: ResolvedSettings, model: Model): TrainingGraphOptions {
  return {
    ...settings,
    model,
    accumulates: settings.gradientAccumulation > 1,
  };
}

/**
 * Predicts the memory of a run and compares it with what there is.
 * @param maxMemory bytes that the run may have in all; by default what the process has and what the machine has left
 * @throws {ConfigError} when it does not fit, naming what would
 */
export function checkMemory(
  settings: ResolvedSettings,
  model: Model,
  data: MeasuredData,
  maxMemory?: number,
): MemoryRecord {
  const limit = maxMemory ?? memoryLimit();
  const needed = predicted(settings, model, data);
  if (needed.total <= limit) return { ...needed, limit };
  const fitting = alternatives(settings, model, data).flatMap(({ words, changes, shorter }) => {
    const { total } = predicted({ ...settings, ...changes }, model, shorter ?? data);
    return total <= limit ? `${words} (${mebibytes(total)})` : [];
  });
  const { mappedWeights, trained, activations, estimator, evaluation, process } = needed;
  throw new ConfigError(
    `memory: expected at most ${mebibytes(limit)}, ${maxMemory === undefined ? 'which the machine has left' : 'as maxMemory says'}, got ${mebibytes(needed.total)} predicted: ${mebibytes(activations)} of activations, ${mebibytes(trained)} for what is trained, ${mebibytes(mappedWeights)} of frozen weights, ${estimator > 0 ? `${mebibytes(estimator)} of the estimator, ` : ''}${evaluation > 0 ? `${mebibytes(evaluation)} of evaluation, ` : ''}${mebibytes(process)} of the process itself`,
    {
      code: 'training/memory',
      hint:
        fitting.length > 0
          ? `Set one of: ${fitting.join('; ')}.`
          : 'Take a smaller model or another machine: no setting of this run would fit.',
    },
  );
}

function predicted(settings: ResolvedSettings, model: Model, data: MeasuredData): MemoryPrediction {
  const { baseBits } = settings;
  const base = baseBits === undefined ? model : withPlannedBase(model, baseBits);
  const heldOut = settings.evalEvery > 0 ? data.heldOut : undefined;
  return predictMemory(graphOptions(settings, base), data.pairs, settings, heldOut);
}

interface Alternative {
  /** As keys of a recipe. */
  readonly words: string;
  readonly changes: Partial<ResolvedSettings>;
  readonly shorter?: MeasuredData;
}

/** Changes that leave the step what it is come first, then those that change the model that is trained or its texts. */
function alternatives(
  settings: ResolvedSettings,
  model: Model,
  { pairs, heldOut = [] }: MeasuredData,
): Alternative[] {
  const { batchSize, gradientAccumulation, lora, baseBits, recompute } = settings;
  const list: Alternative[] = [];
  if (heldOut.length > 0) list.push({ words: 'training.evalEvery=0', changes: { evalEvery: 0 } });
  const again: Alternative = { words: 'training.recompute=true', changes: { recompute: true } };
  if (!recompute) list.push(again);
  const single: Alternative = {
    words: `training.batchSize=1 training.gradientAccumulation=${batchSize * gradientAccumulation}`,
    changes: { batchSize: 1, gradientAccumulation: batchSize * gradientAccumulation },
  };
  if (batchSize > 1) list.push(single);
  if (batchSize > 1 && !recompute) list.push(both(again, single));
  const adapter = { rank: 16, loraAlpha: 32, targetModules: blockModules(model) };
  if (lora === undefined) list.push({ words: 'lora.rank=16 in place of full', changes: { lora: adapter } });
  else if (baseBits !== 4) {
    const fewer: Alternative = { words: 'lora.baseBits=4', changes: { baseBits: 4 } };
    list.push(fewer, both(recompute ? fewer : both(fewer, again), single));
  }
  const longest = largest(pairs.map((pair) => pair.withHistoryIds.length + pair.responseIds.length));
  const half = Math.ceil(longest / 2);
  list.push({
    words: `prompt.maxTokens=${half}`,
    changes: {},
    shorter: {
      pairs: pairs.map((pair) => cut(pair, half)),
      heldOut: heldOut.map((pair) => cut(pair, half)),
    },
  });
  return list;
}

const both = (a: Alternative, b: Alternative): Alternative => ({
  words: `${a.words} ${b.words}`,
  changes: { ...a.changes, ...b.changes },
});

/** The pair as long as it would be in fewer tokens: what is in it does not matter here. */
function cut(pair: PromptPair, tokens: number): PromptPair {
  const room = Math.max(1, tokens - pair.responseIds.length);
  return {
    ...pair,
    withHistoryIds: pair.withHistoryIds.slice(-room),
    withoutHistoryIds: pair.withoutHistoryIds.slice(-room),
    ...(pair.otherHistoryIds && { otherHistoryIds: pair.otherHistoryIds.slice(-room) }),
    ...(pair.furtherHistoryIds && {
      furtherHistoryIds: pair.furtherHistoryIds.map((ids) => ids.slice(-room)),
    }),
  };
}
