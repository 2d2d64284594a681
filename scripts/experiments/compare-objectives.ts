/**
 * @file Trains configurations of the objective on the same data and seeds, scores each on held-out users, and sets them
 * side by side. Runs and scores are kept: what is finished is not done again, what was stopped goes on.
 *
 *     npx tsx scripts/experiments/compare-objectives.ts --out FOLDER [--model embedded] [--data simulated|sotu|acl:PATH]
 *       [--configs sft,nextquill-code,soft] [--seeds 1,2,3] [--split validation|test] [--train 192] [--held-out 48]
 *       [--history 3] [--max-tokens N] [--max-steps N] [--learning-rate 1e-3] [--lora-rank 16] [--batch 8]
 *       [--candidates 4] [--threads N]
 *
 * Writes FOLDER/SPLIT.json and FOLDER/SPLIT.md after every configuration. Choose by `validation`; `test` confirms once.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { effectCache } from '../../src/app/files/effect-cache.ts';
import { readRows } from '../../src/app/files/example-rows.ts';
import { openEstimator } from '../../src/app/open/estimator-source.ts';
import { openModel } from '../../src/app/open/model-source.ts';
import { writeFileAtomically } from '../../src/base/atomic-file.ts';
import { canonicalJson, sha256 } from '../../src/base/hash.ts';
import { loadAdapter } from '../../src/engine/lora/adapter-folder.ts';
import type { Model } from '../../src/engine/models/model.ts';
import type { Example } from '../../src/method/data/example.ts';
import { evaluate } from '../../src/method/evaluation/evaluate.ts';
import { effectAuc } from '../../src/method/evaluation/token-causes.ts';
import type { PromptSettings } from '../../src/method/prompts/pair.ts';
import { readManifest } from '../../src/method/runs/manifest.ts';
import { resume, train } from '../../src/method/runs/train.ts';
import { type ExampleEffects, exampleEffects } from '../../src/method/scoring/rows.ts';
import type { ScoredModel } from '../../src/method/scoring/scored-model.ts';
import { simulate } from '../../src/method/simulation/simulate.ts';
import { matchingText } from '../../src/reports/text/matching-text.ts';
import { noticeText } from '../../src/reports/text/notice-text.ts';
import { comparisonMarkdown, comparisonRows, type Scores } from './comparison-table.ts';
import { configurations } from './objective-configurations.ts';

/** First seeds of simulated users: of no training of the embedded model, no quickstart, and not of each other. */
const SIMULATED = { train: 3_000_000, validation: 4_000_000, test: 5_000_000 } as const;

const BASELINE = 'sft';

const { values: flags } = parseArgs({
  options: {
    out: { type: 'string' },
    model: { type: 'string', default: 'embedded' },
    data: { type: 'string', default: 'simulated' },
    configs: { type: 'string', default: Object.keys(configurations).join() },
    seeds: { type: 'string', default: '1' },
    split: { type: 'string', default: 'validation' },
    train: { type: 'string', default: '192' },
    'held-out': { type: 'string', default: '48' },
    history: { type: 'string', default: '3' },
    'max-tokens': { type: 'string' },
    'max-steps': { type: 'string' },
    'learning-rate': { type: 'string', default: '1e-3' },
    'lora-rank': { type: 'string', default: '16' },
    batch: { type: 'string', default: '8' },
    candidates: { type: 'string', default: '4' },
    threads: { type: 'string' },
  },
});
const out = flags.out;
if (out === undefined) throw new Error('--out FOLDER: expected a folder, got none');
const split = flags.split as 'validation' | 'test';
if (split !== 'validation' && split !== 'test')
  throw new Error(`--split: expected validation or test, got ${split}`);
const names = flags.configs.split(',');
for (const name of names)
  if (!Object.hasOwn(configurations, name))
    throw new Error(`--configs: expected some of ${Object.keys(configurations).join(', ')}, got ${name}`);
const seeds = flags.seeds.split(',').map(Number);
const threads = flags.threads === undefined ? {} : { threads: Number(flags.threads) };

const model = await openModel(flags.model);
const prompt: PromptSettings = {
  template: 'default',
  reference: 'removed',
  maxTokens: Math.min(Number(flags['max-tokens'] ?? 2048), model.config.maxPositions),
  maxHistory: Number(flags.history),
};
/** All that runs of one folder share; another folder is needed for anything else. */
const shared = {
  lora: {
    rank: Number(flags['lora-rank']),
    loraAlpha: 2 * Number(flags['lora-rank']),
    targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
  },
  learningRate: Number(flags['learning-rate']),
  schedule: 'linear',
  warmupRatio: 0.05,
  batchSize: Number(flags.batch),
  gradientAccumulation: 1,
  epochs: 1,
  ...(flags['max-steps'] === undefined ? {} : { maxSteps: Number(flags['max-steps']) }),
  ...threads,
} as const;
const cache = effectCache({ folder: join(out, 'cache'), onWarning: say });
await mkdir(join(out, 'runs'), { recursive: true });
await mkdir(join(out, 'scores'), { recursive: true });

const held = await heldOut();
const finished: Scores[] = [await scoresOf('base', 0, async () => ({ model }))];
for (const seed of seeds)
  for (const name of names) {
    finished.push(await scoresOf(name, seed, () => trained(name, seed)));
    await writeComparison();
  }

/** The adapter of a configuration and seed: trained, or taken from its run. */
async function trained(name: string, seed: number): Promise<ScoredModel> {
  const run = join(out!, 'runs', `${name}-${seed}`);
  const examples = await trainingRows(seed);
  const opening = {
    openEstimator: (source: string, base: Model) => openEstimator(source, base),
    cache,
  };
  const events = existsSync(join(run, 'manifest.json'))
    ? resume(run, {
        open: { model: async () => model, examples: async () => examples },
        ...opening,
      })
    : train({
        ...shared,
        ...configurations[name]!,
        ...opening,
        prompt,
        model,
        modelSource: flags.model,
        examples,
        dataSource: flags.data,
        seed,
        out: run,
      });
  for await (const event of events) {
    if (event.type === 'notice') say(noticeText(event.notice));
    if (event.type === 'step' && event.step % 10 === 0)
      say(`${name}, seed ${seed}: step ${event.step} of ${event.totalSteps}, loss ${event.loss.toFixed(3)}`);
  }
  return { model, adapter: await loadAdapter(join(run, 'adapter'), model) };
}

/** Scores on the held-out users, computed once; the file is bound to the model, the data and the run. */
async function scoresOf(name: string, seed: number, open: () => Promise<ScoredModel>): Promise<Scores> {
  const path = join(out!, 'scores', `${name}-${seed}-${split}.json`);
  const scored = await open();
  const run = join(out!, 'runs', `${name}-${seed}`);
  const trainedOn = name === 'base' ? undefined : (await readManifest(run)).data.hash;
  const key = sha256(
    canonicalJson([model.hash, prompt, held.rows.map(({ id }) => id), flags.candidates, trainedOn ?? null]),
  );
  if (existsSync(path)) {
    const known = JSON.parse(await readFile(path, 'utf8')) as Scores & { key: string };
    if (known.key === key) return known;
    say(`${path}: of other data or settings; scored again`);
  }
  const { scores, system } = await evaluate(name, scored, held.rows, {
    prompt,
    pool: held.pool,
    others: Number(flags.candidates) - 1,
    ...threads,
  });
  const result: Scores = {
    configuration: name,
    seed,
    scores,
    k: system.authorIdentification!.k,
    matching: matchingText(system.authorIdentification!.matching),
    ...(held.rows.some(({ causes }) => causes !== undefined) ? { auc: await aucOf(scored) } : {}),
  };
  await writeFileAtomically(path, (file) => file.writeFile(JSON.stringify({ key, ...result })));
  say(`${name}, seed ${seed}: scored on ${scores.length} ${split} examples`);
  return result;
}

async function aucOf(scored: ScoredModel) {
  const effects: ExampleEffects[] = [];
  for await (const effect of exampleEffects(scored, held.rows, { prompt, ...threads })) effects.push(effect);
  return effectAuc(effects, { seed: 0 });
}

async function trainingRows(seed: number): Promise<readonly Example[]> {
  const count = Number(flags.train);
  if (flags.data === 'simulated')
    return simulate({ users: count, seed: SIMULATED.train + seed, historyItems: prompt.maxHistory });
  return (
    await readRows(flags.data, 'train', { limit: count, onNotice: (notice) => say(noticeText(notice)) })
  ).rows;
}

async function heldOut(): Promise<{ rows: readonly Example[]; pool: readonly Example[] }> {
  const count = Number(flags['held-out']);
  if (flags.data === 'simulated') {
    const rows = simulate({ users: count, seed: SIMULATED[split], historyItems: prompt.maxHistory });
    return { rows, pool: rows };
  }
  const { rows, all } = await readRows(flags.data, split, {
    limit: count,
    onNotice: (notice) => say(noticeText(notice)),
  });
  return { rows, pool: all };
}

async function writeComparison(): Promise<void> {
  const rows = comparisonRows(finished, BASELINE);
  const { scores, k, matching } = finished[0]!;
  const users = new Set(scores.map(({ user }) => user)).size;
  const about = {
    command: `npx tsx scripts/experiments/compare-objectives.ts ${process.argv.slice(2).join(' ')}`,
    model: { source: flags.model, hash: model.hash },
    data: flags.data,
    split,
    users,
    examples: scores.length,
    candidates: { k, matching },
    training: { ...shared, examples: Number(flags.train), seeds },
    prompt,
    configurations: Object.fromEntries(names.map((name) => [name, configurations[name]])),
  };
  const text =
    `${scores.length} ${split} examples of ${users} users of ${flags.data}; means over users, 95 % intervals by user; nats a token; ` +
    `author among ${k} (${matching}).\n\n${comparisonMarkdown(rows, BASELINE)}\n`;
  await writeFileAtomically(join(out!, `${split}.json`), (file) =>
    file.writeFile(`${JSON.stringify({ ...about, rows }, null, 1)}\n`),
  );
  await writeFileAtomically(join(out!, `${split}.md`), (file) => file.writeFile(text));
}

function say(message: string): void {
  process.stderr.write(`${message}\n`);
}
