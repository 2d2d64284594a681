/**
 * @file A process that trains, to be killed: `node --import tsx train-child.ts RUN OPTIONS`, where RUN is resumed when it is there.
 * Prints each event as a line of JSON; Ctrl-C stops it as it stops the command line.
 */
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { exitCodeOf } from '../../src/base/errors.ts';
import { resumePairs, trainPairs } from '../../src/method/runs/train.ts';
import { type ChildOptions, childRun } from './train-runs.ts';

const [run, json] = process.argv.slice(2);
const options = JSON.parse(json!) as ChildOptions;
if (options.flushMilliseconds !== undefined) await slowFlushes(options.flushMilliseconds);
const controller = new AbortController();
process.on('SIGINT', () => controller.abort());
const { signal } = controller;

try {
  const { fresh, again } = await childRun(options);
  const events = existsSync(run!)
    ? resumePairs(run!, { ...again, signal })
    : trainPairs({ ...fresh, out: run!, signal });
  for await (const event of events) {
    process.stdout.write(`${JSON.stringify(event)}\n`);
    if (options.stepMilliseconds !== undefined) await sleep(options.stepMilliseconds);
  }
} catch (error) {
  process.stdout.write(
    `${JSON.stringify({ type: 'error', code: (error as { code?: string }).code, message: String(error) })}\n`,
  );
  process.exitCode = exitCodeOf(error);
}

/** A disk that takes its time, so that a kill can be aimed into the middle of a checkpoint. */
async function slowFlushes(milliseconds: number): Promise<void> {
  const handle = await open(import.meta.filename);
  const prototype = Object.getPrototypeOf(handle) as { sync(): Promise<void> };
  await handle.close();
  const { sync } = prototype;
  prototype.sync = async function () {
    await sleep(milliseconds);
    return sync.call(this);
  };
}
