/**
 * @file Writes texts token by token: each prompt runs once into its row of a key/value cache, then all rows step
 * together, and a row whose text has ended makes room. How texts are drawn does not depend on their neighbours.
 *
 * A server's running batch (scheduler.ts) has a loop of its own, and does not serve here. It steps the first texts while later prompts
 * run, so that passes have other rows: of 257 log-probabilities of eight texts 66 then differ in their last digits, and a near tie gives
 * another text for the same seed. It pushes its steps, where these come as the caller asks, and computes neither by a worker nor with a
 * contrasted adapter. What both share is below them: the passes, the cache, and how a text is drawn and ended (text-sequence.ts).
 */
import { throwIfAborted } from '../../base/errors.ts';
import type { Model } from '../models/model.ts';
import type { ParameterValues } from '../models/pass.ts';
import type { SessionOptions } from '../runtime/session.ts';
import { type CachedPass, openCache, openCachedPass } from './cached-pass.ts';
import { contrastedPass } from './contrasted-pass.ts';
import type { KeyValueCache } from './kv-cache.ts';
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
import { openWorkerPass } from './worker-pass.ts';

export { type GenerationPrompt, maxNewTokensOf } from './text-sequence.ts';

export interface DecodingOptions extends WritingOptions {
  readonly signal?: AbortSignal;
}

/** One drawn token of one of the prompts. */
export interface GenerationStep extends SequenceStep {
  /** Index of the prompt. */
  readonly prompt: number;
}

/** A model that writes. */
export interface TextGenerator extends AsyncDisposable {
  /**
   * Texts for all prompts at once, their tokens as they come.
   * @throws {ConfigError} for an option out of range, or a prompt that leaves no position
   * @throws {AbortedError} when the signal is aborted
   * Cost: a cache row for each prompt and each guidance, see {@link openCache}.
   */
  generate(prompts: readonly GenerationPrompt[], options?: DecodingOptions): AsyncGenerator<GenerationStep>;
}

export interface ContrastOptions {
  /** s in logits z_base + s (z_adapter − z_base), where the parameters have an adapter; 1 by default, the adapter as it is. */
  readonly contrast?: number | undefined;
}

/** A generator over a model's mapped weights. */
export async function openTextGenerator(
  model: Pick<
    Model,
    | 'folder'
    | 'hash'
    | 'config'
    | 'architecture'
    | 'weights'
    | 'quantised'
    | 'device'
    | 'thread'
    | 'tokenizer'
    | 'worker'
  >,
  parameters: ParameterValues = {},
  { contrast, ...options }: Omit<SessionOptions, 'weightsFolder'> & ContrastOptions = {},
): Promise<TextGenerator> {
  const { adapter } = parameters;
  const isContrasted = contrast !== undefined && contrast !== 1 && adapter !== undefined;
  const opened =
    model.worker === undefined || isContrasted
      ? { ...(await openCachedPass(model, parameters, options)), openCache }
      : await openWorkerPass(model.worker, model, parameters);
  const pass = isContrasted ? contrastedPass(opened, adapter.tensors, contrast) : opened;
  return {
    generate: (prompts, decoding = {}) => decode(pass, model, prompts, decoding),
    [Symbol.asyncDispose]: () => pass[Symbol.asyncDispose](),
  };
}

/** A text being written, and the rows of the cache that hold it: its own, and its guidance's. */
interface Sequence {
  readonly index: number;
  readonly rows: number[];
  readonly text: TextSequence;
}

async function* decode(
  pass: CachedPass & { readonly openCache: typeof openCache },
  model: Pick<Model, 'config' | 'tokenizer' | 'thread'>,
  prompts: readonly GenerationPrompt[],
  options: DecodingOptions,
): AsyncGenerator<GenerationStep> {
  const { signal } = options;
  const { config, tokenizer } = model;
  checkWriting(options);
  const limits = prompts.map((prompt, index) => tokenLimit(prompt, `prompt ${index}`, options, config));
  const texts = prompts.map((prompt, index) => textSequence(prompt, tokenizer, options, limits[index]!));
  const lengths = prompts.flatMap((prompt, i) => promptsOf(prompt).map((ids) => ids.length + limits[i]!));
  const cache = await pass.openCache(model, lengths.length, Math.max(1, ...lengths));
  const rows: Sequence[] = [];
  const filled = new Map<string, { sequence: Sequence; part: number; logits: Float32Array }>();

  /** Runs a prompt of a sequence into a new row, or copies the row of an equal prompt. */
  const fill = async (sequence: Sequence, part: number, ids: readonly number[]): Promise<Float32Array> => {
    const row = rows.push(sequence) - 1;
    sequence.rows.push(row);
    const equal = filled.get(ids.join());
    if (equal !== undefined && rows.includes(equal.sequence)) {
      cache.copyRow(equal.sequence.rows[equal.part]!, row);
      return equal.logits;
    }
    const logits = await pass.prefill(cache, row, ids, signal);
    filled.set(ids.join(), { sequence, part, logits });
    return logits;
  };
  /** Draws a token from the logits of a sequence's rows; frees the rows with the last one. */
  const advance = (sequence: Sequence, logits: readonly Float32Array[]): GenerationStep => {
    const step = sequence.text.advance(logits);
    if (step.finish !== undefined) free(rows, cache, sequence);
    return { prompt: sequence.index, ...step };
  };

  try {
    for (const [index, prompt] of prompts.entries()) {
      const sequence: Sequence = { index, rows: [], text: texts[index]! };
      const logits: Float32Array[] = [];
      for (const [part, ids] of promptsOf(prompt).entries()) logits.push(await fill(sequence, part, ids));
      yield advance(sequence, logits);
    }
    while (rows.length > 0) {
      throwIfAborted(signal);
      const logits = await pass.step(
        cache,
        rows.map(({ text }) => text.generated.at(-1)!),
      );
      const width = config.vocabularySize;
      const sequences = [...new Set(rows)].sort((a, b) => a.index - b.index);
      // Before any row moves.
      const parts = sequences.map((sequence) =>
        sequence.rows.map((row) => logits.subarray(row * width, (row + 1) * width)),
      );
      for (const [i, sequence] of sequences.entries()) yield advance(sequence, parts[i]!);
    }
  } finally {
    cache.release();
  }
}

/** Gives the rows of a sequence to the last ones, so that those in use stay the first. */
function free(rows: Sequence[], cache: KeyValueCache, sequence: Sequence): void {
  for (const row of sequence.rows.sort((a, b) => b - a)) {
    const last = rows.length - 1;
    const moved = rows.pop()!;
    if (row === last) continue;
    cache.copyRow(last, row);
    moved.rows[moved.rows.indexOf(last)] = row;
    rows[row] = moved;
  }
}
