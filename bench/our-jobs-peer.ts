/**
 * @file Our side of bench/jobs.ts: one whole job at a time, on request, by the protocol of pytorch_peer.py.
 *
 * Usage: tsx bench/our-jobs-peer.ts '{"job": "train", "model": FILE, "users": 1, "threads": 2, "packing": true}'
 */
import { open } from '../src/app/open/open.ts';
import { audit, evaluate } from '../src/app/verbs.ts';
import { mean } from '../src/base/statistics/mean.ts';
import { blockModules } from '../src/engine/lora/layers.ts';
import { createAdamW } from '../src/engine/optim/adamw.ts';
import { planObjective } from '../src/method/objectives/plan.ts';
import { tokenCounter } from '../src/method/scoring/token-count.ts';
import { tokensOfBatch, trainingBatch } from '../src/method/training/batch.ts';
import { trainingRowCost } from '../src/method/training/packing.ts';
import { createTrainingGraph } from '../src/method/training/training-graph.ts';
import { type JobSettings, jobExamples, jobPairs } from './job-data.ts';
import { answerCommands, runPeer, say } from './peer-commands.ts';
import { HYPERPARAMETERS } from './shape.ts';

async function main(): Promise<void> {
  const settings: JobSettings & { packing: boolean } = JSON.parse(process.argv[2]!);
  const { job, threads, packing } = settings;
  const opened = await open(settings.model);
  const { model } = opened;
  const start = performance.now();
  let trainable = 0;
  let step: () => Promise<object>;
  if (job === 'train') {
    const pairs = jobPairs(settings, model);
    const { learningRate, weightDecay, maxGradientNorm, rank, loraAlpha } = HYPERPARAMETERS;
    const graph = await createTrainingGraph({
      model,
      objective: planObjective(),
      lora: { rank, loraAlpha, targetModules: blockModules(model) },
      seed: 0,
      threads,
      accumulates: false,
    });
    const optimizer = await createAdamW({ weightDecay, maxGradientNorm, threads });
    trainable = graph.parameters.size;
    const { padId } = model.tokenizer;
    let steps = 0;
    step = async () => {
      steps++;
      const rowCost = packing ? trainingRowCost(model) : undefined;
      const batch = trainingBatch(pairs, graph.passes, padId, rowCost);
      const { loss } = await graph.accumulate(batch, pairs.length);
      const gradientNorm = await optimizer.gradientNorm(graph.parameters);
      await optimizer.update(graph.parameters, steps, learningRate, gradientNorm);
      return { loss, gradientNorm, ...tokensOfBatch(batch, pairs, graph.passes) };
    };
  } else {
    const examples = jobExamples(settings);
    step = async () => {
      const counter = tokenCounter();
      const others = 3;
      const options = {
        ...{ threads, others, seed: 0, onTokens: counter.add },
        ...(!packing && { tokensPerRun: 1 }),
      };
      if (job === 'audit') {
        const { effects } = await audit(opened, examples, options);
        return { loss: effects.total.value, gradientNorm: 0, ...counter.total() };
      }
      const { scores } = await evaluate(opened, examples, options);
      // Of all prompts of a text, as the peer has it.
      const loss = mean(
        scores.map(
          ({ nllWithHistory, nllWithoutHistory, nllOtherHistory }) =>
            (nllWithHistory + nllWithoutHistory + others * nllOtherHistory) / (2 + others),
        ),
      );
      return { loss, gradientNorm: 0, ...counter.total() };
    };
  }
  say({ ready: true, trainable, openSeconds: (performance.now() - start) / 1000 });
  await answerCommands(async () => {
    const [begin, cpu] = [performance.now(), process.cpuUsage()];
    const answer = await step();
    const { user, system } = process.cpuUsage(cpu);
    const seconds = (performance.now() - begin) / 1000;
    return { seconds, cpuSeconds: (user + system) / 1e6, ...answer };
  });
}

await runPeer(main);
