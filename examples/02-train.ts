/** @file Trains an adapter on simulated users, stops on demand, and scores it beside its base: npx tsx examples/02-train.ts */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evaluate, open, simulate, train } from '../src/index.ts'; // outside this repository: from 'nextquill'

// Ctrl-C stops the run with a checkpoint; the command "nextquill train --resume RUN" goes on for data that have a name.
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const training = simulate({ users: 96, seed: 4243 });
const heldOut = simulate({ users: 24, seed: 4244 });
const base = await open('embedded');
const out = join(await mkdtemp(join(tmpdir(), 'nextquill-example-')), 'run');

const events = train(base, training, {
  objective: 'nextquill',
  lora: { rank: 8, loraAlpha: 16, targetModules: ['q_proj', 'v_proj'] },
  learningRate: 1e-3,
  batchSize: 8,
  gradientAccumulation: 1,
  out,
  signal: stop.signal,
});
for await (const event of events) {
  if (event.type === 'step')
    console.log(`step ${event.step} of ${event.totalSteps}: loss ${event.loss.toFixed(3)}`);
  if (event.type === 'done') console.log(`adapter: ${event.summary.adapter}`);
}

// A run opens as its model with its adapter and prompt settings, so that training and scoring cannot differ.
const tuned = await open(out);
for (const [name, system] of [
  ['base', base],
  ['nextquill', tuned],
] as const) {
  const { system: numbers } = await evaluate(system, heldOut, { signal: stop.signal });
  const { nllWithHistory: own, nllOtherHistory: others } = numbers;
  console.log(
    `${name}: NLL ${own.value.toFixed(3)} [${own.low.toFixed(3)}, ${own.high.toFixed(3)}] with the user's history, ` +
      `${others.value.toFixed(3)} with others'`,
  );
}
