/** @file `npm run bench -- memory`: the predicted and the measured peak of training steps at SmolLM2-135M's shape. */
import { execFile } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ObjectiveName } from '../src/method/objectives/objectives.ts';
import type { MemoryPrediction } from '../src/method/training/memory.ts';
import type { MemoryRecord } from './memory.ts';
import { randomWeights, smolLm2 } from './shape.ts';

/** One configuration. */
export interface MemoryCase {
  readonly mode: 'lora' | 'full';
  readonly objective: ObjectiveName;
  readonly batch: number;
  readonly tokens: readonly [withHistory: number, withoutHistory: number, response: number];
  readonly recompute: boolean;
  readonly baseBits?: 4 | 8;
  readonly threads: number;
  /** Ends once the quantised base is in the cache, so that making it is in nobody's peak. */
  readonly isWarmUp?: boolean;
}

const lora = { mode: 'lora', objective: 'sft', batch: 1, tokens: [896, 128, 128], recompute: false } as const;
const cases: readonly Omit<MemoryCase, 'threads'>[] = [
  lora,
  { ...lora, recompute: true },
  { ...lora, baseBits: 8 },
  { ...lora, baseBits: 4 },
  { ...lora, baseBits: 4, recompute: true },
  { ...lora, objective: 'nextquill-code', batch: 2, tokens: [384, 64, 128] },
  { ...lora, objective: 'nextquill-code', batch: 2, tokens: [384, 64, 128], recompute: true },
  { ...lora, mode: 'full', tokens: [384, 128, 128] },
];

interface Outcome {
  readonly predicted: MemoryPrediction;
  readonly measured: MemoryRecord;
  readonly seconds: number;
}

/** Measures every configuration in a fresh process, and returns a table in Markdown. */
export async function benchMemory({
  threads,
  log,
}: {
  readonly threads: number;
  readonly log: (line: string) => void;
}): Promise<string> {
  await using weights = await randomWeights(smolLm2(), 0);
  const cache = join(dirname(weights.path), 'cache');
  const child = resolve(import.meta.dirname, 'memory-child.ts');
  const run = async (settings: object) => {
    const json = JSON.stringify({ ...settings, threads, weights: weights.path, cache });
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', child, json]);
    return stdout;
  };
  const lines = [
    '| step | predicted MB | measured peak MB | off by | of it mapped pages MB | s |',
    '| --- | --- | --- | --- | --- | --- |',
  ];
  const mb = (bytes = 0) => (bytes / 1e6).toFixed(0);
  for (const each of cases) {
    const { mode, objective, batch, tokens, recompute, baseBits } = each;
    if (baseBits !== undefined) await run({ ...each, isWarmUp: true });
    const { predicted, measured, seconds } = JSON.parse(await run(each)) as Outcome;
    const off = predicted.total / measured.peakRssBytes - 1;
    const name = `${mode}, ${objective}, ${batch} × (${tokens.join(', ')})${baseBits === undefined ? '' : `, ${baseBits} bits`}${recompute ? ', recompute' : ''}`;
    const line = `| ${name} | ${mb(predicted.total)} | ${mb(measured.peakRssBytes)} | ${(100 * off).toFixed(0)} % | ${mb(measured.rssFileBytes)} | ${seconds.toFixed(1)} |`;
    log(line);
    lines.push(line);
  }
  return lines.join('\n');
}
