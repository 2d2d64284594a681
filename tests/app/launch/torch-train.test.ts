/** @file Launching: events, stops, deaths and endings of a worker that a stand-in plays; no Python is needed and nothing is trained. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type TorchOptions, torchEngine } from '../../../src/app/launch/torch-train.ts';
import { AbortedError, exitCodeOf } from '../../../src/base/errors.ts';
import { isRunning } from '../../../src/base/process.ts';
import { openSafetensors } from '../../../src/engine/weights/safetensors.ts';
import { readManifest } from '../../../src/method/runs/manifest.ts';
import type { TrainEvent } from '../../../src/method/runs/run.ts';
import { readStepLog } from '../../../src/method/runs/step-log.ts';
import { resumePairs, type TrainPairsOptions, trainPairs } from '../../../src/method/runs/train.ts';
import { fakeTorch, misbehaving } from '../../support/fake-torch.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';
import { allEvents, randomRun } from '../../support/train-runs.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-torch-'));
const model = await tinyModel();
const pairs = randomPairs(24);
let runs = 0;
const newRun = () => join(home, `run-${runs++}`);

const fresh = (out: string, options: Partial<TorchOptions & TrainPairsOptions> = {}) => {
  const { signal, ...torch } = options;
  return trainPairs({
    ...randomRun,
    model,
    pairs,
    lora: { rank: 2, loraAlpha: 4, targetModules: ['q_proj'] },
    checkpointEvery: 3,
    out,
    engine: torchEngine({ ...fakeTorch, ...torch }),
    ...(signal && { signal }),
  });
};
const again = (run: string, options: Partial<TorchOptions> = {}) =>
  resumePairs(run, { model, pairs, engine: torchEngine({ ...fakeTorch, ...options }) });

/** What a failing work throws. */
async function errorOf(work: () => Promise<unknown>): Promise<Error & { code?: string; hint?: string }> {
  try {
    await work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error, got none');
}
const typesOf = (events: readonly TrainEvent[]) => [...new Set(events.map(({ type }) => type))];
const stepsOf = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.type === 'step' ? event.step : []));

describe('a worker that works', () => {
  it('gives the events, the folder and the manifest of any run', async () => {
    const run = newRun();
    const events = await allEvents(fresh(run));
    expect(typesOf(events)).toEqual(['started', 'step', 'checkpoint', 'done']);
    expect(stepsOf(events)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(await readManifest(run)).toMatchObject({
      status: 'done',
      step: 12,
      versions: { torch: '0-fake' },
      machine: { engine: 'torch', device: 'cpu', processes: 1, dtype: 'f32', parallel: 'replicate' },
      summary: { steps: 12, finalLoss: 1 / 12, adapter: expect.any(String) },
    });
    expect((await readdir(join(run, 'adapter'))).sort()).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
      'nextquill.json',
    ]);
    expect((await readdir(run)).filter((name) => name.startsWith('.lock'))).toEqual([]);
  });

  it('is several processes by torchrun, whose prefix is taken off; their threads share those of the run', async () => {
    const run = newRun();
    const argv = join(home, 'argv.json');
    const events = await misbehaving({ argv }, () => allEvents(fresh(run, { processes: 2, maxRestarts: 5 })));
    expect(stepsOf(events)).toHaveLength(12);
    expect((await readManifest(run)).machine.processes).toBe(2);
    const { words, env } = JSON.parse(await readFile(argv, 'utf8')) as {
      words: string[];
      env: Record<string, string>;
    };
    expect(words.slice(0, 7)).toEqual([
      ...['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2', '--max-restarts', '5'],
    ]);
    expect(words.slice(-4)).toEqual(['-m', 'nextquill_torch', 'work', run]);
    // Without the last one restarts found the addresses of processes that had died, and hung.
    expect(env).toMatchObject({
      HF_HUB_OFFLINE: '1',
      OMP_NUM_THREADS: '1',
      TORCH_DISABLE_SHARE_RDZV_TCP_STORE: '1',
    });
    expect(existsSync(join(env.PYTHONPATH!.split(':')[0]!, 'nextquill_torch'))).toBe(true);
  });

  it('leaves a run that the engine here continues, and continues one of it', async () => {
    const run = newRun();
    const dead = await errorOf(() =>
      misbehaving({ dieAt: 4 }, () => allEvents(fresh(run, { maxRestarts: 0 }))),
    );
    expect(dead.code).toBe('worker/died');
    const events = await allEvents(resumePairs(run, { model, pairs }));
    expect(stepsOf(events)).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const { machine } = await readManifest(run);
    expect([machine.engine, machine.processes]).toEqual([undefined, undefined]);
    expect(events).toContainEqual({
      type: 'notice',
      notice: { code: 'run/environment-changed', name: 'engine', before: 'torch', now: 'onnx' },
    });
    expect((await openSafetensors(join(run, 'adapter/adapter_model.safetensors'))).tensors.size).toBe(4);
  });
});

describe('a worker that dies', () => {
  it('is started again from its newest checkpoint, a half-written one left aside', async () => {
    const run = newRun();
    const once = join(home, `once-${runs}`);
    const events = await misbehaving({ dieAt: 5, half: true, once }, () => allEvents(fresh(run)));
    expect(stepsOf(events)).toEqual([1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(events.filter(({ type }) => type === 'notice')).toEqual([
      { type: 'notice', notice: { code: 'engine/warning', message: expect.stringContaining('SIGKILL') } },
    ]);
    expect((await readStepLog(run)).map(({ step }) => step)).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
  });

  it('again and again ends the run, which can be resumed', async () => {
    const run = newRun();
    const error = await errorOf(() =>
      misbehaving({ dieAt: 5 }, () => allEvents(fresh(run, { maxRestarts: 1 }))),
    );
    expect([error.code, exitCodeOf(error)]).toEqual(['worker/died', 1]);
    expect(await readManifest(run)).toMatchObject({ status: 'failed', step: 5 });
    expect(stepsOf(await allEvents(again(run)))).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect((await readManifest(run)).status).toBe('done');
  });

  it('with a trace shows that of the process that failed first, once', async () => {
    const error = await errorOf(() =>
      misbehaving({ traces: true }, () => allEvents(fresh(newRun(), { processes: 2 }))),
    );
    expect(error.message).toContain('Traceback of rank 1');
    expect(error.message).not.toContain('Traceback of rank 0');
  });

  it('by its own word is not started again: NaN, with the step that was whole', async () => {
    const run = newRun();
    const error = await errorOf(() => misbehaving({ nanAt: 5 }, () => allEvents(fresh(run))));
    expect([error.code, exitCodeOf(error)]).toEqual(['training/nan-loss', 1]);
    expect(await readManifest(run)).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('NaN'),
    });
  });

  it.each([
    ['spec/changed', 2],
    ['checkpoint/missing', 2],
    ['worker/out-of-memory', 1],
  ] as const)('of %s has the exit code %i, by its last word and by its last event', async (code, exit) => {
    for (const isLast of [true, false]) {
      const fails = { code, message: `something of ${code}`, hint: 'Do this.', isLast };
      const error = await errorOf(() => misbehaving({ fails }, () => allEvents(fresh(newRun()))));
      expect([error.code, error.hint, exitCodeOf(error)]).toEqual([code, 'Do this.', exit]);
      expect(error.message).toContain(`something of ${code}`);
    }
  });
});

describe('a stop', () => {
  const stoppedAt = async (step: number, run: string, options: Partial<TorchOptions>, how: object) => {
    const controller = new AbortController();
    const events = fresh(run, { ...options, signal: controller.signal });
    return misbehaving({ stepMilliseconds: 20, ...how }, () =>
      errorOf(async () => {
        for await (const event of events)
          if (event.type === 'step' && event.step === step) controller.abort();
      }),
    );
  };

  it('is answered after the step at hand, with a checkpoint', async () => {
    const run = newRun();
    const error = await stoppedAt(4, run, {}, {});
    expect(error).toBeInstanceOf(AbortedError);
    const { step, status } = await readManifest(run);
    expect(status).toBe('stopped');
    expect(step).toBeGreaterThanOrEqual(4);
    expect(existsSync(join(run, `checkpoints/step-${step}/state.json`))).toBe(true);
    const rest = stepsOf(await allEvents(again(run)));
    expect([rest[0], rest.at(-1)]).toEqual([step! + 1, 12]);
  });

  it('ends a worker that does not answer, and all that it has started, after the grace', async () => {
    const run = newRun();
    const argv = join(home, 'argv-deaf.json');
    const began = performance.now();
    const error = await stoppedAt(
      2,
      run,
      { graceSeconds: 0, lastSeconds: 0 },
      { deaf: true, argv, stepMilliseconds: 400 },
    );
    expect(error).toBeInstanceOf(AbortedError);
    expect(performance.now() - began).toBeLessThan(4000);
    expect(isRunning((JSON.parse(await readFile(argv, 'utf8')) as { pid: number }).pid)).toBe(false);
    expect((await readManifest(run)).status).toBe('stopped');
  });

  it('by a caller who reads no more is a stop, too', async () => {
    const run = newRun();
    await misbehaving({ stepMilliseconds: 20 }, async () => {
      for await (const event of fresh(run)) if (event.type === 'step' && event.step === 2) break;
    });
    expect((await readManifest(run)).status).toBe('stopped');
    expect(stepsOf(await allEvents(again(run))).at(-1)).toBe(12);
  });
});

it('quantised bases are refused before anything is written', async () => {
  const run = newRun();
  const error = await errorOf(() =>
    allEvents(
      trainPairs({
        ...randomRun,
        model,
        pairs,
        lora: { rank: 2, loraAlpha: 4 },
        baseBits: 8,
        out: run,
        engine: torchEngine(fakeTorch),
      }),
    ),
  );
  expect([error.code, exitCodeOf(error), existsSync(run)]).toEqual(['engine/base-bits', 2, false]);
});
