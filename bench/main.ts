/** @file `npm run bench -- step`, `-- memory`, `-- generate` and `-- serve`: options in, a table on stdout and JSON in a file. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { benchGenerate, generateTable } from './generate.ts';
import { benchMemory, memoryTable } from './memory-prediction.ts';
import { benchServe, serveTable } from './serve.ts';
import type { Mode } from './shape.ts';
import { benchStep } from './step.ts';
import { stepTable } from './table.ts';

const USAGE = `npm run bench -- memory [options]   predicted and measured peaks of training steps
  --layers N        of SmolLM2's 30 (default 10; all 30 take minutes for each of the eleven configurations)
  --threads, --out as below

npm run bench -- step [options]
  --python PATH     a Python with torch 2, transformers and peft: measured beside ours, f32 and bf16 autocast
  --mode LIST       of full, lora (default both)
  --shapes LIST     sequences x tokens (default 1x512,4x256,1x2048)
  --rounds N        timed steps of each (default 5)
  --warmups N       steps before them (default 2)
  --threads N       (default 2)
  --out FILE        JSON, such as bench/results/step.json

npm run bench -- generate [options]
  --prompt N        tokens of the prompt (default 256)
  --new N           tokens that are written (default 32)
  --layers N        of SmolLM2's 30 (default 30)
  --llama-cpp DIR   folder of an installed node-llama-cpp, such as node_modules/node-llama-cpp: measured beside ours
  --gguf FILE       SmolLM2-135M for it
  --rounds, --threads, --out as above

npm run bench -- serve [options]
  --model M         embedded by default
  --streams LIST    at once (default 1,4,16)
  --new N           tokens of each answer (default 32)
  --item-length N   sentences of each of a user's four items (default 1)
  --rounds, --threads, --out as above`;

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
      prompt: { type: 'string', default: '256' },
      new: { type: 'string', default: '32' },
      layers: { type: 'string' },
      model: { type: 'string', default: 'embedded' },
      streams: { type: 'string', default: '1,4,16' },
      'item-length': { type: 'string', default: '1' },
      'llama-cpp': { type: 'string' },
      gguf: { type: 'string' },
    },
  });
  const bench = positionals.join(' ');
  if (bench !== 'step' && bench !== 'memory' && bench !== 'generate' && bench !== 'serve')
    fail(`bench: expected step, memory, generate or serve, got ${JSON.stringify(bench)}`);
  const save = async (report: object) => {
    if (values.out === undefined) return;
    await mkdir(dirname(values.out), { recursive: true });
    await writeFile(values.out, `${JSON.stringify(report, null, 2)}\n`);
  };
  const count = (
    name: 'rounds' | 'warmups' | 'threads' | 'prompt' | 'new' | 'layers' | 'item-length',
    least: number,
  ) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < least)
      fail(`--${name}: expected a whole number of at least ${least}`);
    return value;
  };
  if (bench === 'memory') {
    const log = (line: string) => console.error(line);
    const layers = values.layers === undefined ? 10 : count('layers', 1);
    console.log(memoryTable(await benchMemory({ layers, threads: count('threads', 1), log, save })));
    return;
  }
  if (bench === 'generate') {
    const { 'llama-cpp': module, gguf } = values;
    if ((module === undefined) !== (gguf === undefined)) fail('--llama-cpp: expected --gguf with it');
    const report = await benchGenerate({
      promptTokens: count('prompt', 1),
      newTokens: count('new', 1),
      rounds: count('rounds', 1),
      threads: count('threads', 1),
      layers: values.layers === undefined ? 30 : count('layers', 1),
      ...(module !== undefined && gguf !== undefined && { llamaCpp: { module, gguf } }),
      log: (line) => console.error(line),
    });
    await save(report);
    console.log(generateTable(report));
    return;
  }
  if (bench === 'serve') {
    const report = await benchServe({
      model: values.model,
      newTokens: count('new', 1),
      itemLength: count('item-length', 1),
      streams: list(values.streams).map(Number),
      rounds: count('rounds', 1),
      threads: count('threads', 1),
      log: (line) => console.error(line),
    });
    await save(report);
    console.log(serveTable(report));
    return;
  }
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
    save,
  });
  console.log(stepTable(report));
  if (values.python === undefined)
    console.log('Ours alone: PyTorch was not measured (name a Python by --python).');
}

await main();
