/** @file The step with the least held-out loss: found, kept as the result, and found again by a run that was killed. */
import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AbortedError, ConfigError } from '../../../src/base/errors.ts';
import { bestOf, withEvaluation } from '../../../src/method/runs/best-step.ts';
import { readManifest } from '../../../src/method/runs/manifest.ts';
import { readStepLog } from '../../../src/method/runs/step-log.ts';
import { resumePairs, type TrainPairsOptions, trainPairs } from '../../../src/method/runs/train.ts';
import { resolveSettings } from '../../../src/method/training/settings.ts';
import { abortAtClock, allEvents, childRun, outcomeOf } from '../../support/train-runs.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-best-'));
const { fresh, again } = await childRun({ method: 'full', keepBest: true });
let runs = 0;
const place = () => join(home, `run-${runs++}`);

async function runOf(changes: Partial<TrainPairsOptions> = {}) {
  const run = place();
  const events = await allEvents(trainPairs({ ...fresh, ...changes, out: run }));
  return { run, events, summary: (await readManifest(run)).summary! };
}

const kept = await runOf();
const losses = (await readStepLog(kept.run)).flatMap(({ step, validationLoss }) =>
  validationLoss === undefined ? [] : [{ step, validationLoss }],
);
const { best } = kept.summary;

/** A run's folder as a kill after a step would leave it. */
async function killedAt(step: number): Promise<string> {
  const [run, copy] = [place(), place()];
  for await (const event of trainPairs({ ...fresh, out: run }))
    if (event.type === 'step' && event.step === step) {
      // The lock is that of this process, which lives.
      await cp(run, copy, { recursive: true, filter: (path) => !basename(path).startsWith('.lock-') });
      break;
    }
  return copy;
}

const bestFolders = (run: string) => readdirSync(join(run, 'best')).sort();

describe('a run that keeps its best step', () => {
  it('holds the weights of the step with the least held-out loss, one in the middle', async () => {
    expect(losses.map(({ step }) => step)).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24]);
    const least = losses.reduce((a, b) => (b.validationLoss < a.validationLoss ? b : a));
    expect(best).toEqual(least);
    expect(best!.step).toBeGreaterThan(2);
    expect(best!.step).toBeLessThan(20);
    expect(kept.summary.validationLoss).toBe(losses.at(-1)!.validationLoss);
    expect(kept.summary).not.toHaveProperty('endedBy');
    // The weights of that step are those of a run that was stopped there.
    const stopped = place();
    for await (const event of trainPairs({ ...fresh, keepBest: false, out: stopped }))
      if (event.type === 'step' && event.step === best!.step) break;
    const checkpoint = join(stopped, `checkpoints/step-${best!.step}/weights.safetensors`);
    const sameFormat = join(kept.run, `best/step-${best!.step}/weights.safetensors`);
    expect(await readFile(sameFormat)).toEqual(await readFile(checkpoint));
    const last = await runOf({ keepBest: false });
    const [a, b] = [await outcomeOf(kept.run), await outcomeOf(last.run)];
    expect(a.steps).toEqual(b.steps);
    expect(a.files['model.safetensors']).not.toBe(b.files['model.safetensors']);
    expect(existsSync(join(last.run, 'best'))).toBe(false);
  });

  it('tells which evaluations were the best so far', () => {
    let least = Number.POSITIVE_INFINITY;
    const expected = losses.map(({ step, validationLoss }) => {
      const isBest = validationLoss < least;
      least = Math.min(least, validationLoss);
      return [step, isBest];
    });
    const told = kept.events.flatMap((event) =>
      event.type === 'evaluation' ? [[event.step, event.isBest]] : [],
    );
    expect(told).toEqual(expected);
  });

  it('ends with the same bytes after a kill before, at and after the best step', async () => {
    const expected = await outcomeOf(kept.run);
    // Before the first checkpoint; at the best step, which the newest checkpoint does not know yet; long after it.
    for (const step of [3, best!.step, 23]) {
      const run = await killedAt(step);
      await allEvents(resumePairs(run, again));
      expect(await outcomeOf(run), `after step ${step}`).toEqual(expected);
      expect((await readManifest(run)).summary).toMatchObject({ best, steps: 24 });
      // What no checkpoint builds on is gone.
      expect(bestFolders(run)).toEqual([`step-${best!.step}`]);
    }
  });

  it('keeps what older checkpoints build on until they go', async () => {
    const run = await killedAt(best!.step + 1);
    const states = await Promise.all(
      readdirSync(join(run, 'checkpoints')).map(async (name) =>
        JSON.parse(await readFile(join(run, 'checkpoints', name, 'state.json'), 'utf8')),
      ),
    );
    const needed = new Set([best!.step, ...states.flatMap((state) => state.best?.step ?? [])]);
    expect(bestFolders(run)).toEqual([...needed].map((step) => `step-${step}`).sort());
    expect(needed.size).toBeGreaterThan(1);
  });

  it('goes back to an earlier checkpoint where the best weights of the newest are damaged', async () => {
    const run = await killedAt(23);
    const expected = await outcomeOf(kept.run);
    const file = join(run, `best/step-${best!.step}/weights.safetensors`);
    const bytes = await readFile(file);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(file, bytes);
    const events = await allEvents(resumePairs(run, again));
    const codes = events.flatMap((event) => (event.type === 'notice' ? event.notice.code : []));
    expect(codes).toContain('run/checkpoint-damaged');
    expect(await outcomeOf(run)).toEqual(expected);
  });

  it('is stopped and goes on while it measures, with the same bytes', async () => {
    const run = place();
    const stopped = abortAtClock({ ...fresh, out: run }, { step: best!.step - 1, calls: 2 });
    await expect(stopped).rejects.toThrow(AbortedError);
    expect((await readManifest(run)).step).toBe(best!.step);
    await allEvents(resumePairs(run, again));
    expect(await outcomeOf(run)).toEqual(await outcomeOf(kept.run));
  });
});

describe('patience', () => {
  it('ends the run as finished once so many evaluations found no better step', async () => {
    const { run, summary } = await runOf({ patience: 2 });
    const since = (end: number) => bestOf(losses.slice(0, end))!.evaluationsSince;
    const end = losses.findIndex((_, i) => since(i + 1) === 2);
    expect(end).toBeGreaterThan(1);
    const { step } = losses[end]!;
    expect(step).toBeLessThan(24);
    expect(summary).toMatchObject({ endedBy: 'patience', steps: step });
    const manifest = await readManifest(run);
    expect(manifest).toMatchObject({ status: 'done', step, totalSteps: 24, recipe: { patience: 2 } });
    const outcome = await outcomeOf(run);
    const { step: keptStep } = summary.best!;
    expect(await readFile(join(run, `best/step-${keptStep}/weights.safetensors`))).toBeDefined();
    // Stopped right after the evaluation that ends it, it takes no further step.
    const stopped = place();
    for await (const event of trainPairs({ ...fresh, patience: 2, out: stopped }))
      if (event.type === 'evaluation' && event.step === step) break;
    const events = await allEvents(resumePairs(stopped, again));
    expect(events.filter(({ type }) => type === 'step')).toEqual([]);
    expect(await outcomeOf(stopped)).toEqual(outcome);
    // And finished, it gives its summary again.
    const [done] = await allEvents(resumePairs(run, again));
    expect(done).toMatchObject({ type: 'done', summary: { best: summary.best, endedBy: 'patience' } });
  });
});

describe('settings of the kept step', () => {
  it.each([
    [{ keepBest: true }],
    [{ patience: 2, evalEvery: 2 }],
    [{ keepBest: true, evalEvery: 2, patience: 0 }],
    [{ keepBest: true, evalEvery: 2, patience: 1.5 }],
    [{ keepBest: 'yes' as never, evalEvery: 2 }],
  ])('%j is refused', (settings) => {
    expect(() => resolveSettings(settings, fresh.model)).toThrow(
      expect.objectContaining({ constructor: ConfigError, code: 'training/setting' }),
    );
  });
});

describe('the best of some evaluations', () => {
  it('is the earlier of equal ones, and knows how many came since', () => {
    const evaluations = [3, 2, 2, 4].map((validationLoss, i) => ({ step: i + 1, validationLoss }));
    expect(bestOf(evaluations)).toEqual({ step: 2, validationLoss: 2, evaluatedAt: 4, evaluationsSince: 2 });
    expect(bestOf([{ step: 1 }])).toBeUndefined();
  });

  it('does not count one twice', () => {
    const once = withEvaluation(undefined, { step: 2, validationLoss: 1 });
    expect(withEvaluation(once, { step: 2, validationLoss: 1 })).toBe(once);
    const later = withEvaluation(once, { step: 4, validationLoss: 1.5 });
    expect(withEvaluation(later, { step: 4, validationLoss: 1.5 })).toBe(later);
  });
});
