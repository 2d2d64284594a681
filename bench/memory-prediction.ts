/** @file `npm run bench -- memory`: the predicted and the measured peak of training steps at SmolLM2-135M's shape. */
import { execFile } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ObjectiveName } from '../src/method/objectives/objectives.ts';
import type { MemoryPrediction } from '../src/method/training/memory/training-memory.ts';
import { markdownRow, markdownTable } from '../src/reports/text/markdown.ts';
import type { MemoryRecord } from './memory.ts';
import { commit, machine } from './report.ts';
import { randomWeights, smolLm2 } from './shape.ts';

/** One configuration. */
export interface MemoryCase {
  readonly layers: number;
  readonly mode: 'lora' | 'full';
  readonly objective: ObjectiveName;
  readonly batch: number;
  readonly tokens: readonly [withHistory: number, withoutHistory: number, response: number];
  readonly recompute: boolean;
  readonly baseBits?: 4 | 8;
}

/** What a fresh process is asked to do. */
export interface MemoryChildSettings extends MemoryCase {
  readonly threads: number;
  readonly weights: string;
  readonly cache: string;
  /** Ends once the quantised base is in the cache, so that making it is in nobody's peak. */
  readonly isWarmUp?: boolean;
}

/** What a fresh process answers. */
export interface MemoryOutcome {
  readonly predicted: MemoryPrediction;
  readonly measured: MemoryRecord;
  /** Of its one step. */
  readonly seconds: number;
}

export interface MemoryReport {
  readonly bench: 'memory';
  readonly date: string;
  readonly commit: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly threads: number;
  readonly results: readonly (MemoryCase & MemoryOutcome)[];
}

export interface MemoryOptions {
  /** Of SmolLM2's 30. ONNX Runtime plans a graph in a time that grows with its square: all 30 take minutes for each. */
  readonly layers: number;
  readonly threads: number;
  readonly log: (line: string) => void;
  /** Given the report after every configuration, so that an interrupted bench keeps what it has. */
  readonly save: (report: MemoryReport) => Promise<void>;
}

/** Asked of the prediction (issue "Real models in, standard formats out"). */
const TOLERANCE = 0.2;

/** Every mode, two lengths, layers computed again or not, and steps of two passes. */
function allCases(layers: number): MemoryCase[] {
  const [short, long] = [
    [256, 64, 128],
    [896, 64, 128],
  ] as const;
  const lora = { layers, mode: 'lora', objective: 'sft', batch: 1, tokens: short, recompute: false } as const;
  const full = { ...lora, mode: 'full' } as const;
  const pair = { ...lora, objective: 'nextquill-code', batch: 2 } as const;
  const again = { recompute: true } as const;
  return [
    lora,
    { ...lora, baseBits: 8 },
    { ...lora, baseBits: 4 },
    full,
    { ...full, ...again },
    { ...lora, tokens: long },
    { ...lora, tokens: long, ...again },
    { ...lora, tokens: long, baseBits: 4 },
    { ...lora, tokens: long, baseBits: 4, ...again },
    pair,
    { ...pair, ...again },
  ];
}

/** Measures every configuration in a fresh process: one step each, whose peak that of later steps is. */
export async function benchMemory({ layers, threads, log, save }: MemoryOptions): Promise<MemoryReport> {
  await using weights = await randomWeights(smolLm2(), 0);
  const cache = join(dirname(weights.path), 'cache');
  const child = resolve(import.meta.dirname, 'memory-child.ts');
  const run = async (settings: MemoryCase & { readonly isWarmUp?: boolean }) => {
    const json = JSON.stringify({
      ...settings,
      threads,
      weights: weights.path,
      cache,
    } satisfies MemoryChildSettings);
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', child, json]);
    return stdout;
  };
  const results: (MemoryCase & MemoryOutcome)[] = [];
  const report = {
    bench: 'memory',
    date: new Date().toISOString(),
    commit: commit(),
    machine: machine(),
    threads,
    results,
  } as const;
  const cases = allCases(layers);
  for (const bits of [8, 4])
    await run({ ...cases.find(({ baseBits }) => baseBits === bits)!, isWarmUp: true });
  for (const each of cases) {
    const result = { ...each, ...(JSON.parse(await run(each)) as MemoryOutcome) };
    results.push(result);
    log(markdownRow(memoryRow(result)));
    await save(report);
  }
  return report;
}

const HEAD = [
  'step, tokens of prompt + response',
  'layers',
  'base',
  'recompute',
  'predicted MB',
  'measured peak MB',
  'off by',
  'mapped pages in it MB',
];

/** How far the prediction is from the peak, as a share of the peak. */
const offBy = ({ predicted, measured }: MemoryOutcome) => predicted.total / measured.peakRssBytes - 1;

function memoryRow(result: MemoryCase & MemoryOutcome): string[] {
  const { layers, mode, objective, batch, tokens, recompute, baseBits, predicted, measured } = result;
  const mb = (bytes = 0) => (bytes / 1e6).toFixed(0);
  const off = offBy(result);
  const share = `${off < 0 ? '−' : '+'}${Math.abs(100 * off).toFixed(1)} %`;
  const [long, short, response] = tokens;
  const shape = objective === 'sft' ? `${long} + ${response}` : `(${long} and ${short}) + ${response}`;
  return [
    `${mode}${objective === 'sft' ? '' : `, ${objective}`}, ${batch} × ${shape}`,
    String(layers),
    baseBits === undefined ? 'f32' : `${baseBits} bits`,
    recompute ? 'yes' : 'no',
    mb(predicted.total),
    mb(measured.peakRssBytes),
    Math.abs(off) > TOLERANCE ? `**${share}**` : share,
    mb(measured.rssFileBytes),
  ];
}

/** A table in Markdown, and how many configurations the prediction is right for. */
export function memoryTable({ results, threads, machine: on, commit: at }: MemoryReport): string {
  const wrong = results.filter((result) => Math.abs(offBy(result)) > TOLERANCE).length;
  return [
    markdownTable(HEAD, results.map(memoryRow)),
    '',
    `${results.length - wrong} of ${results.length} within ${100 * TOLERANCE} %${wrong === 0 ? '' : '; the others are in bold'}. ${threads} threads, ${on.cpu}, commit ${at}.`,
  ].join('\n');
}
