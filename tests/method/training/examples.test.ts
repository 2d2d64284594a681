/** @file Training on examples, from texts to an adapter that says how its prompts were made, and resuming by names alone. */
import { existsSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointError, ConfigError, DataError, WeightsError } from '../../../src/base/errors.ts';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import type { Example } from '../../../src/method/data/example.ts';
import { readManifest } from '../../../src/method/runs/manifest.ts';
import type { TrainEvent } from '../../../src/method/runs/run.ts';
import { readRunInfo } from '../../../src/method/runs/run-info.ts';
import { resume, type TrainOptions, train } from '../../../src/method/runs/train.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { allEvents, outcomeOf } from '../../support/train-runs.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-examples-'));
const folder = join(home, 'model');
await writeModelFolder(folder);
const model = await loadModel(folder);
const examples = simulate({ users: 12, seed: 3, historyItems: 2 });
const options: Omit<TrainOptions, 'out'> = {
  model,
  modelSource: folder,
  examples,
  dataSource: 'simulated',
  objective: 'nextquill-code',
  lora: { rank: 2, loraAlpha: 4, targetModules: ['q_proj', 'v_proj'] },
  batchSize: 2,
  gradientAccumulation: 2,
  threads: 1,
  checkpointEvery: 2,
};
const opening = (found: readonly Example[], at = folder) => ({
  open: { model: () => loadModel(at), examples: async () => found },
});
const failureOf = (events: AsyncIterable<TrainEvent>) =>
  allEvents(events).then(
    () => undefined,
    (error: unknown) => error as Error,
  );

const whole = join(home, 'whole');
await allEvents(train({ ...options, out: whole }));

/** A run of which one step is done. */
async function begun(name: string, changes: Partial<TrainOptions> = {}): Promise<string> {
  const run = join(home, name);
  for await (const event of train({ ...options, ...changes, out: run })) if (event.type === 'step') break;
  return run;
}

describe('training on examples', () => {
  it('records their ids, the prompt settings and both hashes', async () => {
    const { data, recipe, model: recorded } = await readManifest(whole);
    expect(data.examples).toEqual(examples.map(({ id }) => id));
    expect(recipe.prompt).toEqual({
      template: 'default',
      reference: 'removed',
      maxTokens: 1024,
      maxHistory: 8,
    });
    expect(recorded).toEqual({ source: folder, hash: model.hash, tokenizerHash: model.tokenizer.hash });
  });

  it('gives an adapter that loads and says how its prompts were made', async () => {
    const adapter = join(whole, 'adapter');
    const loaded = await loadAdapter(adapter, model);
    expect(loaded.warnings).toEqual([]);
    expect(loaded.lora).toEqual(options.lora);
    expect(await readRunInfo(adapter)).toMatchObject({
      objective: 'nextquill-code',
      tokenizerHash: model.tokenizer.hash,
      prompt: { template: 'default', reference: 'removed', maxTokens: 1024, maxHistory: 8 },
    });
  });

  it('gives a whole model that opens again, with its tokenizer', async () => {
    const { lora: _, ...full } = options;
    const run = join(home, 'full');
    const events = await allEvents(train({ ...full, out: run, maxSteps: 1 }));
    const done = events.at(-1)!;
    const trained = await loadModel(join(run, 'weights'));
    expect(done).toMatchObject({ type: 'done', summary: { weights: join(run, 'weights'), steps: 1 } });
    expect(trained.tokenizer.hash).toBe(model.tokenizer.hash);
    // Of the same shape, but not the same model.
    expect(trained.hash).not.toBe(model.hash);
  });

  it('takes the train rows only where there are splits', async () => {
    const split = examples.map((example, i) => ({
      ...example,
      split: i < 4 ? ('test' as const) : ('train' as const),
    }));
    const run = await begun('split', { examples: split });
    expect((await readManifest(run)).data.examples).toEqual(split.slice(4).map(({ id }) => id));
  });

  it('makes prompts of the examples alone that its steps can see, drawn by the seed, and goes on with the same', async () => {
    const short = { maxSteps: 2, gradientAccumulation: 1 };
    const idsOf = async (name: string, seed: number) =>
      (await readManifest(await begun(name, { ...short, seed }))).data.examples;
    const ids = await idsOf('short', 0);
    expect(ids).toHaveLength(4);
    expect(ids).toEqual(examples.map(({ id }) => id).filter((id) => ids.includes(id)));
    expect(await idsOf('short-1', 1)).not.toEqual(ids);
    const events = await allEvents(resume(join(home, 'short'), opening(examples)));
    expect(events.at(-1)).toMatchObject({ type: 'done', summary: { steps: 2 } });
  });

  it('shows another user of the data in place of the history, where the reference value is a placebo', async () => {
    const removed = await readManifest(await begun('removed'));
    const placebo = await readManifest(await begun('placebo', { prompt: { reference: 'placebo' } }));
    expect(placebo.recipe.prompt!.reference).toBe('placebo');
    expect(placebo.data.hash).toBe(removed.data.hash);
    expect(placebo.data.promptsHash).not.toBe(removed.data.promptsHash);
  });

  it.each<[string, Partial<TrainOptions>, new (...given: never[]) => Error]>([
    ['there are no examples', { examples: [] }, DataError],
    ['a prompt does not fit even without history', { prompt: { maxTokens: 10 } }, DataError],
    ['prompts may be longer than the model allows', { prompt: { maxTokens: 1025 } }, ConfigError],
    ['the template is unknown', { prompt: { template: 'none' } }, ConfigError],
    [
      'there are splits without train rows',
      { examples: examples.map((e) => ({ ...e, split: 'test' })) },
      DataError,
    ],
  ])('writes nothing when %s', async (_, changes, kind) => {
    const run = join(home, 'refused');
    expect(await failureOf(train({ ...options, ...changes, out: run }))).toBeInstanceOf(kind);
    expect(existsSync(run)).toBe(false);
  });
});

describe('resuming by names alone', () => {
  it('picks the run’s examples out of what the source holds, and ends with the same bits', async () => {
    const run = await begun('resumed');
    const more = [...simulate({ users: 3, seed: 9 }), ...examples.toReversed()];
    await allEvents(resume(run, opening(more)));
    expect(await outcomeOf(run)).toEqual(await outcomeOf(whole));
  });

  it('is refused when an example has changed or is gone, by its id', async () => {
    const run = await begun('changed');
    const other = examples.map((e, i) => (i === 3 ? { ...e, response: `${e.response} More.` } : e));
    const changed = await failureOf(resume(run, opening(other)));
    expect(changed).toBeInstanceOf(CheckpointError);
    expect(changed!.message).toContain(`1 changed, such as ${JSON.stringify(examples[3]!.id)}`);
    const gone = await failureOf(resume(run, opening(examples.slice(1))));
    expect(gone).toBeInstanceOf(CheckpointError);
    expect(gone!.message).toContain(JSON.stringify(examples[0]!.id));
  });

  it('is refused when the weights are others of the same shape', async () => {
    const run = await begun('other-model');
    const other = join(home, 'other-weights');
    await writeModelFolder(other, 1);
    const error = await failureOf(resume(run, opening(examples, other)));
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error!.message).toContain('config or weights');
  });
});

it('information that is damaged is refused by its file', async () => {
  await writeFile(join(home, 'nextquill.json'), '{"formatVersion": 1, "objective": "sft", "prompt": {}}');
  await expect(readRunInfo(home)).rejects.toThrow(WeightsError);
  await writeFile(join(home, 'nextquill.json'), '{"formatVersion": 1, "obj');
  await expect(readRunInfo(home)).rejects.toThrow(/nextquill\.json: expected JSON/);
});
