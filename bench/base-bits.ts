/**
 * @file What a base kept in 8 or 4 bits costs beside f32: log-probabilities and effects of real texts, and the losses of LoRA training.
 *
 *     npx tsx bench/base-bits.ts --model FILE.gguf [--texts 20] [--steps 10] [--tokens 256] [--threads 2] [--out bench/results/base-bits.json]
 *
 * Texts are State of the Union passages: those scored of the split `test`, those trained on of `train`. Prints Markdown tables.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { openModel } from '../src/app/open/model-source.ts';
import { mean } from '../src/base/statistics/mean.ts';
import { loadAdapter } from '../src/engine/lora/adapter-folder.ts';
import type { Model } from '../src/engine/models/model.ts';
import type { BaseBits } from '../src/engine/quantisation/blocks.ts';
import { withQuantisedBase } from '../src/engine/quantisation/quantised-base.ts';
import type { Example, Split } from '../src/method/data/example.ts';
import { sotuExamples } from '../src/method/data/sotu.ts';
import { defaultPromptSettings, type PromptPair, promptPair } from '../src/method/prompts/pair.ts';
import { trainPairs } from '../src/method/runs/train.ts';
import type { PairEffects } from '../src/method/scoring/pair-effects.ts';
import type { ScoredModel } from '../src/method/scoring/scored-model.ts';
import { createScorer } from '../src/method/scoring/scorer.ts';
import { markdownTable } from '../src/reports/text/markdown.ts';
import { commit, machine } from './report.ts';

/** What is measured of one base. */
interface BaseRecord {
  readonly base: 'f32' | '8 bits' | '4 bits';
  /** Of every response token, text after text; nats. */
  readonly logProb: readonly number[];
  /** The effect of the history on each. */
  readonly logRatio: readonly number[];
  /** Of each training step, before its update; nats a token. Absent with --steps 0. */
  readonly losses?: readonly number[];
  /** As `logProb`, over the same base with the adapter of the last step. */
  readonly logProbAfter?: readonly number[];
}

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    texts: { type: 'string', default: '20' },
    steps: { type: 'string', default: '10' },
    tokens: { type: 'string', default: '256' },
    threads: { type: 'string', default: '2' },
    out: { type: 'string', default: 'bench/results/base-bits.json' },
  },
});
if (flags.model === undefined)
  throw new Error('--model: expected a model, such as SmolLM2-135M-Instruct.Q4_1.gguf');
const [texts, steps, maxTokens, threads] = [flags.texts, flags.steps, flags.tokens, flags.threads].map(
  Number,
) as [number, number, number, number];
const plain = await openModel(flags.model);
const scoredPairs = pairsOf('test', texts);
const records: BaseRecord[] = [];
const bases = [undefined, 8, 4] as const;
for (const bits of bases) {
  records.push(await scored(bits));
  console.error(`${records.at(-1)!.base}: scored`);
}
await save();
if (steps > 0) {
  const trainedPairs = pairsOf('train', steps);
  const work = await mkdtemp(join(tmpdir(), 'nextquill-base-bits-'));
  for (const [i, bits] of bases.entries()) {
    records[i] = { ...records[i]!, ...(await trained(bits, trainedPairs, work)) };
    console.error(`${records[i].base}: trained`);
    await save();
  }
  await rm(work, { recursive: true });
}
console.log(table());

async function save(): Promise<void> {
  const report = {
    bench: 'base-bits',
    date: new Date().toISOString(),
    commit: commit(),
    machine: machine(),
    options: { texts, steps, maxTokens, threads, model: plain.hash },
    records,
  };
  await mkdir(dirname(flags.out), { recursive: true });
  await writeFile(flags.out, `${JSON.stringify(report, rounded)}\n`);
}

/** Pairs of as many users as there are, each example as late as its rank asks for. */
function pairsOf(split: Split, count: number): PromptPair[] {
  const settings = { ...defaultPromptSettings(plain.config.maxPositions), maxTokens };
  const all = sotuExamples({ historySize: 4 }).filter((example: Example) => example.split === split);
  const every = all.length / count;
  return Array.from({ length: count }, (_, i) =>
    promptPair(all[Math.floor(i * every)]!, plain.tokenizer, settings),
  );
}

function baseOf(bits: BaseBits | undefined): Promise<Model> | Model {
  return bits === undefined ? plain : withQuantisedBase(plain, bits);
}

async function scored(bits: BaseBits | undefined): Promise<BaseRecord> {
  const effects = await effectsOf({ model: await baseOf(bits) });
  return {
    base: bits === undefined ? 'f32' : `${bits} bits`,
    logProb: effects.flatMap(({ logProbWithHistory }) => [...logProbWithHistory]),
    logRatio: effects.flatMap(({ logRatio }) => [...logRatio]),
  };
}

/** Steps of one example each, the same for every base. */
async function trained(bits: BaseBits | undefined, pairs: readonly PromptPair[], work: string) {
  const out = join(work, String(bits));
  const losses: number[] = [];
  const events = trainPairs({
    model: plain,
    modelSource: flags.model!,
    pairs,
    dataSource: 'sotu',
    objective: 'sft',
    lora: { rank: 16, loraAlpha: 32 },
    ...(bits !== undefined && { baseBits: bits }),
    batchSize: 1,
    gradientAccumulation: 1,
    maxSteps: steps,
    threads,
    out,
  });
  for await (const event of events) if (event.type === 'step') losses.push(event.loss);
  const adapter = await loadAdapter(join(out, 'adapter'), plain);
  const after = await effectsOf({ model: await baseOf(bits), adapter });
  return { losses, logProbAfter: after.flatMap(({ logProbWithHistory }) => [...logProbWithHistory]) };
}

async function effectsOf(scored: ScoredModel): Promise<PairEffects[]> {
  await using scorer = createScorer(scored, { threads, tokensPerRun: 1024 });
  return await scorer.effects(scoredPairs);
}

/** What f32 holds of a number, without the digits that a double adds. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(7)) : value;
}

function table(): string {
  const reference = records[0]!;
  const gaps = (a: readonly number[], b: readonly number[]) => a.map((value, i) => Math.abs(value - b[i]!));
  const rows = records.map(({ base, logProb, logRatio, losses, logProbAfter }) => [
    base,
    (-mean(logProb)).toFixed(4),
    mean(gaps(logProb, reference.logProb)).toFixed(4),
    Math.max(...gaps(logProb, reference.logProb)).toFixed(2),
    mean(logRatio).toFixed(4),
    mean(gaps(logRatio, reference.logRatio)).toFixed(4),
    ...(losses === undefined || logProbAfter === undefined
      ? []
      : [
          mean(gaps(losses, reference.losses!)).toFixed(4),
          (losses.at(-1)! - reference.losses!.at(-1)!).toFixed(4),
          (-mean(logProbAfter)).toFixed(4),
        ]),
  ]);
  const head = [
    'base',
    'NLL',
    'mean gap of a log-probability',
    'largest',
    'mean log ratio',
    'mean gap of it',
    ...(reference.losses === undefined
      ? []
      : ['mean gap of a loss', `loss of step ${steps} − f32`, `NLL after ${steps} steps`]),
  ];
  return [markdownTable(head, rows), '', `${texts} texts, ${reference.logProb.length} tokens, nats.`].join(
    '\n',
  );
}
