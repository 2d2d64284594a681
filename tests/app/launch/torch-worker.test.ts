/**
 * @file The real worker of python/nextquill_torch, where NEXTQUILL_PYTHON names a Python with torch: the losses of the engine here,
 * over processes, kills, engines and stops. The ten checks of the worker's contract that need it.
 */
import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { torchPython } from '../../../src/app/launch/python-env.ts';
import { defaultCompute } from '../../../src/app/launch/spec.ts';
import { torchWorker } from '../../../src/app/launch/torch-scorer.ts';
import { type TorchOptions, torchEngine } from '../../../src/app/launch/torch-train.ts';
import { killTree } from '../../../src/app/launch/worker-process.ts';
import { workerEvents } from '../../../src/app/launch/worker-run.ts';
import { openModel } from '../../../src/app/open/model-source.ts';
import { AbortedError, exitCodeOf } from '../../../src/base/errors.ts';
import { isRunning } from '../../../src/base/process.ts';
import { randomStream } from '../../../src/base/random.ts';
import { type GenerationStep, openTextGenerator } from '../../../src/engine/generate/decode.ts';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { readManifest } from '../../../src/method/runs/manifest.ts';
import { readStepLog, type StepLine } from '../../../src/method/runs/step-log.ts';
import { resumePairs, type TrainPairsOptions, trainPairs } from '../../../src/method/runs/train.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { randomAdapter } from '../../support/adapter-files.ts';
import { letteredModel, randomPairs, tinyModel } from '../../support/tiny-model.ts';
import { allEvents, outcomeOf, randomRun } from '../../support/train-runs.ts';

const named = process.env.NEXTQUILL_PYTHON;
if (named === undefined)
  console.warn('NOT RUN: training and scoring by PyTorch. NEXTQUILL_PYTHON names no Python with torch.');

/** f32 sums in another order: the contract's, about ten times what was measured. */
const LOSS = 1e-5;
const NORM = 1e-4;
const SCORE = 1e-4;
const MINUTES = 60_000;

describe.skipIf(named === undefined)('the worker', { timeout: 20 * MINUTES }, async () => {
  const home = await mkdtemp(join(tmpdir(), 'nextquill-worker-'));
  const python = named === undefined ? undefined : await torchPython(named);
  const base: TorchOptions = {
    python: python!,
    compute: { ...defaultCompute, device: 'cpu' },
    processes: 1,
  };
  const tiny = await tinyModel();
  const pairs = randomPairs(21);
  const lora = { rank: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj', 'down_proj'] };
  let runs = 0;
  const newRun = () => join(home, `run-${runs++}`);
  /** Clipped at every step, with dropout, an uneven last step, and pairs without a history. */
  const settings = {
    ...randomRun,
    model: tiny,
    pairs,
    objective: 'nextquill-code',
    lora: { ...lora, dropout: 0.1 },
    maxGradientNorm: 0.05,
    learningRate: 1e-3,
    seed: 7,
    checkpointEvery: 4,
  } as const satisfies Partial<TrainPairsOptions>;
  // One process for all that is scored and written below.
  const started = named === undefined ? undefined : torchWorker({ ...base, version: '0', threads: 1 });
  const worker = started!;
  afterAll(() => started?.[Symbol.asyncDispose]());
  const by = (options: Partial<TorchOptions> = {}) => ({ engine: torchEngine({ ...base, ...options }) });

  function expectSame(
    ours: readonly StepLine[],
    theirs: readonly StepLine[],
    loss = LOSS,
    norm = NORM,
  ): void {
    expect(theirs).toHaveLength(ours.length);
    for (const [i, a] of ours.entries()) {
      const b = theirs[i]!;
      const exact = ({ step, epoch, learningRate, examples, tokens }: StepLine) => [
        ...[step, epoch, learningRate, examples, tokens],
      ];
      expect(exact(b)).toEqual(exact(a));
      expect(Math.abs(b.loss - a.loss)).toBeLessThan(loss);
      for (const [name, part] of Object.entries(a.parts))
        expect(Math.abs(b.parts[name]! - part)).toBeLessThan(loss);
      expect(Math.abs(b.gradientNorm / a.gradientNorm - 1)).toBeLessThan(norm);
    }
  }

  it('has the losses, parts and norms of the engine here, by one process and by two, replicated and sharded', async () => {
    const ours = newRun();
    await allEvents(trainPairs({ ...settings, out: ours }));
    const log = await readStepLog(ours);
    expect(log.every(({ gradientNorm }) => gradientNorm > settings.maxGradientNorm)).toBe(true);
    for (const options of [
      { processes: 1 },
      { processes: 2 },
      { processes: 2, compute: { ...base.compute, parallel: 'shard' as const } },
    ]) {
      const theirs = newRun();
      const events = await allEvents(trainPairs({ ...settings, out: theirs, ...by(options) }));
      expect([...new Set(events.map(({ type }) => type))]).toEqual(['started', 'step', 'checkpoint', 'done']);
      expectSame(log, await readStepLog(theirs));
      const { status, machine } = await readManifest(theirs);
      expect([status, machine.engine, machine.processes]).toEqual(['done', 'torch', options.processes]);
      const adapter = await loadAdapter(join(theirs, 'adapter'), tiny);
      const effectsOf = async (model: typeof tiny) => {
        await using scorer = createScorer({ model, adapter }, { threads: 1 });
        return scorer.effects(pairs);
      };
      expectClose(await effectsOf({ ...tiny, worker }), await effectsOf(tiny));
    }
  });

  it('resumes the engine here and is resumed by it, at another number of processes', async () => {
    const ours = newRun();
    await allEvents(trainPairs({ ...settings, out: ours }));
    const stopAfter = async (run: string, step: number, more: Partial<TrainPairsOptions>) => {
      const controller = new AbortController();
      const events = trainPairs({ ...settings, out: run, signal: controller.signal, ...more });
      const error = await (async () => {
        for await (const event of events)
          if (event.type === 'step' && event.step === step) controller.abort();
        return undefined;
      })().catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(AbortedError);
    };
    const there = newRun();
    await stopAfter(there, 4, {});
    await allEvents(resumePairs(there, { model: tiny, pairs, ...by({ processes: 2 }) }));
    expectSame(await readStepLog(ours), await readStepLog(there));

    const back = newRun();
    await stopAfter(back, 3, by());
    const { status, step } = await readManifest(back);
    expect([status, await readdir(join(back, 'checkpoints'))]).toEqual([
      'stopped',
      expect.arrayContaining([`step-${step}`]),
    ]);
    await allEvents(resumePairs(back, { model: tiny, pairs }));
    expectSame(await readStepLog(ours), await readStepLog(back));
  });

  it('killed at five random moments, one of two processes each time, ends with the bits of an undisturbed run', async () => {
    const model = await openModel('embedded');
    const run = { ...settings, model, lora: { rank: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj'] } };
    const calm = newRun();
    await allEvents(trainPairs({ ...run, out: calm, ...by({ processes: 2 }) }));
    const killed = newRun();
    const random = randomStream(5, 'tests/kills');
    const total = (await readStepLog(calm)).length;
    const moments = Array.from({ length: 5 }, () => 1 + random.integer(total - 1)).sort((a, b) => a - b);
    let kills = 0;
    for await (const event of trainPairs({ ...run, out: killed, ...by({ processes: 2, maxRestarts: 8 }) })) {
      if (event.type !== 'step' || kills >= moments.length || event.step < moments[kills]!) continue;
      const ranks = workersOf(killed);
      if (ranks.length < 2) continue;
      process.kill(ranks[random.integer(ranks.length)]!, 'SIGKILL');
      kills++;
    }
    expect(kills).toBe(5);
    expect(await outcomeOf(killed)).toEqual(await outcomeOf(calm));
  });

  it('outlives the death of torchrun and all that it has started', async () => {
    const calm = newRun();
    await allEvents(trainPairs({ ...settings, out: calm, ...by({ processes: 2 }) }));
    const killed = newRun();
    const error = await errorOf(
      (async function* () {
        for await (const event of trainPairs({ ...settings, out: killed, ...by({ processes: 2 }) })) {
          if (event.type === 'step' && event.step === 5) killTree(await launcherOf(killed));
          yield event;
        }
      })(),
    );
    expect([error.code, exitCodeOf(error)]).toEqual(['worker/died', 1]);
    await allEvents(resumePairs(killed, { model: tiny, pairs, ...by({ processes: 2 }) }));
    expect(await outcomeOf(killed)).toEqual(await outcomeOf(calm));
  });

  it('refuses a spec with one byte changed, before it trains', async () => {
    const run = newRun();
    await allEvents(trainPairs({ ...settings, maxSteps: 1, out: run, ...by({ launch: 'print' }) })).catch(
      () => {},
    );
    const file = join(run, 'spec/plan.safetensors');
    const bytes = await readFile(file);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(file, bytes);
    const error = await errorOf(workerEvents(run, { python: python!.executable, processes: 1 }));
    expect([error.code, exitCodeOf(error)]).toEqual(['spec/changed', 2]);
    expect(error.message).toContain('plan.safetensors');
    expect(await readStepLog(run)).toEqual([]);
  });

  it('has the same losses when it is started elsewhere, by another number of processes', async () => {
    const run = newRun();
    const options = { ...settings, out: run, ...by({ launch: 'print' as const, processes: 1 }) };
    await allEvents(trainPairs(options)).catch(() => {});
    const copy = newRun();
    await cp(run, copy, { recursive: true });
    for await (const _ of workerEvents(run, { python: python!.executable, processes: 1 }));
    for await (const _ of workerEvents(copy, { python: python!.executable, processes: 2 }));
    expectSame(await readStepLog(run), await readStepLog(copy));
  });

  it.each(['tiny-llama-tied', 'tiny-qwen3', 'tiny-gemma3', 'tiny-gpt2'])(
    'scores %s as the engine here does',
    async (name) => {
      const model = await tinyModel(name);
      // Some of the tiny models have fewer tokens than the pairs know.
      const inside = (ids: readonly number[]) => ids.map((id) => id % model.config.vocabularySize);
      // That of GPT-2 has 16 positions.
      const few = pairs.slice(0, 6).map((pair) => ({
        ...pair,
        withHistoryIds: inside(pair.withHistoryIds).slice(-8),
        withoutHistoryIds: inside(pair.withoutHistoryIds),
        responseIds: inside(pair.responseIds),
      }));
      const effectsOf = async (scored: typeof model) => {
        await using scorer = createScorer({ model: scored }, { objective: 'nextquill-js' });
        return scorer.effects(few);
      };
      expectClose(await effectsOf({ ...model, worker }), await effectsOf(model));
    },
  );

  it.each(['tiny-llama-tied', 'tiny-qwen3', 'tiny-gemma3'])(
    'writes by %s what the engine here does, with and without an adapter',
    async (name) => {
      const model = await letteredModel(name, [2]);
      // Some end early, so that rows move; two share a prompt; guidance is a second pass of its own.
      const prompts = [
        { ids: [3, 4, 5, 6, 7, 8, 9] },
        { ids: [10, 11] },
        { ids: [10, 11] },
        { ids: [12, 13, 14, 15], guidance: { ids: [14, 15], strength: 1.7 } },
      ];
      const written = async (by: typeof model, adapter: ReturnType<typeof randomAdapter> | undefined) => {
        const steps: GenerationStep[] = [];
        await using generator = await openTextGenerator(by, adapter && { adapter }, { threads: 1 });
        for (const options of [
          { temperature: 0 },
          { temperature: 0.9, topP: 0.95, repetitionPenalty: 1.1 },
        ]) {
          const drawn = prompts.map((prompt, i) => ({
            ...prompt,
            random: randomStream(3, `tests/texts/${i}`),
          }));
          for await (const step of generator.generate(drawn, { ...options, maxNewTokens: 12, logProbs: 3 }))
            steps.push(step);
        }
        return steps;
      };
      for (const adapter of [undefined, randomAdapter(model, 4)]) {
        const ours = await written(model, adapter);
        const theirs = await written({ ...model, worker }, adapter);
        const told = ({ prompt, token, text, finish }: GenerationStep) => [prompt, token, text, finish];
        expect(theirs.map(told)).toEqual(ours.map(told));
        for (const [i, { logProbs }] of ours.entries()) {
          expect(Math.abs(theirs[i]!.logProbs!.logProb - logProbs!.logProb)).toBeLessThan(SCORE);
          if (logProbs!.byGuidance !== undefined)
            expect(Math.abs(theirs[i]!.logProbs!.byGuidance! - logProbs!.byGuidance)).toBeLessThan(SCORE);
        }
      }
    },
  );
});

/** Numbers of two engines, by the names of the first. */
function expectClose<T extends object>(theirs: readonly T[], ours: readonly T[]): void {
  expect(theirs).toHaveLength(ours.length);
  for (const [i, numbers] of ours.entries())
    for (const [key, values] of Object.entries(numbers) as [keyof T & string, Float32Array][])
      for (const [t, value] of values.entries()) {
        const their = (theirs[i]![key] as Float32Array)[t]!;
        expect(Math.abs(their - value), `${key} of token ${t}`).toBeLessThan(SCORE);
      }
}

/** The process that a lock of the run names beside this one. */
async function launcherOf(run: string): Promise<number> {
  const ids = (await readdir(run)).flatMap((name) => /^\.lock-(\d+)-/.exec(name)?.[1] ?? []).map(Number);
  return ids.find((id) => id !== process.pid)!;
}

/** Ids of the processes that work on a run, without torchrun. */
function workersOf(run: string): number[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,args='], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter((line) => line.includes(`work ${run}`) && !line.includes('torch.distributed.run'))
    .map((line) => Number(line.trim().split(/\s+/)[0]))
    .filter(isRunning);
}

/** The error that some events end with. */
async function errorOf(events: AsyncIterable<unknown>): Promise<Error & { code?: string }> {
  try {
    for await (const _ of events);
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error, got none');
}
