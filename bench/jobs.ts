/**
 * @file Whole jobs that users wait for, ours beside a careful PyTorch loop, taken in turn.
 *
 *     npx tsx bench/jobs.ts --model FILE.gguf --python PY [--jobs train,evaluate,audit] [--rounds 3] [--warmups 1] [--threads 2] [--shared-only]
 *
 * `train`: a step of the default objective, LoRA r = 16 on all linear layers, over growing histories of --users users with eight
 * targets each. `evaluate`: --texts texts with the own history, none and three other users'. `audit`: the same texts with the dose
 * curve and the effects of items of four of them; its loss is A on our side, the mean of all prompts on the other. PyTorch takes one prompt at a time, so
 * that nothing is padded, with logits at response tokens alone and gradients only where they are needed (jobs_peer.py). Ours is
 * measured with rows packed and beginnings shared and, without --shared-only, with neither. Every side is a process of its own.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { open } from '../src/app/open/open.ts';
import { audit, evaluate } from '../src/app/verbs.ts';
import type { Model } from '../src/engine/models/model.ts';
import type { ModelWorker, WorkerPrompt } from '../src/engine/models/model-worker.ts';
import { markdownTable } from '../src/reports/text/markdown.ts';
import { type JobSettings, jobExamples, jobPairs } from './job-data.ts';
import { type Peer, type StepAnswer, startPeer } from './peer.ts';
import { commit, machine, median } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    python: { type: 'string' },
    jobs: { type: 'string', default: 'train,evaluate' },
    users: { type: 'string', default: '1' },
    texts: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    warmups: { type: 'string', default: '1' },
    threads: { type: 'string', default: '2' },
    dtypes: { type: 'string', default: 'f32' },
    'shared-only': { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
if (flags.model === undefined) throw new Error('--model: expected a model of type llama, got none');
const [rounds, warmups, threads] = [flags.rounds, flags.warmups, flags.threads].map(Number) as [
  number,
  number,
  number,
];
const place = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const { model } = await open(flags.model);
const folder = await mkdtemp(join(tmpdir(), 'nextquill-jobs-'));
const load = loadavg()[0]!;

/** Every prompt that `evaluate` or `audit` scores, caught by a worker in the model's place. */
async function scoredPrompts(settings: JobSettings): Promise<WorkerPrompt[]> {
  const prompts: WorkerPrompt[] = [];
  const zeros = ({ responseIds }: { responseIds: readonly number[] }) => new Float32Array(responseIds.length);
  const worker = {
    name: 'none',
    logProbabilities: async (asked: readonly WorkerPrompt[]) => {
      prompts.push(...asked);
      return asked.map(zeros);
    },
    pairScores: async (pairs: Parameters<ModelWorker['pairScores']>[0]) => {
      for (const { withHistoryIds, withoutHistoryIds, responseIds } of pairs)
        for (const promptIds of [withHistoryIds, withoutHistoryIds]) prompts.push({ promptIds, responseIds });
      return pairs.map((pair) => ({
        logProbWithHistory: zeros(pair),
        logProbWithoutHistory: zeros(pair),
        divergence: zeros(pair),
      }));
    },
  } as unknown as ModelWorker;
  const verb = settings.job === 'audit' ? audit : evaluate;
  await verb({ model: { ...model, worker } as Model }, jobExamples(settings), { others: 3, seed: 0 });
  return prompts;
}

async function peerFile(settings: JobSettings, dtype: string): Promise<string> {
  const { config, weights, parameters } = model;
  const file = weights.tensors.get(parameters[0]!.name)!.file;
  const data =
    settings.job === 'train'
      ? {
          pairs: jobPairs(settings, model).map((pair) => ({
            with: pair.withHistoryIds,
            without: pair.withoutHistoryIds,
            response: pair.responseIds,
          })),
        }
      : {
          prompts: (await scoredPrompts(settings)).map(({ promptIds, responseIds }) => ({
            prompt: promptIds,
            response: responseIds,
          })),
        };
  const path = join(folder, `${settings.job}-${dtype}.json`);
  const shape = {
    vocab_size: config.vocabularySize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    head_dim: config.headSize,
    rms_norm_eps: config.normEpsilon,
    tie_word_embeddings: config.tiedHead,
    max_position_embeddings: config.maxPositions,
    rope_parameters: { rope_type: 'default', rope_theta: config.rotary.full!.theta },
  };
  await writeFile(
    path,
    JSON.stringify({ job: settings.job, config: shape, weights: file, threads, dtype, ...data }),
  );
  return path;
}

const rows: string[][] = [];
const results: object[] = [];
for (const job of flags.jobs.split(',') as JobSettings['job'][]) {
  const settings: JobSettings = {
    ...{ job, model: flags.model, threads },
    users: Number(job === 'train' ? flags.users : flags.texts),
  };
  const ours = (packing: boolean) =>
    startPeer(process.execPath, [
      ...['--import', 'tsx', place('our-jobs-peer.ts')],
      JSON.stringify({ ...settings, packing }),
    ]);
  const sides: [string, Peer][] = [['ours', await ours(true)]];
  if (!flags['shared-only']) sides.push(['ours, nothing shared', await ours(false)]);
  if (flags.python !== undefined)
    for (const dtype of flags.dtypes.split(','))
      sides.push([
        `PyTorch ${dtype}`,
        await startPeer(flags.python, [place('jobs_peer.py'), await peerFile(settings, dtype)]),
      ]);
  const answers = new Map(sides.map(([name]) => [name, [] as StepAnswer[]]));
  let firstLoss: Record<string, number> = {};
  for (let round = 0; round < warmups + rounds; round++)
    for (const [name, peer] of sides) {
      const answer = await peer.step();
      if (round === 0) firstLoss = { ...firstLoss, [name]: answer.loss };
      if (round >= warmups) answers.get(name)!.push(answer);
      process.stderr.write(
        `${job} ${name}: ${answer.seconds.toFixed(2)} s, ${answer.cpuSeconds?.toFixed(2)} s of CPU, ${answer.tokensComputed ?? 'all'} tokens, loss ${answer.loss.toFixed(6)}\n`,
      );
    }
  const [own] = answers.values();
  const secondsOf = (of: readonly StepAnswer[]) => of.map(({ seconds }) => seconds);
  const cpuOf = (of: readonly StepAnswer[]) => median(of.map(({ cpuSeconds }) => cpuSeconds!));
  for (const [name, peer] of sides) {
    const { peakRssBytes } = await peer.memory();
    await peer.quit();
    const all = answers.get(name)!;
    const seconds = secondsOf(all);
    const { tokensComputed, tokensSaved } = all[0]!;
    const total = own![0]!.tokensComputed! + own![0]!.tokensSaved!;
    const ratio = median(seconds) / median(secondsOf(own!));
    const best = Math.min(...seconds) / Math.min(...secondsOf(own!));
    const cpu = cpuOf(all);
    rows.push([
      ...[job, name, String(tokensComputed ?? total), median(seconds).toFixed(2)],
      ...[`${ratio.toFixed(2)} (${best.toFixed(2)})`, cpu.toFixed(2), (cpu / cpuOf(own!)).toFixed(2)],
      (peakRssBytes / 1e9).toFixed(2),
    ]);
    results.push({
      job,
      name,
      seconds,
      cpuSeconds: cpu,
      tokensComputed,
      tokensSaved,
      peakRssBytes,
      loss: firstLoss[name],
    });
  }
}
await rm(folder, { recursive: true, force: true });
const head = ['job', 'side', 'tokens computed', 's, median', 'ours faster by (bests)'].concat([
  'CPU s, median',
  'ours takes fewer CPU s by',
  'peak GB',
]);
process.stdout.write(
  `${threads} threads, ${machine().cpu}, commit ${commit()}, load ${load.toFixed(1)} before\n\n${markdownTable(head, rows)}\n`,
);
if (flags.out !== undefined)
  await writeFile(
    flags.out,
    `${JSON.stringify({ machine: machine(), commit: commit(), load, rounds, threads, results }, null, 2)}\n`,
  );
