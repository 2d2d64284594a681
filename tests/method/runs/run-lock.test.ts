/** @file Two processes never work on one run, and a killed one is in nobody's way. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../../src/base/errors.ts';
import { lockRun } from '../../../src/method/runs/run-lock.ts';
import { resumePairs, trainPairs } from '../../../src/method/runs/train.ts';
import { allEvents, childRun } from '../../support/train-runs.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-lock-'));
const place = () => mkdtemp(join(home, 'run-'));
const locks = (run: string) => readdirSync(run).filter((name) => name.startsWith('.lock-'));

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: CheckpointError) => error.code,
  );

/** A process that waits to be killed. */
async function stranger() {
  const child = spawn(process.execPath, ['-e', 'console.log(1); process.stdin.resume()']);
  await once(child.stdout, 'data');
  const kill = async () => {
    child.kill('SIGKILL');
    await once(child, 'close');
  };
  return { pid: child.pid!, kill };
}

/** A lock as this process writes it, rewritten as that of another. */
async function lockOf(run: string, pid: number, changes: object): Promise<void> {
  await using lock = await lockRun(run);
  const own = JSON.parse(await readFile(lock.path, 'utf8')) as object;
  await writeFile(join(run, `.lock-${pid}-00000000`), JSON.stringify({ ...own, pid, ...changes }));
}

describe('a run', () => {
  it('that is being trained is not resumed a second time, and leaves no lock behind', async () => {
    const { fresh, again } = await childRun({ method: 'lora' });
    const run = join(home, 'trained');
    const events = trainPairs({ ...fresh, out: run, maxSteps: 2 });
    expect((await events.next()).value).toMatchObject({ type: 'started' });
    const refused = await allEvents(resumePairs(run, again)).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CheckpointError);
    expect((refused as CheckpointError).code).toBe('run/locked');
    expect((refused as Error).message).toContain(`process ${process.pid} is training`);
    await allEvents(events);
    expect(locks(run)).toEqual([]);
  });

  it('is taken once by each of two who come at the same moment, or by none', async () => {
    const run = await place();
    const outcomes = await Promise.allSettled([lockRun(run), lockRun(run)]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(2);
  });

  it('is free again when its process was killed', async () => {
    const run = await place();
    const other = await stranger();
    await lockOf(run, other.pid, { began: undefined });
    expect(await codeOf(lockRun(run))).toBe('run/locked');
    await other.kill();
    await using lock = await lockRun(run);
    expect(await readdir(run)).toEqual([lock.path.split('/').at(-1)]);
  });

  it('is free when the id of its process belongs to a later one', async () => {
    const run = await place();
    const other = await stranger();
    await lockOf(run, other.pid, { began: 'another time' });
    await writeFile(join(run, `.lock-${process.pid}-11111111`), '{"pi');
    expect(await codeOf(lockRun(run))).toBe(process.platform === 'linux' ? 'no error' : 'run/locked');
    await other.kill();
  });

  it('on a disk shared with another machine is refused with the file to remove', async () => {
    const run = await place();
    await lockOf(run, 1, { host: 'elsewhere' });
    const error = await lockRun(run).catch((cause: unknown) => cause as CheckpointError);
    expect(error).toMatchObject({
      code: 'run/locked',
      message: expect.stringContaining('process 1 on elsewhere'),
    });
    expect((error as CheckpointError).hint).toContain(join(run, '.lock-1-00000000'));
  });
});
