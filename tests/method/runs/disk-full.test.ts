/** @file A disk that is full stops a run with its reason, keeps the last checkpoint whole, and lets it go on later. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { mkdtemp, open, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EngineError } from '../../../src/base/errors.ts';
import { checkpointSteps, faultOf } from '../../../src/method/runs/checkpoint.ts';
import { readManifest } from '../../../src/method/runs/manifest.ts';
import { resumePairs, trainPairs } from '../../../src/method/runs/train.ts';
import { privateMount } from '../../support/private-mount.ts';
import { allEvents, childRun, outcomeOf } from '../../support/train-runs.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-disk-'));
const script = resolve(import.meta.dirname, '../../support/train-child.ts');
const node = process.execPath;
const child = `"${node}" --import tsx "${script}"`;
const full = JSON.stringify({ method: 'full' });

/** The run's checkpoints, each proven whole. */
async function wholeCheckpoints(run: string): Promise<number[]> {
  const steps = await checkpointSteps(run);
  for (const step of steps)
    expect(await faultOf(join(run, 'checkpoints', `step-${step}`), step)).toBeUndefined();
  return steps;
}

async function undisturbed() {
  const run = join(home, 'undisturbed');
  if (!existsSync(run))
    await allEvents(trainPairs({ ...(await childRun({ method: 'full' })).fresh, out: run }));
  return outcomeOf(run);
}

const lastEvent = (output: string) => JSON.parse(output.trim().split('\n').at(-1)!);

describe('a real file system that is too small', async () => {
  const mounted = privateMount('training on a full tmpfs');

  it.skipIf(mounted === undefined)(
    'stops the run at a checkpoint; after making room it ends with the same bits',
    async () => {
      const disk = join(home, 'disk');
      const copies = join(home, 'copies');
      mkdirSync(disk);
      mkdirSync(copies);
      const shell = `
      mount -t tmpfs -o size=640k none "${disk}" || exit 99
      ${child} "${disk}/run" '${full}' > "${copies}/first.jsonl"; echo "$?" > "${copies}/first.code"
      cp -r "${disk}/run" "${copies}/failed"
      mount -o remount,size=8m "${disk}" || exit 98
      ${child} "${disk}/run" '${full}' > "${copies}/second.jsonl"; echo "$?" > "${copies}/second.code"
      cp -r "${disk}/run" "${copies}/finished"
    `;
      mounted!(shell);
      const read = (name: string) => readFile(join(copies, name), 'utf8');
      expect((await read('first.code')).trim()).toBe('1');
      const failure = lastEvent(await read('first.jsonl'));
      expect(failure).toMatchObject({ type: 'error', code: 'training/disk-full' });
      expect(failure.message).toContain(join(disk, 'run/checkpoints'));
      expect(await wholeCheckpoints(join(copies, 'failed'))).toEqual([8, 4]);
      expect(readdirSync(join(copies, 'failed/checkpoints')).sort()).toEqual(['step-4', 'step-8']);
      expect(await readManifest(join(copies, 'failed'))).toMatchObject({
        status: 'failed',
        step: 12,
        reason: expect.stringContaining('full'),
      });
      expect((await read('second.code')).trim()).toBe('0');
      expect((await read('second.jsonl')).split('\n')[0]).toContain('"startStep":8');
      expect(await outcomeOf(join(copies, 'finished'))).toEqual(await undisturbed());
    },
  );
});

it('a limit on the size of files stops the run before its first checkpoint, and leaves no part of it', async () => {
  const run = join(home, 'limited');
  // In blocks of 512 bytes: room for the weights (80 kB), not for both moments.
  const { status, stdout } = spawnSync('sh', ['-c', `ulimit -f 200; exec ${child} "${run}" '${full}'`], {
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(lastEvent(stdout)).toMatchObject({ type: 'error', code: 'training/disk-full' });
  expect(readdirSync(join(run, 'checkpoints'))).toEqual([]);
  expect(await readManifest(run)).toMatchObject({ status: 'failed', step: 4 });
  await allEvents(resumePairs(run, (await childRun({ method: 'full' })).again));
  expect(await outcomeOf(run)).toEqual(await undisturbed());
});

describe('a write that fails', () => {
  afterEach(() => vi.restoreAllMocks());

  it('inside a line of steps.jsonl leaves the lines before it, and the run goes on from its checkpoint', async () => {
    const run = join(home, 'torn');
    const { fresh, again } = await childRun({ method: 'full' });
    const handle = await open(import.meta.filename);
    const prototype = Object.getPrototypeOf(handle) as typeof handle;
    await handle.close();
    const write = prototype.write as (bytes: Uint8Array, offset: number, length: number) => Promise<unknown>;
    vi.spyOn(prototype, 'write').mockImplementation(async function (
      this: typeof handle,
      ...given: unknown[]
    ) {
      const [bytes, offset, length] = given as [Uint8Array, number, number];
      const text = Buffer.from(bytes).toString();
      if (!text.startsWith('{"step":6,')) return write.call(this, bytes, offset, length);
      // Half of the line finds room, the rest does not.
      if (offset === 0) return write.call(this, bytes, 0, length >> 1);
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
        code: 'ENOSPC',
        syscall: 'write',
      });
    } as never);
    const failure = await allEvents(trainPairs({ ...fresh, out: run })).then(
      () => undefined,
      (error: unknown) => error as EngineError,
    );
    vi.restoreAllMocks();
    expect(failure).toBeInstanceOf(EngineError);
    expect(failure!.code).toBe('training/disk-full');
    expect(failure!.message).toContain('steps.jsonl');
    expect((await readFile(join(run, 'steps.jsonl'), 'utf8')).trimEnd().split('\n')).toHaveLength(5);
    expect(await wholeCheckpoints(run)).toEqual([4]);
    await allEvents(resumePairs(run, again));
    expect(await outcomeOf(run)).toEqual(await undisturbed());
  });
});
