/**
 * @file Both engines on one run: the same steps, runs resumed across, torchrun's processes killed; where NEXTQUILL_PYTHON names a
 * Python with torch, transformers and peft.
 */
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { torchPython } from '../../src/app/launch/python-env.ts';
import { defaultCompute } from '../../src/app/launch/spec.ts';
import { torchWorker } from '../../src/app/launch/torch-scorer.ts';
import { torchEngine } from '../../src/app/launch/torch-train.ts';
import { killTree } from '../../src/app/launch/worker-process.ts';
import { loadAdapter } from '../../src/engine/lora/adapter-folder.ts';
import { readManifest } from '../../src/method/runs/manifest.ts';
import { readStepLog, type StepLine } from '../../src/method/runs/step-log.ts';
import { resumePairs, type TrainPairsOptions, trainPairs } from '../../src/method/runs/train.ts';
import { createScorer } from '../../src/method/scoring/scorer.ts';
import { randomPairs, tinyModel } from '../support/tiny-model.ts';
import { allEvents, randomRun } from '../support/train-runs.ts';

const named = process.env.NEXTQUILL_PYTHON;
if (!named)
  console.warn(
    'NOT RUN: both engines on one run. Set NEXTQUILL_PYTHON to a Python with torch, transformers and peft.',
  );

/** Two engines in f32, over few steps; a wrong gradient scale shows in the norm and in clipped steps alone. */
const LOSS = 1e-5;
const NORM = 1e-4;

describe.skipIf(!named)('both engines', { timeout: 900_000 }, async () => {
  if (!named) return;
  const home = await mkdtemp(join(tmpdir(), 'nextquill-engines-'));
  const model = await tinyModel();
  const pairs = randomPairs(22);
  const compute = { ...defaultCompute, device: 'cpu' as const };
  const torch = { python: await torchPython(named), compute, processes: 1 };
  const settings = {
    ...randomRun,
    model,
    pairs,
    lora: { rank: 4, loraAlpha: 8, targetModules: ['q_proj', 'v_proj', 'down_proj'], dropout: 0.1 },
    maxGradientNorm: 0.05,
    learningRate: 1e-2,
    checkpointEvery: 2,
    seed: 7,
  };
  const fresh = (name: string, more: Partial<TrainPairsOptions> = {}) =>
    trainPairs({ ...settings, out: join(home, name), ...more });

  const expectSame = (made: readonly StepLine[], wanted: readonly StepLine[]) => {
    expect(made.map(({ step }) => step)).toEqual(wanted.map(({ step }) => step));
    for (const [i, line] of made.entries()) {
      const { epoch, examples, tokens, learningRate, loss, parts, gradientNorm } = wanted[i]!;
      expect(line).toMatchObject({ epoch, examples, tokens, learningRate });
      expect(Math.abs(line.loss - loss)).toBeLessThan(LOSS);
      for (const [part, value] of Object.entries(parts))
        expect(Math.abs(line.parts[part]! - value)).toBeLessThan(LOSS);
      expect(Math.abs(line.gradientNorm / gradientNorm - 1)).toBeLessThan(NORM);
    }
  };
  await allEvents(fresh('ours'));
  const wanted = await readStepLog(join(home, 'ours'));

  it('take the same steps, and leave the same kind of folder', async () => {
    const events = await allEvents(fresh('torch', { engine: torchEngine(torch) }));
    expect([...new Set(events.map(({ type }) => type))]).toEqual(['started', 'step', 'checkpoint', 'done']);
    const run = join(home, 'torch');
    expectSame(await readStepLog(run), wanted);
    expect(await readManifest(run)).toMatchObject({ status: 'done', machine: { engine: 'torch' } });
    const adapter = await loadAdapter(join(run, 'adapter'), model);
    await using scorer = createScorer({ model, adapter }, { threads: 1 });
    const ours = await scorer.effects(pairs);
    const theirs = await torchWorker({ ...torch, version: '0' }).pairScores(pairs, { model, adapter });
    for (const [i, effects] of ours.entries())
      for (const key of ['logProbWithHistory', 'logProbWithoutHistory', 'divergence'] as const)
        for (const [t, value] of effects[key].entries())
          expect(Math.abs(theirs[i]![key][t]! - value)).toBeLessThan(1e-4);
  });

  it('resume each other’s runs', async () => {
    const stopAfter = async (events: ReturnType<typeof fresh>, step: number) => {
      for await (const event of events) if (event.type === 'step' && event.step === step) break;
    };
    const run = join(home, 'across');
    await stopAfter(fresh('across'), 3);
    await stopAfter(resumePairs(run, { model, pairs, engine: torchEngine(torch) }), 7);
    await allEvents(resumePairs(run, { model, pairs }));
    expectSame(await readStepLog(run), wanted);
  });

  it('outlive the death of torchrun and of its processes', async () => {
    const two = { ...torch, processes: 2, graceSeconds: 60 };
    const run = join(home, 'killed');
    const seen: number[] = [];
    try {
      for await (const event of fresh('killed', { engine: torchEngine(two) })) {
        if (event.type !== 'step') continue;
        seen.push(event.step);
        if (event.step === 5) killTree(await launcherOf(run));
      }
    } catch (error) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^worker\//) });
    }
    expect(seen).toContain(5);
    await allEvents(resumePairs(run, { model, pairs, engine: torchEngine(two) }));
    expectSame(await readStepLog(run), wanted);
  });
});

/** The process that a lock of the run names beside this one. */
async function launcherOf(run: string): Promise<number> {
  const ids = (await readdir(run)).flatMap((name) => /^\.lock-(\d+)-/.exec(name)?.[1] ?? []).map(Number);
  return ids.find((id) => id !== process.pid)!;
}
