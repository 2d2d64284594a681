/** @file One adapter for each user in one process: each equals a run on that user alone; killed, resumed, named, refused. */
import { cpSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import type { Example } from '../../../src/method/data/example.ts';
import { textsOfUsers } from '../../../src/method/data/user-texts.ts';
import { train } from '../../../src/method/runs/train.ts';
import {
  resumeUsers,
  type TrainUsersOptions,
  trainUsers,
  type UsersEvent,
  type UsersSummary,
} from '../../../src/method/runs/train-users.ts';
import {
  adapterFolder,
  type UsersManifest,
  userFolders,
  userRun,
} from '../../../src/method/runs/users-folder.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { allEvents, outcomeOf } from '../../support/train-runs.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-users-'));
const folder = join(home, 'model');
await writeModelFolder(folder);
const model = await loadModel(folder, join(home, 'cache'));
const simulated = simulate({ users: 3, seed: 5, historyItems: 4 });
// Three users, the first with two rows and a name that no folder can have.
const examples: readonly Example[] = [
  { ...simulated[0]!, user: 'Ann/Lee' },
  { ...simulated[1]!, user: 'bob' },
  { ...simulated[2]!, user: 'cy' },
  { ...simulate({ users: 1, seed: 9, historyItems: 4 })[0]!, user: 'Ann/Lee' },
];
const shared: Omit<TrainUsersOptions, 'out'> = {
  model,
  modelSource: folder,
  dataSource: 'simulated',
  examples,
  texts: 'history',
  objective: 'sft',
  lora: { rank: 2, loraAlpha: 4, targetModules: ['q_proj', 'v_proj'], dropout: 0.1 },
  learningRate: 1e-2,
  batchSize: 2,
  gradientAccumulation: 1,
  epochs: 2,
  checkpointEvery: 2,
  seed: 3,
  threads: 1,
};
let runs = 0;
const freshPlace = () => join(home, `run-${runs++}`);
const open = { model: async () => model, examples: async () => examples };

async function summaryOf(events: AsyncGenerator<UsersEvent, UsersSummary>) {
  const seen: UsersEvent[] = [];
  for (;;) {
    const { value, done } = await events.next();
    if (done) return { summary: value, seen };
    seen.push(value);
  }
}

const whole = freshPlace();
const { summary, seen } = await summaryOf(trainUsers({ ...shared, out: whole }));
const foldersOf = (run: string) => join(run, 'users');
const userFolder = ({ users }: UsersManifest, run: string, name: string) =>
  userRun(run, users.find(({ user }) => user === name)!.folder);

describe('adapters of many users', () => {
  it.each(['rows', 'history'] as const)('by %s equal those of runs on each user alone', async (texts) => {
    const out = texts === 'history' ? whole : freshPlace();
    if (texts === 'rows') await summaryOf(trainUsers({ ...shared, texts, out }));
    for (const [user, own] of textsOfUsers(examples, texts)) {
      const { texts: _, ...alone } = shared;
      const single = freshPlace();
      await allEvents(train({ ...alone, examples: own, out: single }));
      const [ours, theirs] = [
        await loadAdapter(await adapterFolder(join(foldersOf(out), user)), model),
        await loadAdapter(join(single, 'adapter'), model),
      ];
      expect(ours.lora).toEqual(theirs.lora);
      for (const [name, { data }] of Object.entries(theirs.tensors)) {
        expect(
          Math.max(...data.map((value, i) => Math.abs(value - ours.tensors[name]!.data[i]!))),
          name,
        ).toBeLessThan(1e-6);
        if (name.includes('lora_B')) expect(data.some((value) => value !== 0)).toBe(true);
      }
    }
  });

  it('differ from user to user, and are told one after the other', () => {
    const turns = seen.flatMap((event) =>
      event.type === 'user' ? [[event.user, event.place, event.users]] : [],
    );
    expect(turns).toEqual([
      ['Ann/Lee', 1, 3],
      ['bob', 2, 3],
      ['cy', 3, 3],
    ]);
    expect(summary.adapters.map(({ user }) => user)).toEqual(['Ann/Lee', 'bob', 'cy']);
    // Eight items of the first user, four of each other; two a step, twice over.
    expect(summary.adapters.map(({ steps }) => steps)).toEqual([8, 4, 4]);
    expect(summary.steps).toBe(16);
    expect(summary.tokens).toBeGreaterThan(1000);
    const weights = summary.adapters.map(({ adapter }) =>
      readFileSync(join(adapter, 'adapter_model.safetensors'), 'base64'),
    );
    expect(new Set(weights).size).toBe(3);
  });

  it('are the same after a stop within a user; finished users are not touched', async () => {
    const stopped = freshPlace();
    const events = trainUsers({ ...shared, out: stopped });
    for await (const event of events)
      if (event.type === 'step' && event.step === 3 && event.totalSteps === 4) break;
    const places = (await readdir(foldersOf(stopped))).sort();
    expect(places).toHaveLength(2);
    const finished = join(foldersOf(stopped), places[0]!, 'adapter/adapter_model.safetensors');
    const { mtimeMs } = statSync(finished);
    const again = await summaryOf(resumeUsers(stopped, { open }));
    expect(again.seen.flatMap((event) => (event.type === 'user' ? event.isFinished : []))).toEqual([
      true,
      false,
      false,
    ]);
    expect(again.seen.find((event) => event.type === 'started')).toMatchObject({
      isResumed: true,
      startStep: 3,
    });
    expect(statSync(finished).mtimeMs).toBe(mtimeMs);
    for (const place of await readdir(foldersOf(whole)))
      expect(await outcomeOf(join(foldersOf(stopped), place))).toEqual(
        await outcomeOf(join(foldersOf(whole), place)),
      );
    expect(again.summary.adapters).toEqual(
      summary.adapters.map((each) => ({ ...each, adapter: each.adapter.replace(whole, stopped) })),
    );
    const third = await summaryOf(resumeUsers(stopped, { open }));
    expect(third.seen.every((event) => event.type === 'user' && event.isFinished)).toBe(true);
    expect(third.summary.adapters).toEqual(again.summary.adapters);
  });

  it('measure their loss on the held-out rows of their own user, where there are some', async () => {
    const held = { ...simulated[1]!, id: 'held', user: 'bob', split: 'validation' as const };
    const split = examples.map((example) => ({ ...example, split: 'train' as const }));
    const out = freshPlace();
    const run = { ...shared, examples: [...split, held], epochs: 1, evalEvery: 1, evalExamples: 4, out };
    const measured = (await summaryOf(trainUsers(run))).seen;
    let user = '';
    const users = measured.flatMap((event) => {
      if (event.type === 'user') user = event.user;
      return event.type === 'evaluation' ? user : [];
    });
    expect(users).toEqual(['bob', 'bob']);
    // The best step is that of each user alone; those whose best one is not known are told of.
    const kept = await summaryOf(trainUsers({ ...run, keepBest: true, out: freshPlace() }));
    expect(kept.summary.adapters.map(({ best }) => best?.step !== undefined)).toEqual([false, true, false]);
    expect(kept.seen.flatMap((event) => (event.type === 'notice' ? event.notice : []))).toContainEqual({
      ...{ code: 'users/no-validation', count: 2, total: 3, user: 'Ann/Lee' },
    });
  });

  it('are none for users without texts, who are told of; without any such user there is no run', async () => {
    // Such users were once left out without a word.
    const mute = { ...simulated[0]!, user: 'mute', history: [] };
    const run = { ...shared, examples: [...examples, mute], maxSteps: 1, out: freshPlace() };
    const { seen: told, summary: most } = await summaryOf(trainUsers(run));
    expect(told.flatMap((event) => (event.type === 'notice' ? event.notice : []))).toContainEqual({
      code: 'users/no-texts',
      count: 1,
      total: 4,
      user: 'mute',
    });
    expect(most.adapters).toHaveLength(3);
    const out = freshPlace();
    const none = trainUsers({ ...shared, examples: [mute], out });
    await expect(summaryOf(none)).rejects.toMatchObject({ code: 'data/no-examples' });
    expect(existsSync(out)).toBe(false);
  });

  it('are found by the user’s name, and a run of many is no adapter', async () => {
    expect(await adapterFolder(join(whole, 'users/Ann/Lee'))).toBe(summary.adapters[0]!.adapter);
    expect(await adapterFolder(join(whole, 'users/bob'))).toBe(summary.adapters[1]!.adapter);
    await expect(adapterFolder(whole)).rejects.toMatchObject({ code: 'adapter/which-user' });
    await expect(adapterFolder(join(whole, 'users/bobb'))).rejects.toMatchObject({
      code: 'adapter/unknown-user',
      hint: 'Did you mean "bob"?',
    });
    expect(await adapterFolder('no-run')).toBe('no-run');
  });

  it('refuse data that have changed, and settings that need other users', async () => {
    const changed = examples.map((example) => ({ ...example, history: example.history.slice(1) }));
    const resumed = resumeUsers(whole, { open: { ...open, examples: async () => changed } });
    await expect(summaryOf(resumed)).rejects.toMatchObject({ code: 'run/data-changed' });
    const refused = (changes: Partial<TrainUsersOptions>) => {
      const out = freshPlace();
      return expect(summaryOf(trainUsers({ ...shared, ...changes, out }))).rejects;
    };
    const { lora: _, ...full } = shared;
    const out = freshPlace();
    await expect(summaryOf(trainUsers({ ...full, out }))).rejects.toMatchObject({ code: 'users/full' });
    await refused({ objective: 'mipo' }).toMatchObject({ code: 'users/others' });
    await refused({ prompt: { reference: 'placebo' } }).toMatchObject({ code: 'users/others' });
    expect(existsSync(out)).toBe(false);
    const inUse = trainUsers({ ...shared, out: whole });
    await expect(summaryOf(inUse)).rejects.toMatchObject({ code: 'run/exists' });
  });

  it('without a user who leaves name the user nowhere, and the run of the others stays one', async () => {
    const left = freshPlace();
    cpSync(whole, left, { recursive: true });
    const path = join(left, 'users.json');
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as UsersManifest;
    // As docs/guide/forgetting.md says: the folder, the entry, and the texts in the data.
    rmSync(userFolder(manifest, left, 'bob'), { recursive: true });
    const users = manifest.users.filter(({ user }) => user !== 'bob');
    writeFileSync(path, JSON.stringify({ ...manifest, users }));
    for (const name of await readdir(left, { recursive: true })) {
      expect(name).not.toMatch(/bob/i);
      const file = join(left, name);
      if (statSync(file).isFile()) expect(readFileSync(file).includes('bob'), name).toBe(false);
    }
    const rest = async () => examples.filter(({ user }) => user !== 'bob');
    const { summary: after } = await summaryOf(resumeUsers(left, { open: { ...open, examples: rest } }));
    expect(after.adapters.map(({ user, steps }) => [user, steps])).toEqual([
      ['Ann/Lee', 8],
      ['cy', 4],
    ]);
  });

  it('refuse a damaged users.json by its key', async () => {
    const damaged = join(home, 'damaged');
    renameSync(whole, damaged);
    const path = join(damaged, 'users.json');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('"history"', '"texts"'));
    await expect(summaryOf(resumeUsers(damaged, { open }))).rejects.toMatchObject({
      code: 'run/users',
      message: expect.stringContaining('texts'),
    });
    writeFileSync(path, text);
    renameSync(damaged, whole);
  });
});

it('folders have names that any system takes, and no two users share one', () => {
  const names = [...userFolders(['ann', 'Ann', 'a b', 'con', '../x', '', 'é'.repeat(300), 'u_1-2']).values()];
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z0-9_.-]{1,64}$/);
  expect(userFolders(['u_1-2', 'bob'])).toEqual(
    new Map([
      ['u_1-2', 'u_1-2'],
      ['bob', 'bob'],
    ]),
  );
});
