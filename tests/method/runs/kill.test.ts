/** @file Real processes killed at real moments: the resumed run ends bit for bit like one that was never stopped. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import type { TrainEvent } from '../../../src/method/runs/run.ts';
import { trainPairs } from '../../../src/method/runs/train.ts';
import { allEvents, type ChildOptions, childRun, outcomeOf } from '../../support/train-runs.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-kill-'));
const script = resolve(import.meta.dirname, '../../support/train-child.ts');
/** Rest of the child after each event: a busy machine must not let it finish before its kill arrives. */
const REST = 40;
const random = randomStream(3, 'tests/kills');

type Event = TrainEvent | { type: 'error'; code: string; message: string };

/** Starts a child on the run and kills it when `when` resolves or an event fulfils it; returns what it reported. */
async function child(
  run: string,
  options: ChildOptions,
  kill?: { signal: NodeJS.Signals; when: (event: Event) => boolean | Promise<boolean> },
) {
  const process = spawn(
    globalThis.process.execPath,
    ['--import', 'tsx', script, run, JSON.stringify(options)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const closed = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done) =>
    process.on('close', (code, signal) => done({ code, signal })),
  );
  const events: Event[] = [];
  let hasKilled = false;
  for await (const line of createInterface({ input: process.stdout })) {
    events.push(JSON.parse(line) as Event);
    if (!hasKilled && kill !== undefined && (await kill.when(events.at(-1)!))) {
      hasKilled = true;
      process.kill(kill.signal);
    }
  }
  return { events, ...(await closed) };
}

const atStep = (step: number) => (event: Event) => event.type === 'step' && event.step === step;
const temporaries = (run: string) =>
  existsSync(join(run, 'checkpoints'))
    ? readdirSync(join(run, 'checkpoints')).filter((name) => name.endsWith('.tmp'))
    : [];

/** The outcome of a run in this process that nothing stops. */
async function undisturbed(options: ChildOptions) {
  const run = join(home, `undisturbed-${options.method}`);
  await allEvents(trainPairs({ ...(await childRun(options)).fresh, out: run }));
  return outcomeOf(run);
}

describe('kill -9', () => {
  it('at five moments, before the first checkpoint and inside one too, changes no bit of the result, nor of a moving average', async () => {
    const run = join(home, 'killed');
    const slow: ChildOptions = { method: 'averaging', stepMilliseconds: REST };
    const startSteps: number[] = [];
    const killAt = async (options: ChildOptions, when: (event: Event) => boolean | Promise<boolean>) => {
      const { events, signal } = await child(run, options, { signal: 'SIGKILL', when });
      expect(signal, JSON.stringify(events.at(-1))).toBe('SIGKILL');
      for (const event of events) if (event.type === 'started') startSteps.push(event.startStep);
    };
    // 1: before the first checkpoint.
    await killAt(slow, atStep(1 + random.integer(3)));
    // 2: at a step drawn by chance; the run has begun again from nothing.
    await killAt(slow, atStep(5 + random.integer(3)));
    // 3: inside a checkpoint, while its files are flushed.
    await killAt({ ...slow, flushMilliseconds: 60 }, async (event) => {
      if (!atStep(8)(event)) return false;
      while (temporaries(run).length === 0) await sleep(1);
      return true;
    });
    expect(temporaries(run)).toEqual(['.step-8.tmp']);
    // 4: after a time drawn by chance.
    await killAt(slow, async (event) => {
      if (event.type !== 'started') return false;
      await sleep(20 + random.integer(60));
      return true;
    });
    // 5: late, at a step drawn by chance.
    await killAt(slow, atStep(15 + random.integer(4)));
    // And once more while the result itself is written.
    await killAt({ ...slow, flushMilliseconds: 60 }, async (event) => {
      if (!atStep(24)(event)) return false;
      while (!existsSync(join(run, '.weights.tmp'))) await sleep(1);
      return true;
    });
    expect(existsSync(join(run, 'weights'))).toBe(false);
    const last = await child(run, { method: 'averaging' });
    expect(last.code).toBe(0);
    expect(existsSync(join(run, '.weights.tmp'))).toBe(false);
    expect(startSteps.slice(0, 3)).toEqual([0, 0, 4]);
    expect(temporaries(run)).toEqual([]);
    expect(await outcomeOf(run)).toEqual(await undisturbed({ method: 'averaging' }));
  });

  it('while the weights of the best step are written changes no bit of the step that is kept', async () => {
    const run = join(home, 'killed-best');
    const options: ChildOptions = { method: 'full', keepBest: true };
    // The step before the second best one: its weights are being flushed when the kill comes.
    const { signal } = await child(
      run,
      { ...options, stepMilliseconds: REST, flushMilliseconds: 60 },
      {
        signal: 'SIGKILL',
        when: async (event) => {
          if (!atStep(3)(event)) return false;
          while (!existsSync(join(run, 'best/.step-4.tmp'))) await sleep(1);
          return true;
        },
      },
    );
    expect(signal).toBe('SIGKILL');
    expect(existsSync(join(run, 'best/.step-4.tmp'))).toBe(true);
    const last = await child(run, options);
    expect(last.code).toBe(0);
    expect(existsSync(join(run, 'best/.step-4.tmp'))).toBe(false);
    expect(await outcomeOf(run)).toEqual(await undisturbed(options));
  });
});

describe('Ctrl-C', () => {
  it('leaves a checkpoint of the last finished step, from which the run ends with the same bits', async () => {
    const run = join(home, 'interrupted');
    const { events, code } = await child(
      run,
      { method: 'lora', stepMilliseconds: REST },
      { signal: 'SIGINT', when: atStep(6) },
    );
    expect(code).toBe(130);
    const last = Math.max(...events.map((event) => (event.type === 'step' ? event.step : 0)));
    expect(last).toBeLessThan(24);
    expect(readdirSync(join(run, 'checkpoints'))).toContain(`step-${last}`);
    expect(events.at(-1)).toMatchObject({ type: 'error', code: 'aborted' });

    const resumed = await child(run, { method: 'lora' });
    expect(resumed.code).toBe(0);
    expect(resumed.events[0]).toMatchObject({ type: 'started', startStep: last });
    expect(await outcomeOf(run)).toEqual(await undisturbed({ method: 'lora' }));
  });
});
