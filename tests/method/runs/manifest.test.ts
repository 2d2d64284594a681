/** @file What a manifest may hold: each wrong value is refused by its key, before anything is opened. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../../src/base/errors.ts';
import { MOST_THREADS } from '../../../src/base/threads.ts';
import { type Manifest, readManifest } from '../../../src/method/runs/manifest.ts';
import { resume } from '../../../src/method/runs/train.ts';
import { exampleManifest, readAsResume } from '../../support/run-mutations.ts';

const run = await mkdtemp(join(tmpdir(), 'nextquill-manifest-'));
const write = (manifest: unknown) => writeFile(join(run, 'manifest.json'), JSON.stringify(manifest));

/** The manifest with one dotted key set, or removed where the value is undefined. */
function changed(key: string, value: unknown): Manifest {
  const manifest = structuredClone(exampleManifest);
  const names = key.split('.');
  const last = names.pop()!;
  const group = names.reduce<Record<string, unknown>>(
    (at, name) => at[name] as Record<string, unknown>,
    manifest as unknown as Record<string, unknown>,
  );
  group[last] = value;
  return manifest;
}

describe('a manifest', () => {
  it('is read as it was written', async () => {
    await write(exampleManifest);
    expect(await readManifest(run)).toEqual(exampleManifest);
    await readAsResume(run);
  });

  it('of a version before checkpoints by time is taken', async () => {
    await write(changed('recipe.checkpointMinutes', undefined));
    await readAsResume(run);
  });

  // Each was once a TypeError, or accepted.
  it.each([
    ['data.examples', 5],
    ['data.exampleHashes', 'x'],
    ['recipe.objective', 'zzz'],
    ['recipe.objective', 'nextquill'],
    ['recipe.objectiveOptions', null],
    ['recipe.objectiveOptions', { plainWeight: 'x' }],
    ['recipe.batchSize', 0],
    ['recipe.batchSize', null],
    ['recipe.lora.targetModules', null],
    ['recipe.lora', 5],
    ['recipe.seed', null],
    ['recipe.prompt.reference', 'zzz'],
    ['totalSteps', 'x'],
    ['versions', null],
    ['machine', 'x'],
    ['machine.device', 'gpu'],
    ['machine.device', 'auto'],
    ['summary', []],
    ['model', null],
    ['formatVersion', 2],
  ])('is refused by the key %s when it is %j', async (key, value) => {
    await write(changed(key, value));
    const error = await readManifest(run).catch((caught: unknown) => caught as CheckpointError);
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error).toMatchObject({ code: 'run/manifest', message: expect.stringContaining(`${key}: `) });
  });

  it('that asks for more threads than any machine has use for is refused, unless others are given', async () => {
    await write(changed('recipe.threads', 1_000_000));
    const open = {
      model: () => Promise.reject(new Error('opened')),
      examples: () => Promise.reject(new Error('read')),
    };
    const first = (threads?: number) => resume(run, { open, ...(threads && { threads }) }).next();
    await expect(first()).rejects.toMatchObject({ code: 'config/threads' });
    await expect(first(MOST_THREADS + 1)).rejects.toMatchObject({ code: 'config/threads' });
    await expect(first(1)).rejects.toThrow('opened');
  });
});
