/** @file steps.jsonl: one line a step, appended; cut back to a checkpoint when a run continues from there. */
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAll, writeFileAtomically } from '../../base/atomic-file.ts';
import { describeFileError } from '../../base/file-error.ts';
import type { StepRecord } from '../training/trainer.ts';

/** One line of steps.jsonl. */
export interface StepLine extends Omit<StepRecord, 'totalSteps'> {
  /** Time of the step itself. */
  readonly seconds: number;
  readonly tokensPerSecond: number;
  /** Of the process, since it began. */
  readonly peakMemoryBytes: number;
  /** Mean negative log-likelihood of the held-out rows after the step, nats a response token; at the steps that measure it. */
  readonly validationLoss?: number;
}

export interface StepLog extends AsyncDisposable {
  /** @throws {EngineError} when the disk is full; the file then ends with the line before */
  append(line: StepLine): Promise<void>;
  /** Writes `line` in the place of the last line, which is `last`. */
  replaceLast(last: StepLine, line: StepLine): Promise<void>;
  /** Flushes to disk, so that no checkpoint is ever ahead of the log. */
  sync(): Promise<void>;
}

export const STEPS_FILE = 'steps.jsonl';

/** Opens the log of a run at its end. */
export async function openStepLog(run: string): Promise<StepLog> {
  const path = join(run, STEPS_FILE);
  const file = await open(path, 'a').catch((error: unknown) => {
    throw describeFileError(path, error);
  });
  let size = (await file.stat()).size;
  const append = async (line: StepLine) => {
    const bytes = bytesOf(line);
    try {
      await writeAll(file, bytes);
      size += bytes.byteLength;
    } catch (error) {
      // Part of the line may have found room.
      await file.truncate(size).catch(() => undefined);
      throw describeFileError(path, error);
    }
  };
  return {
    append,
    replaceLast: async (last, line) => {
      size -= bytesOf(last).byteLength;
      await file.truncate(size);
      await append(line);
    },
    sync: () => file.sync(),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

const bytesOf = (line: StepLine) => new TextEncoder().encode(`${JSON.stringify(line)}\n`);

/** The lines of a run's log, up to the first that is torn. @returns none where there is no log */
export async function readStepLog(run: string): Promise<StepLine[]> {
  return wholeLines(await textOf(run), Number.POSITIVE_INFINITY).lines;
}

/**
 * Cuts the log back to the lines of steps 1 … `step`; a torn last line goes too. The file is replaced, never edited.
 * @returns the lines kept: fewer than `step` when the file had lost some
 */
export async function cutStepLog(run: string, step: number): Promise<StepLine[]> {
  const text = await textOf(run);
  const { lines, length } = wholeLines(text, step);
  if (length !== text.length || text === '')
    await writeFileAtomically(join(run, STEPS_FILE), (file) => file.writeFile(text.slice(0, length)));
  return lines;
}

function textOf(run: string): Promise<string> {
  return readFile(join(run, STEPS_FILE), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw describeFileError(join(run, STEPS_FILE), error, 'read');
  });
}

/** Lines of the steps 1 … `most`, as far as they follow one another, and the characters that they take. */
function wholeLines(text: string, most: number): { lines: StepLine[]; length: number } {
  const lines: StepLine[] = [];
  let length = 0;
  while (lines.length < most) {
    const end = text.indexOf('\n', length);
    const line = end < 0 ? undefined : parseLine(text.slice(length, end));
    if (line?.step !== lines.length + 1) break;
    lines.push(line);
    length = end + 1;
  }
  return { lines, length };
}

/** What every line has; a line without is damaged. */
const NUMBERS = [
  ...['step', 'epoch', 'loss', 'learningRate', 'gradientNorm', 'examples', 'tokens'],
  ...['seconds', 'tokensPerSecond', 'peakMemoryBytes'],
] as readonly (keyof StepLine)[];

/** What a line may have. */
const OPTIONAL_NUMBERS = ['validationLoss', 'tokensComputed', 'tokensSaved'] as const;

function parseLine(text: string): StepLine | undefined {
  try {
    const line = JSON.parse(text) as Partial<Record<keyof StepLine, unknown>> | null;
    const isNumber = (name: keyof StepLine) => typeof line?.[name] === 'number';
    return line !== null &&
      NUMBERS.every(isNumber) &&
      OPTIONAL_NUMBERS.every((name) => line[name] === undefined || isNumber(name))
      ? (line as unknown as StepLine)
      : undefined;
  } catch {
    return undefined; // Torn by a kill or a full disk: cut off with what follows.
  }
}
