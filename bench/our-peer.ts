/**
 * @file Our side of `npm run bench -- step`: one training step at a time, on request, by the protocol of pytorch_peer.py.
 *
 * Usage: tsx bench/our-peer.ts '{"mode": "lora", "batch": 1, "length": 512, "threads": 2, "seed": 0, "layers": 30, "weights": PATH}'
 */
import { randomStream } from '../src/base/random.ts';
import { blockModules } from '../src/engine/lora/layers.ts';
import type { Model } from '../src/engine/models/model.ts';
import { architectureOf } from '../src/engine/models/registry.ts';
import { createAdamW } from '../src/engine/optim/adamw.ts';
import { openSafetensors } from '../src/engine/weights/safetensors.ts';
import type { TensorDirectory } from '../src/engine/weights/tensor-entry.ts';
import { planObjective } from '../src/method/objectives/plan.ts';
import { createTrainingGraph } from '../src/method/training/training-graph.ts';
import { memoryRecord } from './memory.ts';
import { answerCommands, runPeer, say } from './peer-commands.ts';
import { HYPERPARAMETERS, type PeerSettings, smolLm2 } from './shape.ts';

async function main(): Promise<void> {
  const settings: PeerSettings & { weights: string; layers?: number } = JSON.parse(process.argv[2]!);
  const { mode, batch, length, threads, seed, layers } = settings;
  const { learningRate, weightDecay, maxGradientNorm, rank, loraAlpha } = HYPERPARAMETERS;
  const memoryAfterImport = memoryRecord();
  const config = smolLm2(layers);
  const architecture = architectureOf(config);
  // No tokenizer is needed for random ids: the step reads these parts of a model alone.
  const weights: TensorDirectory = await openSafetensors(settings.weights);
  const shapes: Model['parameters'] = architecture.parameters(config);
  const model = { config, architecture, parameters: shapes, weights } as Model;
  await using graph = await createTrainingGraph({
    model,
    objective: planObjective('sft'),
    seed,
    threads,
    accumulates: false,
    ...(mode === 'lora' ? { lora: { rank, loraAlpha, targetModules: blockModules(model) } } : {}),
  });
  await using optimizer = await createAdamW({ weightDecay, maxGradientNorm, threads });
  const { parameters } = graph;
  const random = randomStream(seed, 'bench/tokens');
  const count = batch * length;
  const draw = () =>
    BigInt64Array.from({ length: count }, () => BigInt(random.integer(config.vocabularySize)));
  const tokens = {
    batch,
    length,
    tokenIds: draw(),
    positionIds: BigInt64Array.from({ length: count }, (_, i) => BigInt(i % length)),
    attentionMask: new Float32Array(count).fill(1),
    responseRows: BigInt64Array.from({ length: count }, (_, i) => BigInt(i)),
    targets: draw(),
    exampleOf: Array.from({ length: count }, (_, i) => Math.floor(i / length)),
  };
  const hasHistory = new Array<boolean>(batch).fill(true);
  let step = 0;
  const trainingStep = async () => {
    const start = performance.now();
    step++;
    const { loss } = await graph.accumulate({ withHistory: tokens, hasHistory }, batch);
    const middle = performance.now();
    const gradientNorm = await optimizer.gradientNorm(parameters);
    await optimizer.update(parameters, step, learningRate, gradientNorm);
    const seconds = (performance.now() - start) / 1000;
    return { seconds, optimizerSeconds: (performance.now() - middle) / 1000, loss, gradientNorm };
  };
  say({
    ready: true,
    settings: { mode, batch, length, threads, seed },
    trainable: parameters.tensors.reduce((sum, { size }) => sum + size, 0),
    memoryAfterImport,
    memory: memoryRecord(),
  });
  await answerCommands(trainingStep);
}

await runPeer(main);
