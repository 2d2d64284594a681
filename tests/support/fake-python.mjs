#!/usr/bin/env node
/**
 * @file NOT Python: a stand-in for tests of the launcher, where no PyTorch is. It speaks the worker's protocol and trains nothing:
 * its losses are 1/step, its weights the first values. FAKE_WORKER says in JSON how it misbehaves; a key `once` with a path keeps a
 * misbehaviour to the first process that comes by.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const words = process.argv.slice(2);
const how = JSON.parse(process.env.FAKE_WORKER ?? '{}');

if (words.includes('doctor')) {
  if (how.noTorch) {
    process.stderr.write("ModuleNotFoundError: No module named 'torch'\n");
    process.exit(1);
  }
  const report = { versions: { torch: '0-fake', python: '0-fake' }, devices: ['cpu'] };
  const hardware = [{ device: 'cpu', name: 'fake' }];
  process.stdout.write(`${JSON.stringify({ ...report, hardware }, null, 2)}\n`);
  process.exit(0);
}
if (words[0] === '-c') process.exit(0);

const isTorchrun = words.includes('torch.distributed.run');
const run = words.at(-1);
if (words.includes('serve')) {
  await serve();
  process.exit(0);
}
const spec = join(run, 'spec');
const { totalSteps, result, checkpoint } = JSON.parse(readFileSync(join(spec, 'run.json'), 'utf8'));
const events = join(spec, 'events.jsonl');

/** As torchrun relays a line of its first process. */
const emit = (event) => {
  const line = JSON.stringify(event);
  appendFileSync(events, `${line}\n`);
  process.stdout.write(`${isTorchrun ? '[default0]:' : ''}${line}\n`);
};
const end = (status, more = {}) => writeFileSync(join(spec, 'end.json'), JSON.stringify({ status, ...more }));
/** A misbehaviour at a step, once or always. */
const is = (name, step) => {
  if (how[name] !== step) return false;
  if (how.once === undefined) return true;
  if (existsSync(how.once)) return false;
  writeFileSync(how.once, '');
  return true;
};

let asked = false;
process.on('SIGTERM', () => {
  if (!how.deaf) asked = true;
});
process.stdout.write('a line that is no event\n');
if (how.argv) writeFileSync(how.argv, JSON.stringify({ words, env: process.env, pid: process.pid }));
if (how.fails) {
  emit({ type: 'error', ...how.fails, rank: 1 });
  if (how.fails.isLast) end('failed', how.fails);
  process.exit(1);
}
if (how.traces) {
  for (const [rank, timestamp] of [
    ['0', 20],
    ['1', 10],
  ]) {
    mkdirSync(join(run, 'logs/x/attempt_0', rank), { recursive: true });
    const message = { message: 'boom', extraInfo: { py_callstack: `Traceback of rank ${rank}`, timestamp } };
    writeFileSync(join(run, 'logs/x/attempt_0', rank, 'error.json'), JSON.stringify({ message }));
  }
  process.exit(1);
}
await train();

/** Answers requests until there are no more. */
async function serve() {
  const say = (event) => process.stdout.write(`${isTorchrun ? '[default0]:' : ''}${JSON.stringify(event)}\n`);
  if (how.startsFile) appendFileSync(how.startsFile, `${process.pid}\n`);
  let asked = 0;
  let writer;
  let rows = [];
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    asked += 1;
    if (how.dieAtRequest === asked && !existsSync(how.once)) {
      writeFileSync(how.once, '');
      process.kill(process.pid, 'SIGKILL');
      await sleep(1000);
    }
    if (how.failsAtRequest === asked) {
      say({ type: 'answered', status: 'failed', ...how.answer });
      process.exit(1);
    }
    if (how.waits) {
      // Until nobody asks any more, as the worker's thread that reads sees it.
      await once(process.stdin, 'end');
      say({ type: 'answered', status: 'stopped' });
      process.exit(130);
    }
    if (request.do === 'score') {
      const folder = join(request.run, 'spec');
      const { files, adapter } = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
      if (adapter !== null && !existsSync(join(adapter, 'adapter_config.json'))) process.exit(1);
      say({ type: 'progress', stage: 'scores', done: 1, total: 1, unit: 'prompts' });
      score(folder, files);
    } else if (request.do === 'write') {
      writer = join(request.run, 'spec');
      rows = [];
    } else {
      if (request.do === 'fill') rows.push(request.ids);
      else rows = request.rows.map((row, i) => [...rows[row], request.tokens[i]]);
      const { vocabularySize } = JSON.parse(readFileSync(join(writer, 'run.json'), 'utf8')).model;
      // The next id is the likeliest.
      const logits = (request.do === 'fill' ? rows.slice(-1) : rows).flatMap((ids) =>
        Array.from({ length: vocabularySize }, (_, id) => Number(id === (ids.at(-1) + 1) % vocabularySize)),
      );
      writeSafetensors(join(writer, 'logits.safetensors'), { logits: Float32Array.from(logits) });
    }
    say({ type: 'answered', status: 'done' });
  }
}

/** log p of a token is minus its id, a thousandth of it; the pass without history is half a nat worse. */
function score(spec, files) {
  const isPairs = 'pairs.safetensors' in files;
  const tensors = readSafetensors(join(spec, isPairs ? 'pairs.safetensors' : 'prompts.safetensors'));
  const ids = tensors['response.values'];
  const values = (less) => Float32Array.from(ids, (id) => -id / 1000 - less);
  const scores = isPairs
    ? {
        logProbWithHistory: values(0),
        logProbWithoutHistory: values(0.5),
        divergence: values(0).map(() => 0.1),
      }
    : { logProb: how.short ? values(0).slice(1) : values(0) };
  writeSafetensors(join(spec, 'scores.safetensors'), scores);
}

async function train() {
  const steps = join(run, 'steps.jsonl');
  const whole = readdirSync(join(run, 'checkpoints'))
    .filter((name) => existsSync(join(run, 'checkpoints', name, 'state.json')))
    .map((name) => Number(name.slice('step-'.length)));
  const startStep = Math.max(0, ...whole);
  const lines = readFileSync(steps, 'utf8').split('\n').slice(0, startStep);
  writeFileSync(steps, lines.map((line) => `${line}\n`).join(''));
  emit({
    type: 'started',
    run,
    steps: totalSteps,
    startStep,
    isResumed: startStep > 0,
    examples: 1,
    trainedParameters: 1,
  });
  for (let step = startStep + 1; step <= totalSteps; step++) {
    await sleep(how.stepMilliseconds ?? 5);
    const line = {
      ...{
        step,
        epoch: 0,
        loss: 1 / step,
        parts: {},
        learningRate: 1,
        gradientNorm: 1,
        examples: 1,
        tokens: 1,
      },
      ...{ seconds: 0.1, tokensPerSecond: 10, peakMemoryBytes: 1 },
    };
    appendFileSync(steps, `${JSON.stringify(line)}\n`);
    emit({ type: 'step', totalSteps, ...line, elapsedSeconds: step });
    if (is('dieAt', step)) {
      if (how.half) mkdirSync(join(run, 'checkpoints', `step-${step}`), { recursive: true });
      process.kill(process.pid, 'SIGKILL');
      await sleep(1000);
    }
    if (is('nanAt', step)) {
      end('failed', {
        step: step - 1,
        code: 'training/nan-loss',
        message: `loss: expected a finite number, got NaN`,
      });
      process.exit(1);
    }
    const isAsked = !how.deaf && (asked || existsSync(join(spec, 'stop')));
    if (isAsked || step % checkpoint.every === 0) {
      writeCheckpoint(step);
      emit({ type: 'checkpoint', step, path: join(run, 'checkpoints', `step-${step}`) });
    }
    if (isAsked) {
      end('stopped', { step });
      process.exit(isTorchrun ? 0 : 130);
    }
  }
  mkdirSync(join(run, result.folder), { recursive: true });
  for (const [name, content] of Object.entries(result.files))
    writeFileSync(join(run, result.folder, name), JSON.stringify(content));
  copyFileSync(join(spec, 'initial.safetensors'), join(run, result.folder, 'adapter_model.safetensors'));
  end('done', {
    step: totalSteps,
    record: { processes: isTorchrun ? 2 : 1, dtype: 'f32', parallel: 'replicate', device: 'cpu' },
  });
}

function writeCheckpoint(step) {
  const folder = join(run, 'checkpoints', `step-${step}`);
  mkdirSync(folder, { recursive: true });
  const first = readFileSync(join(spec, 'initial.safetensors'));
  const tensors = readSafetensors(join(spec, 'initial.safetensors'));
  writeFileSync(join(folder, 'weights.safetensors'), first);
  const moments = {};
  for (const [name, values] of Object.entries(tensors))
    for (const prefix of ['firstMoment.', 'secondMoment.']) moments[prefix + name] = values.map(() => 0);
  writeSafetensors(join(folder, 'optimizer.safetensors'), moments, shapesOf(first));
  const record = (name) => {
    const bytes = readFileSync(join(folder, name));
    return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  };
  const of = Object.fromEntries(
    ['weights.safetensors', 'optimizer.safetensors'].map((name) => [name, record(name)]),
  );
  writeFileSync(join(folder, 'state.json'), JSON.stringify({ formatVersion: 1, step, files: of }));
}

function headerOf(bytes) {
  const length = Number(bytes.readBigUInt64LE(0));
  const { __metadata__: _, ...header } = JSON.parse(bytes.subarray(8, 8 + length).toString());
  return { header, data: bytes.subarray(8 + length) };
}

function shapesOf(bytes) {
  return Object.fromEntries(Object.entries(headerOf(bytes).header).map(([name, { shape }]) => [name, shape]));
}

function readSafetensors(path) {
  const { header, data } = headerOf(readFileSync(path));
  const arrays = { F32: Float32Array, I32: Int32Array, I64: BigInt64Array, U8: Uint8Array };
  return Object.fromEntries(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          data_offsets: [from, to],
        },
      ]) => [name, new arrays[dtype](Uint8Array.from(data.subarray(from, to)).buffer)],
    ),
  );
}

function writeSafetensors(path, tensors, shapes = {}) {
  let at = 0;
  const header = {};
  for (const [name, values] of Object.entries(tensors)) {
    const shape = shapes[name.replace(/^(first|second)Moment\./, '')] ?? [values.length];
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + values.byteLength] };
    at += values.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(
    path,
    Buffer.concat([length, text, ...Object.values(tensors).map((values) => Buffer.from(values.buffer))]),
  );
}
