/**
 * @file What a base kept in 8 or 4 bits costs beside f32, with its products in f32 and in int8: log-probabilities and effects of
 * real texts, and the losses and gradient norms of LoRA training.
 *
 *     npx tsx bench/base-bits.ts --model FILE.gguf [--data FILE.jsonl] [--bases int8] [--texts 20] [--others 2] [--steps 10]
 *       [--objective sft] [--tokens 256] [--cut CHARACTERS] [--threads 2] [--out bench/results/base-bits.json]
 *
 * Texts are those of the file, or State of the Union passages: those scored of the split `test`, those trained on of `train`. Prints
 * Markdown tables.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { cutExample } from '../src/app/benchmark/benchmark-data.ts';
import { openModel } from '../src/app/open/model-source.ts';
import type { Products } from '../src/base/products.ts';
import { mean } from '../src/base/statistics/mean.ts';
import { loadAdapter } from '../src/engine/lora/adapter-folder.ts';
import type { Model } from '../src/engine/models/model.ts';
import type { BaseBits } from '../src/engine/quantisation/blocks.ts';
import { withQuantisedBase } from '../src/engine/quantisation/quantised-base.ts';
import type { Example, Split } from '../src/method/data/example.ts';
import { sotuExamples } from '../src/method/data/sotu.ts';
import { readExamples } from '../src/method/data/source.ts';
import { namedEffects } from '../src/method/effects/named-effects.ts';
import type { ObjectiveChoice } from '../src/method/objectives/objectives.ts';
import { defaultPromptSettings, promptPair } from '../src/method/prompts/pair.ts';
import { trainPairs } from '../src/method/runs/train.ts';
import { exampleEffects } from '../src/method/scoring/rows.ts';
import type { ScoredModel } from '../src/method/scoring/scored-model.ts';
import { markdownTable } from '../src/reports/text/markdown.ts';
import { commit, machine } from './report.ts';

/** A base, and what its products are computed in. */
interface Base {
  readonly name: string;
  readonly bits?: BaseBits;
  readonly products?: Products;
}

/** What is measured of one base; of every response token, text after text, in nats. */
interface BaseRecord {
  readonly base: string;
  readonly logProb: readonly number[];
  /** The effect of the history on each: A. */
  readonly logRatio: readonly number[];
  /** C of each, beside other users' histories. Absent with --others 0. */
  readonly userSpecific?: readonly number[];
  /** Of each training step, before its update; nats a token. Absent with --steps 0. */
  readonly losses?: readonly number[];
  readonly gradientNorms?: readonly number[];
  /** As `logProb`, over the same base with the adapter of the last step. */
  readonly logProbAfter?: readonly number[];
}

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string' },
    bases: { type: 'string', default: '' },
    texts: { type: 'string', default: '20' },
    others: { type: 'string', default: '0' },
    steps: { type: 'string', default: '10' },
    objective: { type: 'string', default: 'sft' },
    tokens: { type: 'string', default: '256' },
    cut: { type: 'string' },
    threads: { type: 'string', default: '2' },
    out: { type: 'string', default: 'bench/results/base-bits.json' },
  },
});
if (flags.model === undefined)
  throw new Error('--model: expected a model, such as SmolLM2-135M-Instruct.Q4_1.gguf');
const [texts, others, steps, maxTokens, threads] = [
  flags.texts,
  flags.others,
  flags.steps,
  flags.tokens,
  flags.threads,
].map(Number) as [number, number, number, number, number];
const bases = (
  [
    { name: 'f32' },
    { name: '8 bits', bits: 8 },
    { name: '8 bits, int8 products', bits: 8, products: 'int8' },
    { name: '4 bits', bits: 4 },
    { name: '4 bits, int8 products', bits: 4, products: 'int8' },
  ] satisfies Base[]
).filter(({ name }) => name === 'f32' || name.includes(flags.bases));
const plain = await openModel(flags.model);
const prompt = { ...defaultPromptSettings(plain.config.maxPositions), maxTokens };
const read = flags.data === undefined ? sotuExamples({ historySize: 4 }) : await readExamples(flags.data, {});
const all = flags.cut === undefined ? read : read.map((example) => cutExample(example, Number(flags.cut)));
const scoredTexts = examplesOf('test', texts);
const records: BaseRecord[] = [];
for (const base of bases) {
  const model = await modelOver(base);
  records.push({ base: base.name, ...(await effectsOf({ model })) });
  console.error(`${base.name}: scored`);
  await save();
}
if (steps > 0) {
  const work = await mkdtemp(join(tmpdir(), 'nextquill-base-bits-'));
  for (const [i, base] of bases.entries()) {
    records[i] = { ...records[i]!, ...(await trained(base, work)) };
    console.error(`${base.name}: trained`);
    await save();
  }
  await rm(work, { recursive: true });
}
console.log(tables());

async function save(): Promise<void> {
  const report = {
    bench: 'base-bits',
    date: new Date().toISOString(),
    commit: commit(),
    machine: machine(),
    options: { texts, others, steps, objective: flags.objective, maxTokens, threads, model: plain.hash },
    records,
  };
  await mkdir(dirname(flags.out), { recursive: true });
  await writeFile(flags.out, `${JSON.stringify(report, rounded)}\n`);
}

/** Examples of as many users as there are, each as late as its rank asks for. */
function examplesOf(split: Split, count: number): Example[] {
  const some = all.filter((example) => example.split === split && example.history.length > 0);
  return Array.from({ length: count }, (_, i) => some[Math.floor((i * some.length) / count)]!);
}

function modelOver({ bits, products = 'f32' }: Base): Promise<Model> | Model {
  return bits === undefined ? plain : withQuantisedBase(plain, bits, undefined, { products });
}

/** Steps of one example each, the same for every base. */
async function trained(base: Base, work: string) {
  const out = join(work, base.name);
  const model = await modelOver(base);
  const losses: number[] = [];
  const gradientNorms: number[] = [];
  const events = trainPairs({
    model,
    modelSource: flags.model!,
    pairs: examplesOf('train', steps).map((example) => promptPair(example, plain.tokenizer, prompt)),
    dataSource: 'texts',
    objective: flags.objective as ObjectiveChoice,
    lora: { rank: 16, loraAlpha: 32 },
    batchSize: 1,
    gradientAccumulation: 1,
    maxSteps: steps,
    threads,
    out,
  });
  for await (const event of events) {
    if (event.type !== 'step') continue;
    losses.push(event.loss);
    gradientNorms.push(event.gradientNorm);
  }
  const adapter = await loadAdapter(join(out, 'adapter'), plain);
  const { logProb } = await effectsOf({ model, adapter });
  return { losses, gradientNorms, logProbAfter: logProb };
}

async function effectsOf(
  scored: ScoredModel,
): Promise<Pick<BaseRecord, 'logProb' | 'logRatio' | 'userSpecific'>> {
  const logProb: number[] = [];
  const logRatio: number[] = [];
  const userSpecific: number[] = [];
  const options = { prompt, threads, tokensPerRun: 1024, others, pool: all };
  for await (const { effects, logProbWithOthers } of exampleEffects(scored, scoredTexts, options)) {
    const { logProbWithHistory, logProbWithoutHistory } = effects;
    logProb.push(...logProbWithHistory);
    logRatio.push(...effects.logRatio);
    for (const [t, own] of logProbWithHistory.entries()) {
      if (logProbWithOthers === undefined) continue;
      const scores = { own, none: logProbWithoutHistory[t]!, others: [logProbWithOthers[t]!] };
      userSpecific.push(namedEffects(scores).userSpecific);
    }
  }
  return { logProb, logRatio, ...(others > 0 && { userSpecific }) };
}

/** What f32 holds of a number, without the digits that a double adds. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(7)) : value;
}

function tables(): string {
  const reference = records[0]!;
  const rms = (values: readonly number[]) => Math.sqrt(mean(values.map((value) => value ** 2)));
  const gaps = (a: readonly number[], b: readonly number[]) => a.map((value, i) => value - b[i]!);
  const spread = (values: readonly number[]) => rms(values.map((value) => value - mean(values)));
  const effect = (values: readonly number[] | undefined, ofReference: readonly number[] | undefined) =>
    values === undefined ? [] : [mean(values).toFixed(4), rms(gaps(values, ofReference!)).toFixed(4)];
  const scores = records.map(({ base, logProb, logRatio, userSpecific }) => {
    const off = gaps(logProb, reference.logProb);
    return [
      base,
      (-mean(logProb)).toFixed(4),
      mean(off.map(Math.abs)).toFixed(4),
      rms(off).toFixed(4),
      Math.max(...off.map(Math.abs)).toFixed(2),
      ...effect(logRatio, reference.logRatio),
      ...effect(userSpecific, reference.userSpecific),
    ];
  });
  const hasOthers = reference.userSpecific !== undefined;
  const head = [
    'base',
    'NLL',
    'mean gap of a log-probability',
    'RMS',
    'largest',
    'mean A',
    'RMS gap of A',
    ...(hasOthers ? ['mean C', 'RMS gap of C'] : []),
  ];
  const spreads = [
    `of A ${spread(reference.logRatio).toFixed(4)}`,
    ...(hasOthers ? [`of C ${spread(reference.userSpecific!).toFixed(4)}`] : []),
  ];
  const parts = [
    markdownTable(head, scores),
    `${texts} texts, ${reference.logProb.length} tokens, nats. Spread over tokens in f32: ${spreads.join(', ')}.`,
  ];
  if (reference.losses === undefined) return parts.join('\n\n');
  const steps = records.map(({ base, losses, gradientNorms, logProbAfter }) => [
    base,
    rms(gaps(losses!, reference.losses!)).toFixed(4),
    (losses!.at(-1)! - reference.losses!.at(-1)!).toFixed(4),
    rms(gradientNorms!.map((norm, i) => norm / reference.gradientNorms![i]! - 1)).toFixed(4),
    (-mean(logProbAfter!)).toFixed(4),
    rms(gaps(logProbAfter!, reference.logProbAfter!)).toFixed(4),
  ]);
  const trainingHead = [
    'base',
    'RMS gap of a loss',
    'last loss − f32',
    'RMS gap of a gradient norm, relative',
    'NLL after',
    'RMS gap of a log-probability after',
  ];
  const path = (name: 'losses' | 'gradientNorms') =>
    records.map((record) => `${record.base}: ${record[name]!.map((value) => value.toFixed(4)).join(' ')}`);
  parts.push(markdownTable(trainingHead, steps), `${flags.objective}, ${steps.length} bases.`);
  parts.push(['Losses', ...path('losses'), 'Gradient norms', ...path('gradientNorms')].join('\n'));
  return parts.join('\n\n');
}
