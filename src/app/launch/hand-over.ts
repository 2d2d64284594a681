/** @file A run that somebody else's machines work on: recorded in its folder, and followed by its events from anywhere. */
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AbortedError } from '../../base/errors.ts';
import { HANDED_OVER } from '../../method/runs/step-engine.ts';
import { EVENTS_FILE, SPEC } from './spec-folder.ts';
import type { LaunchName } from './torch-choices.ts';
import {
  parseEvent,
  readEnd,
  stoppedError,
  type WorkerEnd,
  type WorkerEvent,
  workerError,
} from './worker-run.ts';

/** `spec/launch.json`: there while a run is not this machine's. */
export interface HandOver {
  readonly launch: Exclude<LaunchName, 'torchrun'>;
  /** Of Slurm. */
  readonly job?: string;
}

const HAND_OVER_FILE = 'launch.json';

export async function writeHandOver(run: string, handOver: HandOver): Promise<void> {
  await writeFile(join(run, SPEC, HAND_OVER_FILE), `${JSON.stringify(handOver)}\n`);
}

/** Whom a run was given to; undefined for one of this machine. */
export async function readHandOver(run: string): Promise<HandOver | undefined> {
  const text = await readFile(join(run, SPEC, HAND_OVER_FILE), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as HandOver);
}

/** Ends a training here that goes on elsewhere. */
export const handedOver = (message: string, hint: string): AbortedError =>
  new AbortedError(message, { code: HANDED_OVER, hint });

/**
 * Yields the events of a run as they are written, from the first, until it has ended.
 * @returns its end, of status `done`
 * @throws {AbortedError} `run/handed-over` when the signal says so: the run goes on
 * @throws as `workerEvents` where it has stopped or failed
 */
export async function* followedEvents(
  run: string,
  signal?: AbortSignal,
  pollMilliseconds = 1000,
): AsyncGenerator<WorkerEvent, WorkerEnd> {
  let read = 0;
  for (;;) {
    // Before the events: those that were written until then are read below.
    const end = await readEnd(run);
    const { lines, bytes } = await newLines(join(run, SPEC, EVENTS_FILE), read);
    read += bytes;
    for (const event of lines.map(parseEvent)) if (event !== undefined) yield event;
    if (end?.status === 'done') return end;
    if (end?.status === 'stopped') throw stoppedError(end);
    if (end?.status === 'failed') throw workerError(end);
    if (signal?.aborted)
      throw handedOver(
        `${run}: goes on elsewhere`,
        `Follow it by "nextquill train --resume ${run}"; stop it with a checkpoint by "touch ${join(run, SPEC, 'stop')}".`,
      );
    await sleep(pollMilliseconds, undefined, { ...(signal && { signal }) }).catch(() => {});
  }
}

/** The whole lines of a file from a byte on, and how many bytes they are. */
async function newLines(path: string, from: number): Promise<{ lines: string[]; bytes: number }> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return { lines: [], bytes: 0 };
  try {
    const { size } = await file.stat();
    const buffer = new Uint8Array(Math.max(0, size - from));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
    const text = new TextDecoder().decode(buffer.subarray(0, end));
    return { lines: text.split('\n').slice(0, -1), bytes: end };
  } finally {
    await file.close();
  }
}
