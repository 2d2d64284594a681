/**
 * @file A running batch: texts join and leave at any step. Prompts run in chunks between the steps of the others; texts of
 * one adapter step together, adapters in turn. Nothing is shared between texts but the weights.
 */
import { setImmediate } from 'node:timers/promises';
import { AbortedError, ConfigError, EngineError } from '../../base/errors.ts';
import type { Adapter } from '../lora/adapter.ts';
import type { Model } from '../models/model.ts';
import type { HostTensor, SessionOptions } from '../runtime/session.ts';
import { type CachedPass, CHUNK, openCache, openCachedPass } from './cached-pass.ts';
import { type PromptScore, promptScores, scoringChunk } from './prompt-scores.ts';
import { rowSegments } from './row-segments.ts';
import {
  checkWriting,
  type GenerationPrompt,
  promptsOf,
  type SequenceStep,
  type TextSequence,
  textSequence,
  tokenLimit,
  type WritingOptions,
} from './text-sequence.ts';

/** An adapter by what it computes: two with one key are the same. */
export interface KeyedAdapter extends Adapter {
  readonly key: string;
}

/** Texts that are written together: several of one prompt, or one. */
export interface BatchTask {
  /** One for each text; equal prompts run once. */
  readonly prompts: readonly GenerationPrompt[];
  /** Absent: nothing is written, the prompt is scored only. */
  readonly options?: WritingOptions;
  readonly adapter?: KeyedAdapter | undefined;
  /** How likely each token of the first prompt is, and so many likeliest ones in its place. */
  readonly promptLogProbs?: number | undefined;
  onPromptScores?(scores: readonly PromptScore[]): void;
  /** @param text which of the texts */
  onStep?(text: number, step: SequenceStep): void;
}

/** A task in the batch. */
export interface RunningTask {
  /** Settles when all texts have ended, or the task failed; rejects with {@link AbortedError} when it was cancelled. */
  readonly done: Promise<void>;
  /** Keeps its rows and computes nothing. */
  pause(): void;
  resume(): void;
  /** Frees its rows before the next token. */
  cancel(reason?: unknown): void;
}

export interface SchedulerOptions extends Omit<SessionOptions, 'weightsFolder'> {
  /** Rows of the cache: one for each text, two where it has guidance. */
  readonly rows: number;
  /** Tokens of a row: prompt and text. */
  readonly capacity: number;
  /** Rows of one pass at most; with 1 each text steps alone, and does not depend on others by a bit. */
  readonly maxBatch?: number;
  /** Fills freed memory with NaN, which would show in whatever read it. For tests. */
  readonly poison?: boolean;
  /** Tokens of a prompt between two steps of the others; {@link CHUNK} by default. */
  readonly chunk?: number;
}

/** What a batch does at the moment. */
export interface SchedulerStatus {
  readonly rowsUsed: number;
  readonly rowsTotal: number;
  readonly tasks: number;
  readonly paused: number;
  readonly groups: number;
  /** Passes so far. */
  readonly passes: { readonly prefill: number; readonly decode: number };
}

export interface Scheduler extends AsyncDisposable {
  /** Rows that a task takes. */
  rowsFor(task: Pick<BatchTask, 'prompts'>): number;
  rowsFree(): number;
  status(): SchedulerStatus;
  /** Compiles for adapters of this shape, so that the first request does not wait. */
  prepare(adapter?: Adapter): Promise<void>;
  /**
   * Adds a task; its first step comes later.
   * @throws {ConfigError} for an option out of range, or a prompt that leaves no room
   * @throws {EngineError} `generate/rows` when there is no room now
   */
  start(task: BatchTask): RunningTask;
}

/** One text of a task: its rows, and what is written. */
interface Sequence {
  readonly task: Task;
  readonly index: number;
  readonly group: string;
  /** By part: the prompt's, its guidance's. */
  readonly rows: number[];
  readonly prompts: readonly (readonly number[])[];
  readonly text: TextSequence | undefined;
  /** Logits of each part once it ran. */
  readonly filled: Float32Array[];
  state: 'filling' | 'stepping' | 'ended';
}

interface Task extends BatchTask {
  readonly sequences: Sequence[];
  readonly scores: PromptScore[];
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  paused: boolean;
  cancelled: { readonly reason: unknown } | undefined;
  ended: boolean;
}

type ServedModel = Pick<
  Model,
  'config' | 'architecture' | 'weights' | 'quantised' | 'device' | 'thread' | 'tokenizer' | 'parameters'
>;

/**
 * A batch over a model's mapped weights.
 * @throws {EngineError} when the memory for it is not to be had
 * Cost: rows × capacity of memory, see {@link openCache}, committed as it is used.
 */
export async function openScheduler(model: ServedModel, options: SchedulerOptions): Promise<Scheduler> {
  const { rows, capacity, maxBatch = Number.POSITIVE_INFINITY, poison = false, chunk = CHUNK } = options;
  const { config, tokenizer } = model;
  const cache = await openCache(model, rows, capacity);
  const owners = new Array<{ sequence: Sequence; part: number } | undefined>(rows).fill(undefined);
  const clear = (row: number) => {
    owners[row] = undefined;
    cache.clearRow(row, poison ? Number.NaN : 0);
  };
  const segments = rowSegments(
    rows,
    (from, to) => {
      const owner = owners[from]!;
      cache.copyRow(from, to);
      owner.sequence.rows[owner.part] = to;
      clear(from);
      owners[to] = owner;
    },
    clear,
  );
  const passes = passesByShape(model, { ...options, chunk });
  const tasks: Task[] = [];
  const counted = { prefill: 0, decode: 0 };
  let turn = 0;
  let made = 0;
  let isClosed = false;
  let wake = () => {};
  const rowsFor = ({ prompts }: Pick<BatchTask, 'prompts'>) => prompts.flatMap(promptsOf).length;

  const end = (task: Task, settle: () => void) => {
    if (task.ended) return;
    task.ended = true;
    for (const sequence of task.sequences) endSequence(sequence);
    tasks.splice(tasks.indexOf(task), 1);
    settle();
  };
  const endSequence = (sequence: Sequence) => {
    if (sequence.state === 'ended') return;
    sequence.state = 'ended';
    for (let part = 0; part < sequence.rows.length; part++) segments.release(sequence.rows[part]!);
    sequence.filled.length = 0;
  };
  /** The next token of a sequence; ends it, and its task with the last one. */
  const advance = (sequence: Sequence, logits: readonly Float32Array[]) => {
    const { task, index, text } = sequence;
    if (task.ended) return;
    try {
      const step = text?.advance(logits);
      if (step === undefined || step.finish !== undefined) endSequence(sequence);
      if (step !== undefined) task.onStep?.(index, step);
    } catch (error) {
      end(task, () => task.reject(error));
    }
    if (task.sequences.every(({ state }) => state === 'ended')) end(task, task.resolve);
  };

  /** Runs one chunk of one prompt; its sequence draws its first token behind the last chunk. */
  const fill = async (sequence: Sequence) => {
    const { task, filled, prompts } = sequence;
    const part = filled.length;
    const ids = prompts[part]!;
    const row = sequence.rows[part]!;
    const isScored = task.promptLogProbs !== undefined && sequence.index === 0 && part === 0;
    const start = cache.lengths[row]!;
    const some = ids.slice(start, start + (isScored ? scoringChunk(config) : chunk));
    const pass = await passes.of(task.adapter);
    counted.prefill += 1;
    const logits = await pass.extend(cache, row, some, { all: isScored, tensors: task.adapter?.tensors });
    if (isScored)
      task.scores.push(...promptScores(logits, ids.slice(start + 1, start + some.length + 1), task, model));
    if (start + some.length < ids.length) return;
    filled.push(isScored ? logits.slice(-config.vocabularySize) : logits);
    if (isScored) task.onPromptScores?.(task.scores);
    if (filled.length < prompts.length) return;
    // Before any of them moves on, so that the rows hold the prompts alone.
    const equal = task.sequences.filter((other) => isTwin(other, sequence));
    for (const twin of equal) {
      for (const [i, from] of sequence.rows.entries()) cache.copyRow(from, twin.rows[i]!);
      twin.filled.push(...filled);
    }
    for (const ready of [sequence, ...equal]) {
      ready.state = 'stepping';
      advance(ready, ready.filled);
    }
  };

  /** One step of all texts of a group that are not paused. */
  const step = async (group: string) => {
    const { first, count } = segments.segment(group);
    const active = (row: number) => {
      const owner = owners[row];
      return owner?.sequence.state === 'stepping' && !owner.sequence.task.paused;
    };
    const width = config.vocabularySize;
    const results = new Map<Sequence, Float32Array[]>();
    for (let row = first; row < first + count; ) {
      let length = 0;
      while (row + length < first + count && length < widthOfPass && active(row + length)) length++;
      if (length === 0) {
        row += 1;
        continue;
      }
      const inPass = owners.slice(row, row + length).map((owner) => owner!);
      const { adapter } = inPass[0]!.sequence.task;
      counted.decode += 1;
      try {
        const pass = await passes.of(adapter);
        const tokens = inPass.map(({ sequence }) => sequence.text!.generated.at(-1)!);
        const logits = await pass.step(cache, tokens, { first: row, tensors: adapter?.tensors });
        for (const [i, { sequence, part }] of inPass.entries()) {
          const parts = results.get(sequence) ?? [];
          parts[part] = logits.subarray(i * width, (i + 1) * width);
          results.set(sequence, parts);
        }
      } catch (error) {
        for (const { sequence } of inPass) end(sequence.task, () => sequence.task.reject(error));
        return;
      }
      row += length;
    }
    for (const [sequence, logits] of results) advance(sequence, logits);
  };
  /** With 1 each text is a group of its own, so that its two rows may share a pass as they do in `generate`. */
  const widthOfPass = maxBatch === 1 ? 2 : maxBatch;
  const groupOf = (adapter: KeyedAdapter | undefined) => {
    made += 1;
    return maxBatch === 1 ? `${adapter?.key ?? ''}#${made}` : (adapter?.key ?? '');
  };

  const sweep = () => {
    for (const task of [...tasks]) {
      const { cancelled } = task;
      if (cancelled === undefined) continue;
      const error = new AbortedError('text: expected to be finished, got cancelled', {
        code: 'aborted',
        cause: cancelled.reason,
      });
      end(task, () => task.reject(error));
    }
  };
  const nextFilling = () =>
    tasks
      .filter(({ paused }) => !paused)
      .flatMap(({ sequences }) => sequences)
      .find(({ state }) => state === 'filling');
  const nextGroup = () => {
    const waiting = segments.groups().filter((group) => {
      const { first, count } = segments.segment(group);
      return owners
        .slice(first, first + count)
        .some((owner) => owner?.sequence.state === 'stepping' && !owner.sequence.task.paused);
    });
    return waiting[turn++ % waiting.length];
  };
  const loop = async () => {
    while (!isClosed) {
      sweep();
      const filling = nextFilling();
      if (filling !== undefined)
        await fill(filling).catch((error) => end(filling.task, () => filling.task.reject(error)));
      const group = nextGroup();
      if (group !== undefined) await step(group);
      if (filling === undefined && group === undefined)
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (isClosed || tasks.some(({ cancelled }) => cancelled)) resolve();
        });
      // Callers are heard between steps, even where the engine answers at once.
      else await setImmediate();
    }
  };
  const running = loop();

  return {
    rowsFor,
    rowsFree: () => segments.free(),
    status: () => ({
      rowsUsed: rows - segments.free(),
      rowsTotal: rows,
      tasks: tasks.length,
      paused: tasks.filter(({ paused }) => paused).length,
      groups: segments.groups().length,
      passes: { ...counted },
    }),
    prepare: async (adapter) => {
      await passes.of(adapter);
    },
    start: (given) => {
      const { prompts, options: writing, adapter } = given;
      if (isClosed) throw new AbortedError('batch: expected an open one, got closed', { code: 'aborted' });
      const needed = rowsFor(given);
      if (needed > segments.free())
        throw new EngineError(`cache rows: expected ${needed} free of ${rows}, got ${segments.free()}`, {
          code: 'generate/rows',
          hint: 'Start a text when one has ended.',
        });
      if (writing !== undefined) checkWriting(writing);
      const texts = prompts.map((prompt, i) =>
        writing === undefined
          ? undefined
          : textSequence(
              prompt,
              tokenizer,
              writing,
              tokenLimit(prompt, `prompt ${i}`, writing, { maxPositions: capacity }),
            ),
      );
      for (const [i, prompt] of prompts.entries()) checkRoom(prompt, i, capacity);
      let settle = { resolve: () => {}, reject: (_: unknown) => {} };
      const done = new Promise<void>((resolve, reject) => {
        settle = { resolve, reject };
      });
      const task: Task = {
        ...given,
        ...settle,
        sequences: [],
        scores: [],
        paused: false,
        cancelled: undefined,
        ended: false,
      };
      for (const [index, prompt] of prompts.entries()) {
        const group = groupOf(adapter);
        const sequence: Sequence = {
          task,
          index,
          group,
          rows: [],
          prompts: promptsOf(prompt),
          text: texts[index],
          filled: [],
          state: 'filling',
        };
        for (let part = 0; part < sequence.prompts.length; part++) {
          const row = segments.take(group);
          owners[row] = { sequence, part };
          sequence.rows[part] = row;
        }
        task.sequences.push(sequence);
      }
      tasks.push(task);
      wake();
      return {
        done,
        pause: () => {
          task.paused = true;
        },
        resume: () => {
          task.paused = false;
          wake();
        },
        cancel: (reason) => {
          task.cancelled = { reason };
          wake();
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      wake();
      await running;
      for (const task of [...tasks])
        end(task, () => task.reject(new AbortedError('batch: closed', { code: 'aborted' })));
      await passes[Symbol.asyncDispose]();
      cache.release();
    },
  };
}

/** Whether a text waits for the same prompts. */
const isTwin = (other: Sequence, { index, prompts }: Sequence): boolean =>
  other.state === 'filling' &&
  other.index > index &&
  other.filled.length === 0 &&
  other.prompts.length === prompts.length &&
  other.prompts.every((ids, part) => ids === prompts[part]);

/** A prompt that is only scored may fill its row. */
function checkRoom(prompt: GenerationPrompt, index: number, capacity: number): void {
  const longest = Math.max(...promptsOf(prompt).map((ids) => ids.length));
  if (longest >= 1 && longest <= capacity) return;
  throw new ConfigError(`prompt ${index}: expected 1 to ${capacity} tokens, got ${longest}`, {
    code: 'generate/prompt-length',
    hint: 'Shorten the prompt.',
  });
}

/** One compiled pass for each shape of adapter: adapters themselves are feeds. */
function passesByShape(
  model: ServedModel,
  options: Omit<SchedulerOptions, 'rows' | 'capacity'>,
): { of(adapter?: Adapter): Promise<CachedPass> } & AsyncDisposable {
  const { threads, chunk = CHUNK } = options;
  const open = new Map<string, Promise<CachedPass>>();
  const noTensors: Readonly<Record<string, HostTensor>> = {};
  return {
    of: (adapter) => {
      const key = adapter === undefined ? '' : JSON.stringify(adapter.lora);
      let pass = open.get(key);
      if (pass === undefined) {
        const parameters = adapter && { adapter: { lora: adapter.lora, tensors: noTensors } };
        pass = openCachedPass(model, parameters, { chunk, ...(threads !== undefined && { threads }) });
        open.set(key, pass);
        pass.catch(() => open.delete(key));
      }
      return pass;
    },
    [Symbol.asyncDispose]: async () => {
      for (const pass of open.values())
        await pass.then(
          (opened) => opened[Symbol.asyncDispose](),
          () => {},
        );
    },
  };
}
