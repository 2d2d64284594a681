/** @file One configuration of `npm run bench -- memory` in a fresh process: predicts, takes one step, prints both. Usage: tsx bench/memory-child.ts JSON */

import { blockModules } from '../src/engine/lora/layers.ts';
import type { Model } from '../src/engine/models/model.ts';
import { architectureOf } from '../src/engine/models/registry.ts';
import { createAdamW } from '../src/engine/optim/adamw.ts';
import { withQuantisedBase } from '../src/engine/quantisation/quantised-base.ts';
import { openSafetensors } from '../src/engine/weights/safetensors.ts';
import { planObjective } from '../src/method/objectives/plan.ts';
import type { PromptPair } from '../src/method/prompts/pair.ts';
import { trainingBatch } from '../src/method/training/batch.ts';
import { predictMemory } from '../src/method/training/memory/training-memory.ts';
import { createTrainingGraph } from '../src/method/training/training-graph.ts';
import { memoryRecord } from './memory.ts';
import type { MemoryChildSettings, MemoryOutcome } from './memory-prediction.ts';
import { HYPERPARAMETERS, smolLm2 } from './shape.ts';

const settings = JSON.parse(process.argv[2]!) as MemoryChildSettings;
const { layers, mode, objective, batch, tokens, recompute, baseBits, threads } = settings;
const config = smolLm2(layers);
const architecture = architectureOf(config);
const plain = {
  config,
  architecture,
  parameters: architecture.parameters(config),
  weights: await openSafetensors(settings.weights),
  // No text is read: these parts of a model are all that a step needs.
  tokenizer: { padId: 0 },
} as unknown as Model;
const model = baseBits === undefined ? plain : await withQuantisedBase(plain, baseBits, settings.cache);
if (settings.isWarmUp === true) process.exit(0);
const [long, short, response] = tokens;
const ids = (count: number) => Array.from({ length: count }, (_, i) => (i * 7919) % config.vocabularySize);
const pair: PromptPair = {
  withHistoryIds: ids(long),
  withoutHistoryIds: ids(short),
  responseIds: ids(response),
  responseStarts: [],
  responseEnds: [],
  historyItemsUsed: 1,
  hasHistory: true,
};
const pairs = new Array<PromptPair>(batch).fill(pair);
const { rank, loraAlpha } = HYPERPARAMETERS;
const options = {
  model,
  objective: planObjective(objective),
  seed: 0,
  threads,
  recompute,
  accumulates: false,
  ...(mode === 'lora' ? { lora: { rank, loraAlpha, targetModules: blockModules(plain) } } : {}),
};
const predicted = predictMemory(options, pairs, {
  batchSize: batch,
  gradientAccumulation: 1,
  epochs: 1,
  seed: 0,
});
await using graph = await createTrainingGraph(options);
await using optimizer = await createAdamW({ threads });
const start = performance.now();
await graph.accumulate(trainingBatch(pairs, graph.passes, 0), batch);
const norm = await optimizer.gradientNorm(graph.parameters);
await optimizer.update(graph.parameters, 1, 1e-4, norm);
const seconds = (performance.now() - start) / 1000;
const outcome: MemoryOutcome = { predicted, measured: memoryRecord(), seconds };
process.stdout.write(`${JSON.stringify(outcome)}\n`);
