/** @file A run from its first file to its result: what is written, what is refused, and every way to stop and go on. */
import { existsSync, readdirSync } from 'node:fs';
import { appendFile, cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  AbortedError,
  CheckpointError,
  ConfigError,
  DataError,
  EngineError,
} from '../../../src/base/errors.ts';
import type { ObjectiveChoice } from '../../../src/method/objectives/objectives.ts';
import { faultOf } from '../../../src/method/runs/checkpoint.ts';
import { readManifest } from '../../../src/method/runs/manifest.ts';
import type { TrainEvent } from '../../../src/method/runs/run.ts';
import { resumePairs, type TrainPairsOptions, train, trainPairs } from '../../../src/method/runs/train.ts';
import { randomPairs } from '../../support/tiny-model.ts';
import { allEvents, childRun, outcomeOf } from '../../support/train-runs.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-train-'));
let runs = 0;
const freshPlace = () => join(home, `run-${runs++}`);
const { fresh, again } = await childRun({ method: 'lora' });
const start = (out: string, changes: Partial<TrainPairsOptions> = {}) =>
  trainPairs({ ...fresh, out, ...changes });

async function whole(changes: Partial<TrainPairsOptions> = {}): Promise<string> {
  const run = freshPlace();
  await allEvents(start(run, changes));
  return run;
}

const undisturbed = await whole();
const expected = await outcomeOf(undisturbed);

/** A run stopped by its signal after some step. */
async function stoppedAfter(step: number, changes: Partial<TrainPairsOptions> = {}): Promise<string> {
  const run = freshPlace();
  const controller = new AbortController();
  const reading = async () => {
    for await (const event of start(run, { ...changes, signal: controller.signal }))
      if (event.type === 'step' && event.step === step) controller.abort();
  };
  await expect(reading()).rejects.toThrow(AbortedError);
  return run;
}

async function failureOf(events: AsyncIterable<TrainEvent>): Promise<unknown> {
  return allEvents(events).then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('a run', () => {
  it('leaves a manifest, one line a step, the newest two checkpoints and the adapter', async () => {
    expect((await readdir(undisturbed)).sort()).toEqual([
      'adapter',
      'checkpoints',
      'manifest.json',
      'steps.jsonl',
    ]);
    expect(readdirSync(join(undisturbed, 'checkpoints')).sort()).toEqual(['step-16', 'step-20']);
    expect(readdirSync(join(undisturbed, 'adapter')).sort()).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
      'nextquill.json',
    ]);
    const manifest = await readManifest(undisturbed);
    expect(manifest).toMatchObject({
      status: 'done',
      step: 24,
      totalSteps: 24,
      recipe: {
        objective: 'nextquill-code',
        learningRate: 1e-3,
        weightDecay: 0.025,
        warmupRatio: 0.01,
        seed: 7,
      },
      model: { source: 'tiny-llama', hash: fresh.model.hash },
      machine: { threads: 1, device: 'cpu' },
      summary: { steps: 24, finalLoss: (expected.steps.at(-1) as { loss: number }).loss },
    });
    expect(manifest.data.examples).toHaveLength(48);
    expect(manifest.versions.onnxruntime).toMatch(/^\d+\.\d+\.\d+/);
    expect(expected.steps.map((line) => (line as { step: number }).step)).toEqual(
      Array.from({ length: 24 }, (_, i) => i + 1),
    );
    const info = JSON.parse(await readFile(join(undisturbed, 'adapter/nextquill.json'), 'utf8'));
    expect(info).toMatchObject({ modelHash: fresh.model.hash, objective: 'nextquill-code' });
  });

  it('records the objective and the options that an alias stood for', async () => {
    const run = await whole({ objective: 'nextquill', maxSteps: 1 });
    expect((await readManifest(run)).recipe).toMatchObject({
      objective: 'sft',
      objectiveOptions: { calibrationWeight: 0.3 },
      objectiveRequested: 'nextquill',
    });
  });

  it('lowers the loss', async () => {
    const run = await whole({ learningRate: 1e-2, epochs: 8, objective: 'sft' });
    const losses = (await outcomeOf(run)).steps.map((line) => (line as { loss: number }).loss);
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(losses.slice(-12))).toBeLessThan(mean(losses.slice(0, 12)) - 0.5);
  });

  it('repeats bit for bit, and another seed gives other bits', async () => {
    expect(await outcomeOf(await whole())).toEqual(expected);
    const other = await outcomeOf(await whole({ seed: 8 }));
    expect(other.files['adapter_model.safetensors']).not.toBe(expected.files['adapter_model.safetensors']);
  });

  it('reports speed by the clock that it is given', async () => {
    let now = 0;
    const clock = () => {
      now += 500;
      return now;
    };
    const steps = (await allEvents(start(freshPlace(), { clock, maxSteps: 3 }))).filter(
      (e) => e.type === 'step',
    );
    expect(steps.map((e) => e.seconds)).toEqual([0.5, 0.5, 0.5]);
    expect(steps.map((e) => e.tokensPerSecond)).toEqual(steps.map((e) => e.tokens / 0.5));
  });

  it('writes checkpoints by time, too', async () => {
    let now = 0;
    const clock = () => {
      now += 60_000;
      return now;
    };
    const options = { clock, maxSteps: 6, checkpointEvery: 100, checkpointMinutes: 3 };
    const events = await allEvents(start(freshPlace(), options));
    const steps = events.flatMap((event) => (event.type === 'checkpoint' ? event.step : []));
    expect(steps.length).toBeGreaterThan(1);
    const never = await allEvents(start(freshPlace(), { ...options, checkpointMinutes: 1000 }));
    expect(never.filter(({ type }) => type === 'checkpoint')).toEqual([]);
  });

  it('on examples without history is finite and equals plain fine-tuning', async () => {
    const bare = randomPairs(16).filter((pair) => !pair.hasHistory);
    const losses = async (objective: ObjectiveChoice) =>
      (await outcomeOf(await whole({ pairs: bare, objective, epochs: 4 }))).steps.map(
        (line) => (line as { loss: number }).loss,
      );
    const ours = await losses('nextquill-code');
    const plain = await losses('sft');
    expect(ours.length).toBeGreaterThan(3);
    for (const [i, loss] of ours.entries()) expect(loss).toBeCloseTo(plain[i]!, 5);
  });
});

describe('nothing is written when', () => {
  const refusal = async (changes: Partial<TrainPairsOptions>) => {
    const run = freshPlace();
    const error = await failureOf(start(run, changes));
    expect(existsSync(run)).toBe(false);
    expect(readdirSync(home).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    return error as Error & { code: string };
  };

  it('there are no examples', async () => {
    const error = await refusal({ pairs: [] });
    expect(error).toBeInstanceOf(DataError);
    expect(error.code).toBe('data/no-examples');
  });

  it('all labels of an example are masked', async () => {
    const pairs = randomPairs(4).map((pair, i) => (i === 2 ? { ...pair, responseIds: [] } : pair));
    const error = await refusal({ pairs });
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain('example 2: response: expected at least one token to learn, got none');
  });

  it('an example is longer than the model allows', async () => {
    const long = { ...randomPairs(1)[0]!, withHistoryIds: new Array<number>(200).fill(5) };
    expect((await refusal({ pairs: [long] })).message).toMatch(/128 positions/);
  });

  it.each<[string, Partial<TrainPairsOptions>]>([
    ['objective', { objective: 'nextquil' as 'nextquill' }],
    ['learningRate', { learningRate: -1 }],
    ['learningRate', { learningRate: Number.NaN }],
    ['batchSize', { batchSize: 0 }],
    ['epochs', { epochs: 1.5 }],
    ['warmupRatio', { warmupRatio: 2 }],
    // It was once taken for a cosine.
    ['schedule', { schedule: 'cosin' as 'cosine' }],
    ['keepCheckpoints', { keepCheckpoints: 0 }],
    ['lora.rank', { lora: { rank: 0, loraAlpha: 1, targetModules: ['q_proj'] } }],
    ['lora.rank', { lora: { rank: 33, loraAlpha: 1, targetModules: ['q_proj'] } }],
    ['lora.dropout', { lora: { rank: 1, loraAlpha: 1, targetModules: ['q_proj'], dropout: 1 } }],
    ['baseBits', { baseBits: 5 as 4 }],
    ['baseBits', { baseBits: 4, lora: undefined as never }],
    ['target modules', { lora: { rank: 1, loraAlpha: 1, targetModules: ['q_prj'] } }],
  ])('%s is wrong: %j', async (name, changes) => {
    const error = await refusal(changes);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(`${name}: expected`);
  });

  it('it is stopped before it begins', async () => {
    expect(await refusal({ signal: AbortSignal.abort() })).toBeInstanceOf(AbortedError);
  });

  it('the folder is in use, which is seen before anything else is looked at', async () => {
    // A hub model was once downloaded, and all prompts made, before the folder was looked at.
    const unread = { ...fresh, out: undisturbed, examples: null as never };
    expect(await failureOf(train(unread))).toMatchObject({ code: 'run/exists' });
  });

  it('threads are more than any machine has use for', async () => {
    expect((await refusal({ threads: 1_000_000 })).code).toBe('config/threads');
  });

  it('the folder is in use', async () => {
    const before = await outcomeOf(undisturbed);
    const error = await failureOf(start(undisturbed));
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toContain(undisturbed);
    expect(await outcomeOf(undisturbed)).toEqual(before);
  });
});

describe('a stopped run', () => {
  it('has a checkpoint of its last step and goes on to the same bits', async () => {
    const run = await stoppedAfter(6);
    expect(await readManifest(run)).toMatchObject({ status: 'stopped', step: 6 });
    expect(readdirSync(join(run, 'checkpoints')).sort()).toEqual(['step-4', 'step-6']);
    const events = await allEvents(resumePairs(run, again));
    expect(events[0]).toMatchObject({ type: 'started', startStep: 6, isResumed: true });
    expect(events.filter((e) => e.type === 'notice')).toEqual([]);
    expect(await outcomeOf(run)).toEqual(expected);
  });

  it('goes on to the same bits with full training, across the border of epochs', async () => {
    const { fresh: full } = await childRun({ method: 'full' });
    const reference = freshPlace();
    await allEvents(trainPairs({ ...full, out: reference }));
    const run = freshPlace();
    for await (const event of trainPairs({ ...full, out: run }))
      if (event.type === 'step' && event.step === 12) break;
    await allEvents(resumePairs(run, again));
    expect(await outcomeOf(run)).toEqual(await outcomeOf(reference));
    expect((await outcomeOf(run)).files).toHaveProperty('model.safetensors');
  });

  it('is stopped in the same way by a caller who stops reading', async () => {
    const run = freshPlace();
    for await (const event of start(run)) if (event.type === 'step' && event.step === 7) break;
    expect(await readManifest(run)).toMatchObject({ status: 'stopped', step: 7 });
    expect(readdirSync(join(run, 'checkpoints'))).toContain('step-7');
  });

  it('goes on from the checkpoint before a damaged one, and says so', async () => {
    const run = await stoppedAfter(10);
    await truncate(join(run, 'checkpoints/step-10/optimizer.safetensors'), 500);
    const events = await allEvents(resumePairs(run, again));
    const notices = events.flatMap((e) => (e.type === 'notice' ? e.notice : []));
    expect(notices).toMatchObject([
      {
        code: 'run/checkpoint-damaged',
        checkpoint: expect.stringMatching(/step-10$/),
        fault: expect.stringMatching(/optimizer\.safetensors: expected \d+ bytes, got 500/),
      },
    ]);
    expect(events.find((e) => e.type === 'started')).toMatchObject({ startStep: 8 });
    expect(await outcomeOf(run)).toEqual(expected);
  });

  it('begins again when every checkpoint is damaged in some way', async () => {
    const run = await stoppedAfter(10);
    const weights = join(run, 'checkpoints/step-10/weights.safetensors');
    const bytes = await readFile(weights);
    bytes[bytes.length - 3]! ^= 1;
    await writeFile(weights, bytes);
    await rm(join(run, 'checkpoints/step-8/state.json'));
    const events = await allEvents(resumePairs(run, again));
    expect(events.filter((e) => e.type === 'notice')).toHaveLength(2);
    expect(events.find((e) => e.type === 'started')).toMatchObject({ startStep: 0, isResumed: true });
    expect(await outcomeOf(run)).toEqual(expected);
  });

  it('cuts steps.jsonl back to the checkpoint, a torn line too, and removes leftovers', async () => {
    const run = await stoppedAfter(6);
    const steps = join(run, 'steps.jsonl');
    const lines = (await readFile(steps, 'utf8')).split('\n');
    await appendFile(steps, `${lines[5]!.replace('"step":6', '"step":7')}\n{"step":8,"lo`);
    await cp(join(run, 'checkpoints/step-6'), join(run, 'checkpoints/.step-8.tmp'), { recursive: true });
    await writeFile(join(run, 'manifest.json.1-00.tmp'), '{');
    await allEvents(resumePairs(run, again));
    expect(await outcomeOf(run)).toEqual(expected);
    expect([...readdirSync(run), ...readdirSync(join(run, 'checkpoints'))].join()).not.toContain('.tmp');
  });

  it('warns when it goes on with another number of threads, and records it', async () => {
    const run = await stoppedAfter(20);
    const events = await allEvents(resumePairs(run, { ...again, threads: 2 }));
    expect(events.flatMap((e) => (e.type === 'notice' ? e.notice : []))).toEqual([
      { code: 'run/environment-changed', name: 'threads', before: '1', now: '2' },
    ]);
    expect((await readManifest(run)).machine.threads).toBe(2);
  });

  it('is refused with other data or another model, by what has changed', async () => {
    const run = await stoppedAfter(2);
    const changed = again.pairs.map((pair, i) => (i === 5 ? { ...pair, responseIds: [9, 2] } : pair));
    const data = await failureOf(resumePairs(run, { ...again, pairs: changed }));
    expect(data).toBeInstanceOf(CheckpointError);
    expect((data as Error).message).toMatch(/1 changed, such as "5"/);
    const fewer = await failureOf(resumePairs(run, { ...again, pairs: again.pairs.slice(1) }));
    expect((fewer as Error).message).toContain('expected 48 examples, got 47');
    const model = await failureOf(resumePairs(run, { ...again, model: { ...again.model, hash: 'other' } }));
    expect(model).toBeInstanceOf(CheckpointError);
    expect((model as Error).message).toContain('config or weights');
  });

  it('is refused where there is no run, or a broken manifest', async () => {
    const nothing = await failureOf(resumePairs(freshPlace(), again));
    expect(nothing).toBeInstanceOf(CheckpointError);
    const run = await stoppedAfter(2);
    await truncate(join(run, 'manifest.json'), 100);
    const broken = await failureOf(resumePairs(run, again));
    expect(broken).toBeInstanceOf(CheckpointError);
    expect((broken as Error).message).toContain('manifest.json: expected JSON');
  });
});

it('a finished run gives its summary again and trains no more', async () => {
  const events = await allEvents(resumePairs(undisturbed, again));
  expect(events).toEqual([
    { type: 'done', summary: { run: undisturbed, ...(await readManifest(undisturbed)).summary } },
  ]);
});

// The summary named the folder that the run was trained in.
it('a finished run that was moved names its new place', async () => {
  const moved = freshPlace();
  await cp(undisturbed, moved, { recursive: true });
  const [done] = await allEvents(resumePairs(moved, again));
  expect(Object.values((done as { summary: object }).summary)).toContain(join(moved, 'adapter'));
  expect(JSON.stringify(done)).not.toContain(undisturbed);
});

it('a loss that is no number stops the run with its step and reason, and leaves the last checkpoint whole', async () => {
  const run = freshPlace();
  const diverging = { learningRate: 1e18, warmupRatio: 1, maxGradientNorm: 1e9, checkpointEvery: 1 };
  const error = (await failureOf(start(run, diverging))) as EngineError;
  expect(error).toBeInstanceOf(EngineError);
  expect(error.code).toMatch(/^training\/nan-(loss|gradient)$/);
  const manifest = await readManifest(run);
  expect(manifest.status).toBe('failed');
  expect(manifest.reason).toBe(error.message);
  expect(error.message).toMatch(new RegExp(`^step ${manifest.step! + 1}: `));
  for (const name of readdirSync(join(run, 'checkpoints')))
    expect(await faultOf(join(run, 'checkpoints', name), Number(name.slice(5)))).toBeUndefined();
  expect(existsSync(join(run, 'adapter'))).toBe(false);
});
