/**
 * @file Writes texts token by token: each prompt runs once into its row of a key/value cache, then all rows step
 * together, and a row whose text has ended makes room. How texts are drawn does not depend on their neighbours.
 */
import { ConfigError, throwIfAborted } from '../../base/errors.ts';
import type { RandomStream } from '../../base/random.ts';
import type { DecoderConfig } from '../models/hf-config.ts';
import type { Model } from '../models/model.ts';
import type { ParameterValues } from '../models/pass.ts';
import type { SessionOptions } from '../runtime/session.ts';
import { type CachedPass, openCachedPass } from './cached-pass.ts';
import { type CopyGuard, type CopyOptions, checkCopyOptions, copyGuard } from './copy-guard.ts';
import { createCache, type KeyValueCache } from './kv-cache.ts';
import { checkSampling, drawToken, type SamplingOptions } from './sampling.ts';
import { type StopMatcher, stopMatcher } from './stop.ts';
import { type TextStream, textStream } from './text-stream.ts';

/** What a text is written after. */
export interface GenerationPrompt {
  readonly ids: readonly number[];
  /** A second prompt with logits z₀: tokens are drawn by z₀ + strength · (z − z₀) (arXiv 2305.14739). */
  readonly guidance?: { readonly ids: readonly number[]; readonly strength: number };
  /** Token ids of texts that copying is held back from, by {@link CopyOptions}; none by default. */
  readonly sources?: readonly (readonly number[])[] | undefined;
  /** Where its draws come from, one for each token; a stream of its own for each prompt. */
  readonly random: RandomStream;
}

export interface DecodingOptions extends SamplingOptions, CopyOptions {
  /** Tokens of each text at most, 200 by default; fewer where the model has no more positions. */
  readonly maxNewTokens?: number;
  /** A text ends before the first of these. */
  readonly stop?: readonly string[];
  readonly signal?: AbortSignal;
}

/** One drawn token, and the text that is sure with it: whole characters, and nothing that may begin a stop string. */
export interface GenerationStep {
  /** Index of the prompt. */
  readonly prompt: number;
  readonly token: number;
  readonly text: string;
  /** With the last token of a text, why it is the last. */
  readonly finish?: 'end-of-turn' | 'stop' | 'length';
}

/** A model that writes. */
export interface TextGenerator extends AsyncDisposable {
  /**
   * Texts for all prompts at once, their tokens as they come.
   * @throws {ConfigError} for an option out of range, or a prompt that leaves no position
   * @throws {AbortedError} when the signal is aborted
   * Cost: a cache row for each prompt and each guidance, see {@link createCache}.
   */
  generate(prompts: readonly GenerationPrompt[], options?: DecodingOptions): AsyncGenerator<GenerationStep>;
}

/** A generator over a model's mapped weights. */
export async function openTextGenerator(
  model: Pick<Model, 'config' | 'architecture' | 'weights' | 'quantised' | 'device' | 'tokenizer'>,
  parameters: ParameterValues = {},
  options: Omit<SessionOptions, 'weightsFolder'> = {},
): Promise<TextGenerator> {
  const pass = await openCachedPass(model, parameters, options);
  return {
    generate: (prompts, decoding = {}) => decode(pass, model, prompts, decoding),
    [Symbol.asyncDispose]: () => pass[Symbol.asyncDispose](),
  };
}

/** A text being written, and the rows of the cache that hold it: its own, and its guidance's. */
interface Sequence {
  readonly index: number;
  readonly prompt: GenerationPrompt;
  readonly rows: number[];
  readonly limit: number;
  readonly generated: number[];
  readonly copies: CopyGuard;
  readonly text: TextStream;
  readonly stops: StopMatcher;
}

async function* decode(
  pass: CachedPass,
  { config, tokenizer }: Pick<Model, 'config' | 'tokenizer'>,
  prompts: readonly GenerationPrompt[],
  options: DecodingOptions,
): AsyncGenerator<GenerationStep> {
  const { signal, stop = [] } = options;
  checkSampling(options);
  checkCopyOptions(options);
  const limits = prompts.map((prompt, index) => tokenLimit(prompt, index, options, config));
  const stops = prompts.map(() => stopMatcher(stop));
  const lengths = prompts.flatMap((prompt, i) => promptsOf(prompt).map((ids) => ids.length + limits[i]!));
  const cache = createCache(config, lengths.length, Math.max(1, ...lengths));
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
    const { index, prompt, generated, copies, text, limit } = sequence;
    const mixed = mix(logits, prompt).subarray(0, tokenizer.vocabularySize);
    copies.apply(mixed);
    const token = drawToken(mixed, generated, options, prompt.random.next());
    generated.push(token);
    copies.push(token);
    const end = (finish: NonNullable<GenerationStep['finish']>, sure: string) => {
      free(rows, cache, sequence);
      return { prompt: index, token, text: sure, finish };
    };
    if (tokenizer.endIds.includes(token)) return end('end-of-turn', sequence.stops.end());
    const sure = sequence.stops.push(text.push(token));
    if (sure.stopped) return end('stop', sure.text);
    if (generated.length === limit) return end('length', sure.text + sequence.stops.end());
    return { prompt: index, token, text: sure.text };
  };

  for (const [index, prompt] of prompts.entries()) {
    const sequence: Sequence = {
      index,
      prompt,
      rows: [],
      limit: limits[index]!,
      generated: [],
      copies: copyGuard(prompt.sources ?? [], options),
      text: textStream(tokenizer),
      stops: stops[index]!,
    };
    const logits: Float32Array[] = [];
    for (const [part, ids] of promptsOf(prompt).entries()) logits.push(await fill(sequence, part, ids));
    yield advance(sequence, logits);
  }
  while (rows.length > 0) {
    throwIfAborted(signal);
    const logits = await pass.step(
      cache,
      rows.map(({ generated }) => generated.at(-1)!),
    );
    const width = config.vocabularySize;
    const sequences = [...new Set(rows)].sort((a, b) => a.index - b.index);
    // Before any row moves.
    const parts = sequences.map((sequence) =>
      sequence.rows.map((row) => logits.subarray(row * width, (row + 1) * width)),
    );
    for (const [i, sequence] of sequences.entries()) yield advance(sequence, parts[i]!);
  }
}

const promptsOf = ({ ids, guidance }: GenerationPrompt): (readonly number[])[] =>
  guidance === undefined ? [ids] : [ids, guidance.ids];

/** z₀ + s · (z − z₀), in memory of its own: logits of a prompt serve all that begin with it. */
function mix([logits, reference]: readonly Float32Array[], { guidance }: GenerationPrompt): Float32Array {
  const mixed = logits!.slice();
  if (guidance === undefined || reference === undefined) return mixed;
  for (let v = 0; v < mixed.length; v++)
    mixed[v] = reference[v]! + guidance.strength * (mixed[v]! - reference[v]!);
  return mixed;
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

/** Tokens of a text at most, by its options. @throws {ConfigError} for a number out of range */
export function maxNewTokensOf({ maxNewTokens = 200 }: Pick<DecodingOptions, 'maxNewTokens'>): number {
  if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1)
    throw new ConfigError(`maxNewTokens: expected a whole number of at least 1, got ${maxNewTokens}`, {
      code: 'config/range',
    });
  return maxNewTokens;
}

/** @throws {ConfigError} when not one token can be written */
function tokenLimit(
  prompt: GenerationPrompt,
  index: number,
  options: DecodingOptions,
  { maxPositions }: DecoderConfig,
): number {
  const maxNewTokens = maxNewTokensOf(options);
  const lengths = promptsOf(prompt).map((ids) => ids.length);
  if (Math.min(...lengths) < 1 || Math.max(...lengths) >= maxPositions)
    throw new ConfigError(
      `prompt ${index}: expected 1 to ${maxPositions - 1} tokens, which leaves the model a position to write at, got ${lengths.join(' and ')}`,
      { code: 'generate/prompt-length', hint: 'Shorten the prompt.' },
    );
  return Math.min(maxNewTokens, maxPositions - Math.max(...lengths));
}
