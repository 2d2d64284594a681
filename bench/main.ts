/** @file `npm run bench -- step`: options in, a table on stdout and JSON in a file. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import type { Mode } from './shape.ts';
import { benchStep } from './step.ts';
import { stepTable } from './table.ts';

const USAGE = `npm run bench -- step [options]
  --python PATH     a Python with torch 2, transformers and peft: measured beside ours, f32 and bf16 autocast
  --mode LIST       of full, lora (default both)
  --shapes LIST     sequences x tokens (default 1x512,4x256,1x2048)
  --rounds N        timed steps of each (default 5)
  --warmups N       steps before them (default 2)
  --threads N       (default 2)
  --out FILE        JSON, such as bench/results/step.json`;

function list(text: string): string[] {
  return text.split(',').map((part) => part.trim());
}

function fail(message: string): never {
  console.error(`${message}\n\n${USAGE}`);
  process.exit(2);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      python: { type: 'string' },
      mode: { type: 'string', default: 'lora,full' },
      shapes: { type: 'string', default: '1x512,4x256,1x2048' },
      rounds: { type: 'string', default: '5' },
      warmups: { type: 'string', default: '2' },
      threads: { type: 'string', default: '2' },
      out: { type: 'string' },
    },
  });
  if (positionals.join() !== 'step')
    fail(`bench: expected step, got ${JSON.stringify(positionals.join(' '))}`);
  const count = (name: 'rounds' | 'warmups' | 'threads', least: number) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < least)
      fail(`--${name}: expected a whole number of at least ${least}`);
    return value;
  };
  const modes = list(values.mode).map((mode): Mode => {
    if (mode !== 'full' && mode !== 'lora') fail(`--mode: expected full or lora, got ${mode}`);
    return mode;
  });
  const shapes = list(values.shapes).map((shape) => {
    const match = /^(\d+)x(\d+)$/.exec(shape) ?? fail(`--shapes: expected such as 4x256, got ${shape}`);
    return [Number(match[1]), Number(match[2])] as const;
  });
  const report = await benchStep({
    ...(values.python === undefined ? {} : { python: values.python }),
    modes,
    shapes,
    rounds: count('rounds', 1),
    warmups: count('warmups', 0),
    threads: count('threads', 1),
    seed: 0,
    log: (line) => console.error(line),
    save: async (partial) => {
      if (values.out === undefined) return;
      await mkdir(dirname(values.out), { recursive: true });
      await writeFile(values.out, `${JSON.stringify(partial, null, 2)}\n`);
    },
  });
  console.log(stepTable(report));
  if (values.python === undefined)
    console.log('Ours alone: PyTorch was not measured (name a Python by --python).');
}

await main();
