/**
 * @file Trains a recipe by this package, and by PyTorch in one process and in two, and reports how far steps.jsonl differs.
 *
 * Run: npm run build && NEXTQUILL_PYTHON=PY npx tsx scripts/torch-parity.ts RECIPE [KEY=VALUE ...]
 * The exit code is 1 where a step, epoch, learning rate or count differs, a loss or part by 1e-5, or a gradient norm by 1e-4.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readStepLog, type StepLine } from '../src/method/runs/step-log.ts';

const [recipe, ...overrides] = process.argv.slice(2);
if (recipe === undefined || !process.env.NEXTQUILL_PYTHON)
  throw new Error('expected NEXTQUILL_PYTHON, and RECIPE [KEY=VALUE ...]');

const home = await mkdtemp(join(tmpdir(), 'nextquill-parity-'));
const main = resolve(import.meta.dirname, '../dist/app/cli/main.js');
const torch = ['--engine', 'torch', '--device', 'cpu'];
const variants: readonly (readonly [name: string, words: readonly string[]])[] = [
  ['this package', []],
  ['PyTorch, 1 process', torch],
  ['PyTorch, 2 processes', [...torch, '--processes', '2']],
  ['PyTorch, 2 processes, sharded', [...torch, '--processes', '2', '--parallel', 'shard']],
];

async function stepsOf(words: readonly string[], out: string): Promise<StepLine[]> {
  const all = [main, 'train', recipe!, ...overrides, `out=${out}`, ...words, '--quiet', '--threads', '1'];
  const { status, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${words.join(' ')}: exit code ${status}\n${stderr}`);
  return readStepLog(out);
}

const exact = ({ step, epoch, learningRate, examples, tokens }: StepLine) =>
  JSON.stringify([step, epoch, learningRate, examples, tokens]);
const far = (a: number, b: number) => Math.abs(a - b);
let wanted: readonly StepLine[] = [];
let isSame = true;
for (const [i, [name, words]] of variants.entries()) {
  const steps = await stepsOf(words, join(home, String(i)));
  if (i === 0) wanted = steps;
  const [loss, parts, norm] = [
    steps.map((line, at) => far(line.loss, wanted[at]!.loss)),
    steps.flatMap((line, at) =>
      Object.entries(wanted[at]!.parts).map(([part, value]) => far(line.parts[part]!, value)),
    ),
    steps.map((line, at) => far(line.gradientNorm / wanted[at]!.gradientNorm, 1)),
  ].map((values) => Math.max(...values)) as [number, number, number];
  const isEqual = steps.map(exact).join() === wanted.map(exact).join();
  isSame &&= isEqual && loss < 1e-5 && parts < 1e-5 && norm < 1e-4;
  const told = [loss, parts, norm].map((value) => value.toExponential(1)).join(' | ');
  console.log(`| ${name}: ${steps.length} steps | ${told} | ${isEqual ? 'equal' : 'NOT EQUAL'} |`);
}
process.exitCode = isSame ? 0 : 1;
