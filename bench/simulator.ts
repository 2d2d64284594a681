/**
 * @file Every estimator against the known causes of simulated users, over what makes users hard to see.
 *
 *     npx tsx bench/simulator.ts [--users 48] [--seed 6000000] [--adapter RUN/adapter] [--out bench/results/simulator.json] [--keep]
 *
 * --keep scores only settings that --out lacks, where it was written with the same seed, users, model and adapter; the code that
 * scores must be the same too, which only you can know. Prints Markdown tables, writes JSON and one SVG for each condition (docs/images/simulator-*.svg).
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { openScoredModel } from '../src/app/open/scored-model.ts';
import {
  type EffectMeasureName,
  type EstimatorScore,
  estimators,
  scoreEstimator,
} from '../src/method/evaluation/estimator-scores.ts';
import { type ExampleEffects, exampleEffects } from '../src/method/scoring/rows.ts';
import { type SimulationOptions, simulate } from '../src/method/simulation/simulate.ts';
import { standaloneChart } from '../src/reports/charts/chart-file.ts';
import { lineChart } from '../src/reports/charts/line-chart.ts';

/** What is varied, one at a time; the rest stays at the simulator's defaults. Each setting has users of its own. */
const conditions = {
  strength: { label: 'strength of the user', values: [0.5, 0.7, 0.9, 0.95, 1] },
  historyItems: { label: 'earlier reviews', values: [1, 2, 3, 4] },
  noise: { label: 'chance of a filler sentence', values: [0, 0.2, 0.5, 0.8] },
  confounding: { label: 'confounding by domain', values: [0, 0.3, 0.6, 0.9] },
} as const satisfies Partial<Record<keyof SimulationOptions, { label: string; values: readonly number[] }>>;

type Condition = keyof typeof conditions;
const OTHERS = 3;
const names = Object.keys(estimators) as EffectMeasureName[];

interface Setting {
  readonly condition: Condition;
  readonly value: number;
  readonly scores: readonly EstimatorScore[];
}

const { values: flags } = parseArgs({
  options: {
    users: { type: 'string', default: '48' },
    seed: { type: 'string', default: '6000000' },
    adapter: { type: 'string' },
    threads: { type: 'string', default: '2' },
    out: { type: 'string', default: 'bench/results/simulator.json' },
    keep: { type: 'boolean', default: false },
    images: { type: 'string', default: 'docs/images' },
  },
});
const seed = Number(flags.seed);
const scored = await openScoredModel(
  'embedded',
  flags.adapter === undefined ? {} : { adapter: flags.adapter },
);
const prompt = { ...scored.prompt, maxHistory: 4 };

const origin = {
  seed,
  users: Number(flags.users),
  others: OTHERS,
  model: scored.model.hash,
  adapter: flags.adapter ?? null,
};
const kept = flags.keep ? await settingsOf(flags.out) : [];

/** The settings that a file of results holds, if they have the same origin as this run's. */
async function settingsOf(path: string): Promise<readonly Setting[]> {
  const { settings, ...itsOrigin } = JSON.parse(await readFile(path, 'utf8'));
  return isDeepStrictEqual(itsOrigin, origin) ? settings : [];
}

/** Seeds run through the first four values of every condition, then through the next: a new value changes no other's users. */
const seedOf = (conditionIndex: number, index: number) =>
  seed + Math.floor(index / 4) * 16 + conditionIndex * 4 + (index % 4);

const settings: Setting[] = [];
for (const [conditionIndex, [condition, { values }]] of (
  Object.entries(conditions) as [Condition, { values: readonly number[] }][]
).entries())
  for (const [index, value] of values.entries()) {
    const known = kept.find((setting) => setting.condition === condition && setting.value === value);
    if (known !== undefined) {
      settings.push(known);
      continue;
    }
    const examples = simulate({
      users: Number(flags.users),
      seed: seedOf(conditionIndex, index),
      [condition]: value,
    });
    const effects: ExampleEffects[] = [];
    for await (const found of exampleEffects(scored, examples, {
      prompt,
      others: OTHERS,
      threads: Number(flags.threads),
    }))
      effects.push(found);
    const scores = names.map((name) => scoreEstimator(name, effects));
    settings.push({ condition, value, scores });
    console.error(
      `${condition} ${value}: ${scores.map((s) => `${s.estimator} ${s.auc.value.toFixed(3)}`).join(', ')}`,
    );
  }

const number = (value: number | null | undefined, digits = 2) =>
  Number.isFinite(value ?? Number.NaN) ? value!.toFixed(digits) : '–';
for (const [condition, { label }] of Object.entries(conditions)) {
  console.log(
    `\n| ${label} | estimator | AUC | precision | recall | F1 | correlation | bias, nats | coverage |`,
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const { value, scores } of settings.filter((s) => s.condition === condition))
    for (const s of scores)
      console.log(
        `| ${value} | ${s.estimator} | ${number(s.auc.value, 3)} (${number(s.auc.low, 3)} to ${number(s.auc.high, 3)}) | ${number(s.precision.value)} | ${number(s.recall.value)} | ${number(s.f1.value)} | ${number(s.correlation?.value)} | ${number(s.bias?.value)} | ${number(s.coverage)} |`,
      );
  const chart = lineChart({
    title: `AUC by ${label}`,
    xLabel: label,
    yLabel: 'AUC',
    series: names.map((name) => ({
      label: name,
      points: settings
        .filter((s) => s.condition === condition)
        .map(({ value, scores }) => ({
          x: value,
          y: scores.find((s) => s.estimator === name)!.auc.value,
        })),
    })),
  });
  await mkdir(flags.images, { recursive: true });
  await writeFile(join(flags.images, `simulator-${condition}.svg`), standaloneChart(chart));
}
await mkdir(dirname(flags.out), { recursive: true });
await writeFile(flags.out, `${JSON.stringify({ ...origin, settings }, null, 1)}\n`);
