/** @file Runs a decoder over new tokens only: prompts in chunks into their row of a cache, then one token for each row. */
import { throwIfAborted, WeightsError } from '../../base/errors.ts';
import type { Model } from '../models/model.ts';
import { openSession, type ParameterValues, parameterSource } from '../models/pass.ts';
import { growingRotaryTables, rotaryInputs } from '../models/rotary.ts';
import { checkTokens } from '../models/token-inputs.ts';
import { input } from '../ops/operators.ts';
import { writingBase } from '../quantisation/layout.ts';
import type { HostTensor, SessionOptions } from '../runtime/session.ts';
import { cacheAttention, cacheFeeds, cacheMemory, createCache, type KeyValueCache } from './kv-cache.ts';

/** A decoder whose passes read and extend a cache. */
export interface CachedPass extends AsyncDisposable {
  /**
   * Runs a prompt into an empty row.
   * @returns f32[V]: logits after its last token, the only ones that are computed
   * Cost: chunks of 512 tokens, so that scores of long prompts do not fill the memory.
   */
  prefill(
    cache: KeyValueCache,
    row: number,
    ids: readonly number[],
    signal?: AbortSignal,
    options?: PassOptions,
  ): Promise<Float32Array>;
  /**
   * Runs the next tokens of one sequence, behind what its row holds: a part of a prompt, between steps of other rows.
   * @returns f32[V]: logits after the last token; f32[T · V], after each of them, with `all`
   */
  extend(
    cache: KeyValueCache,
    row: number,
    ids: readonly number[],
    options?: PassOptions & { readonly all?: boolean },
  ): Promise<Float32Array>;
  /**
   * Runs one more token for each row of a range, the first rows by default.
   * @returns f32[B · V]: logits after it
   */
  step(
    cache: KeyValueCache,
    tokens: readonly number[],
    options?: PassOptions & { readonly first?: number },
  ): Promise<Float32Array>;
}

/** What one pass runs with. */
export interface PassOptions {
  /** Matrices of another adapter of the same rank, scaling and modules, in place of those that the pass was opened with. */
  readonly tensors?: Readonly<Record<string, HostTensor>> | undefined;
}

/** Tokens of a prompt that run at once. */
export const CHUNK = 512;

interface RunOptions extends PassOptions {
  readonly first: number;
  readonly count: number;
  readonly all?: boolean;
}

/**
 * An empty cache beside the sessions of a model, see {@link createCache}.
 * @throws {EngineError} when the memory for it is not to be had
 */
export async function openCache(
  { config, thread }: Pick<Model, 'config' | 'thread'>,
  rows: number,
  capacity: number,
): Promise<KeyValueCache> {
  const { parts, size } = cacheMemory(config, rows, capacity);
  return createCache(config, rows, capacity, await thread?.allocate(parts, size));
}

/**
 * Compiles the passes of a model; its frozen weights are mapped as everywhere.
 * @throws {WeightsError} when the size of its heads is not supported
 */
export async function openCachedPass(
  model: Pick<Model, 'config' | 'architecture' | 'weights' | 'quantised' | 'device' | 'thread'>,
  parameters: ParameterValues = {},
  options: Omit<SessionOptions, 'weightsFolder'> & { readonly chunk?: number } = {},
): Promise<CachedPass> {
  const { config, architecture } = model;
  const { chunk = CHUNK, ...sessionOptions } = options;
  if (config.headSize % 8 !== 0)
    throw new WeightsError(`head size: expected a multiple of 8 for generation, got ${config.headSize}`, {
      code: 'generate/head-size',
      hint: 'Use another model: ONNX Runtime attends over a cache by eights.',
    });
  const base = model.quantised && { quantised: writingBase(model.quantised) };
  const { source, feeds: parameterFeeds } = parameterSource(parameters, base ?? {});
  const { attention, outputs } = cacheAttention();
  const inputs = {
    tokenIds: input('tokenIds', 'i64', ['B', 'T']),
    positions: input('positions', 'i64', ['B', 'T']),
    rotary: rotaryInputs(config),
    attention,
  };
  const hidden = architecture.hidden(config, source, inputs, input('rows', 'i64', ['S']));
  const logits = architecture.logits(config, source, hidden);
  const session = await openSession(model, { logits, ...outputs }, sessionOptions);
  const tables = growingRotaryTables(config);

  /** Runs `ids`, T for each of `count` rows, and returns the logits after each row's last, or after all of a single row. */
  const run = async (
    cache: KeyValueCache,
    { first, count, all = false, tensors = parameterFeeds }: RunOptions,
    ids: readonly number[],
  ): Promise<Float32Array> => {
    const length = ids.length / count;
    const past = cache.lengths.slice(first, first + count);
    const lengths = past.map((tokens) => tokens + length);
    const { feeds, into } = cache.rows(first, count);
    const tokenIds = BigInt64Array.from(ids, BigInt);
    const positions = BigInt64Array.from(ids, (_, i) => BigInt(past[Math.floor(i / length)]! + (i % length)));
    checkTokens(config, tokenIds, positions);
    const { logits: result } = await session.run(
      {
        ...tensors,
        ...feeds,
        ...cacheFeeds(lengths),
        ...tables(Math.max(...lengths)),
        tokenIds: { data: tokenIds, shape: [count, length] },
        positions: { data: positions, shape: [count, length] },
        rows: all
          ? { data: BigInt64Array.from(ids, (_, t) => BigInt(t)), shape: [length] }
          : { data: BigInt64Array.from(past, (_, b) => BigInt((b + 1) * length - 1)), shape: [count] },
      },
      into,
    );
    lengths.forEach((tokens, b) => {
      cache.lengths[first + b] = tokens;
    });
    return result!.data as Float32Array;
  };

  return {
    prefill: async (cache, row, ids, signal, { tensors } = {}) => {
      cache.lengths[row] = 0;
      let logits: Float32Array = new Float32Array(0);
      for (let start = 0; start < ids.length; start += chunk) {
        throwIfAborted(signal);
        logits = await run(cache, { first: row, count: 1, tensors }, ids.slice(start, start + chunk));
      }
      return logits;
    },
    extend: (cache, row, ids, options) => run(cache, { ...options, first: row, count: 1 }, ids),
    step: (cache, tokens, { first = 0, tensors } = {}) =>
      run(cache, { first, count: tokens.length, tensors }, tokens),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}
