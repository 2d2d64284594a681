/**
 * @file One text being written: from the logits of its passes to the next token, the text that is sure with it, and how
 * likely it was. Lists of prompts (decode.ts) and running batches (scheduler.ts) write by it alike.
 */
import { ConfigError } from '../../base/errors.ts';
import type { RandomStream } from '../../base/random.ts';
import type { DecoderConfig } from '../models/hf-config.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { type CopyOptions, checkCopyOptions, copyGuard } from './copy-guard.ts';
import { likeliestTokens, logSumExp, type RankedToken } from './log-probabilities.ts';
import { checkSampling, drawToken, type SamplingOptions } from './sampling.ts';
import { stopMatcher } from './stop.ts';
import { textStream } from './text-stream.ts';

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

/** How one text is drawn, and where it ends. */
export interface WritingOptions extends SamplingOptions, CopyOptions {
  /** Tokens of each text at most, 200 by default; fewer where the model has no more positions. */
  readonly maxNewTokens?: number;
  /** A text ends before the first of these. */
  readonly stop?: readonly string[];
  /** Log-probabilities of each token, and of this many likeliest ones; none when absent. */
  readonly logProbs?: number | undefined;
}

/** Nats, of the distribution that strength makes, before penalties, temperature and filters. */
export interface TokenLogProbs {
  readonly logProb: number;
  /** The likeliest tokens, as many as were asked for. */
  readonly top: readonly RankedToken[];
  /** The token's log-probability by the prompt and by its guidance; absent without guidance. */
  readonly byPrompt?: number;
  readonly byGuidance?: number;
}

/** One drawn token, and the text that is sure with it: whole characters, and nothing that may begin a stop string. */
export interface SequenceStep {
  readonly token: number;
  readonly text: string;
  /** With the last token of a text, why it is the last. */
  readonly finish?: 'end-of-turn' | 'stop' | 'length';
  readonly logProbs?: TokenLogProbs;
}

/** A text being written. */
export interface TextSequence {
  readonly prompt: GenerationPrompt;
  /** The tokens so far. */
  readonly generated: readonly number[];
  /**
   * Draws the next token.
   * @param logits f32[V] of the prompt's pass, then of its guidance's; read, not changed
   * @throws {EngineError} when the logits are no numbers
   */
  advance(logits: readonly Float32Array[]): SequenceStep;
}

/**
 * @param limit tokens of the text at most, see {@link tokenLimit}
 * @throws {ConfigError} for an empty stop string
 */
export function textSequence(
  prompt: GenerationPrompt,
  tokenizer: Tokenizer,
  options: WritingOptions,
  limit: number,
): TextSequence {
  const generated: number[] = [];
  const copies = copyGuard(prompt.sources ?? [], options);
  const text = textStream(tokenizer);
  const stops = stopMatcher(options.stop ?? []);
  const width = tokenizer.vocabularySize;
  return {
    prompt,
    generated,
    advance: (passes) => {
      const logits = passes.map((of) => of.subarray(0, width));
      const mixed = mix(logits, prompt);
      const before = options.logProbs === undefined ? undefined : mixed.slice();
      copies.apply(mixed);
      const token = drawToken(mixed, generated, options, prompt.random.next());
      generated.push(token);
      copies.push(token);
      const logProbs = before && { logProbs: logProbsOf(token, before, logits, options.logProbs!) };
      const end = (finish: NonNullable<SequenceStep['finish']>, sure: string) => ({
        token,
        text: sure,
        finish,
        ...logProbs,
      });
      if (tokenizer.endIds.includes(token)) return end('end-of-turn', stops.end());
      const sure = stops.push(text.push(token));
      if (sure.stopped) return end('stop', sure.text);
      if (generated.length === limit) return end('length', sure.text + stops.end());
      return { token, text: sure.text, ...logProbs };
    },
  };
}

/** The prompts of a text that run as passes of their own. */
export const promptsOf = ({ ids, guidance }: GenerationPrompt): (readonly number[])[] =>
  guidance === undefined ? [ids] : [ids, guidance.ids];

/** z₀ + s · (z − z₀), in memory of its own: logits of a prompt serve all that begin with it. */
function mix([logits, reference]: readonly Float32Array[], { guidance }: GenerationPrompt): Float32Array {
  // At 1 and at 0 one pass is the answer: no rounding may make it another than without the other pass.
  if (guidance === undefined || reference === undefined || guidance.strength === 1) return logits!.slice();
  if (guidance.strength === 0) return reference.slice();
  const mixed = logits!.slice();
  for (let v = 0; v < mixed.length; v++)
    mixed[v] = reference[v]! + guidance.strength * (mixed[v]! - reference[v]!);
  return mixed;
}

function logProbsOf(
  token: number,
  mixed: Float32Array,
  passes: readonly Float32Array[],
  top: number,
): TokenLogProbs {
  const normaliser = logSumExp(mixed);
  const [byPrompt, byGuidance] = passes.map((logits) => logits[token]! - logSumExp(logits));
  return {
    logProb: mixed[token]! - normaliser,
    top: likeliestTokens(mixed, top, normaliser),
    ...(byGuidance !== undefined && { byPrompt: byPrompt!, byGuidance }),
  };
}

/** @throws {ConfigError} for an option out of range */
export function checkWriting(options: WritingOptions): void {
  checkSampling(options);
  checkCopyOptions(options);
  maxNewTokensOf(options);
}

/** Tokens of a text at most, by its options. @throws {ConfigError} for a number out of range */
export function maxNewTokensOf({ maxNewTokens = 200 }: Pick<WritingOptions, 'maxNewTokens'>): number {
  if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1)
    throw new ConfigError(`maxNewTokens: expected a whole number of at least 1, got ${maxNewTokens}`, {
      code: 'config/range',
    });
  return maxNewTokens;
}

/**
 * Tokens that can be written after a prompt.
 * @param name of the prompt in an error
 * @throws {ConfigError} when not one token can be written
 */
export function tokenLimit(
  prompt: GenerationPrompt,
  name: string,
  options: Pick<WritingOptions, 'maxNewTokens'>,
  { maxPositions }: Pick<DecoderConfig, 'maxPositions'>,
): number {
  const maxNewTokens = maxNewTokensOf(options);
  const lengths = promptsOf(prompt).map((ids) => ids.length);
  if (Math.min(...lengths) < 1 || Math.max(...lengths) >= maxPositions)
    throw new ConfigError(
      `${name}: expected 1 to ${maxPositions - 1} tokens, which leaves the model a position to write at, got ${lengths.join(' and ')}`,
      { code: 'generate/prompt-length', hint: 'Shorten the prompt.' },
    );
  return Math.min(maxNewTokens, maxPositions - Math.max(...lengths));
}
