/**
 * @file Writes texts for examples: with the history, without, or anywhere between and beyond by `strength`:
 * logits z_∅ + s · (z_h − z_∅), context-aware decoding (arXiv 2305.14739) with s = 1 + γ. Copying from the shown history is
 * held back, and what was copied all the same is counted.
 */
import { ConfigError } from '../../base/errors.ts';
import { type RandomStream, randomStream } from '../../base/random.ts';
import {
  type DecodingOptions,
  type GenerationPrompt,
  type GenerationStep,
  maxNewTokensOf,
  openTextGenerator,
} from '../../engine/generate/decode.ts';
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { Example, HistoryItem } from '../data/example.ts';
import type { NoticeListener } from '../data/notice.ts';
import { referenceItems } from '../prompts/compared-prompts.ts';
import { hiddenHistories, type PromptSettings, type Prompts, promptsFor } from '../prompts/pair.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { copiedRuns } from '../texts/copied-runs.ts';

/**
 * How texts are written: the prompt, the strength of the history, and how tokens are drawn (see sampling.ts). Copying from the
 * history items that the prompt shows is held back by `copyPenalty`, {@link DEFAULT_COPY_PENALTY} here, and `maxCopiedTokens`
 * (see copy-guard.ts).
 */
export interface GenerationOptions extends DecodingOptions {
  readonly prompt: PromptSettings;
  /** Whether the history is used at all; true by default. */
  readonly history?: boolean;
  /** Another user's items, for the reference value `placebo`. */
  readonly placebo?: readonly HistoryItem[];
  /** s: 0 as without history, 1 as trained (default), above 1 more of the user. */
  readonly strength?: number;
  /** s in z_base + s (z_adapter − z_base): 1, the default, is the adapter as trained, above 1 more of what it learnt (CoPe). */
  readonly contrast?: number;
  /** Texts of each example, 1 by default; they differ where temperature is above 0. */
  readonly count?: number;
  /** Names the draws, with the example's id and the number of the text; 0 by default. */
  readonly seed?: number;
  readonly threads?: number;
  /** Told when no item of the history fits. */
  readonly onNotice?: NoticeListener | undefined;
}

/**
 * One generated token and the text that is sure with it: '' for part of a character, or where a stop string may begin.
 * The last one of a text says why it ended; where that is the end of a turn, it is that token, whose own text is not
 * shown.
 */
export interface GeneratedToken extends Pick<GenerationStep, 'token' | 'text' | 'finish'> {
  /** Which of the examples given, and which of its texts, both from 0. */
  readonly example: number;
  readonly text: string;
  readonly sample: number;
  /** With the last token of a text: what the whole text copies from the history items that were shown. */
  readonly copied?: CopiedText;
}

/** What a text copies from the user's history. */
export interface CopiedText {
  /** Share of its words that stand in runs of five words and more of a history item, 0 to 1. */
  readonly share: number;
  /** Those runs: UTF-16 offsets in the text, and the id of the item. */
  readonly runs: readonly { readonly start: number; readonly end: number; readonly item: string }[];
}

/** An example to write for. */
export interface GenerationRequest {
  readonly example: Example;
  /** Another user's items, for the reference value `placebo`. */
  readonly placebo?: readonly HistoryItem[];
}

/** Texts that are written at once: more share the reading of the weights, and hold more caches. */
const TEXTS_AT_ONCE = 8;

/**
 * Nats a token beyond the fourth of a copied run. Chosen by measurement (docs/results.md, "Copying"): fine-tuned models copy long
 * runs from the history, which users hardly do.
 */
export const DEFAULT_COPY_PENALTY = 0.5;

/**
 * The texts of an example, token by token as they come; the prompt runs once.
 * @throws {ConfigError} for numbers out of range
 * @throws {DataError} as {@link promptsFor}: the query alone fills the prompt
 * @throws {AbortedError} when the signal is aborted
 */
export function generate(
  scored: ScoredModel,
  example: Example,
  options: GenerationOptions,
): AsyncGenerator<GeneratedToken> {
  const { placebo } = options;
  return generateAll(scored, [{ example, ...(placebo && { placebo }) }], options);
}

/**
 * A request with the history that the reference value `placebo` shows, where that is the reference value.
 * @param options `pool` is where other users' histories come from, `seed` draws one
 * @throws {DataError} when no other user has a history
 */
export function generationRequest(
  { model }: ScoredModel,
  example: Example,
  options: Pick<GenerationOptions, 'prompt' | 'maxNewTokens' | 'seed'> & {
    readonly pool: readonly Example[];
  },
): GenerationRequest {
  const placebo = referenceItems(example, model.tokenizer, options.prompt, roomOf(options), options);
  return { example, ...(placebo && { placebo }) };
}

/** The texts of several examples, some at a time; what is written for one does not depend on the others. */
export async function* generateAll(
  scored: ScoredModel,
  requests: readonly GenerationRequest[],
  options: Omit<GenerationOptions, 'placebo'>,
): AsyncGenerator<GeneratedToken> {
  const { prompt, history = true, strength = 1, contrast, count = 1, seed = 0, threads, onNotice } = options;
  if (!(Math.abs(strength) <= 100)) refuse('strength', 'a number from -100 to 100', strength);
  if (contrast !== undefined && !(Math.abs(contrast) <= 100))
    refuse('contrast', 'a number from -100 to 100', contrast);
  if (!Number.isSafeInteger(count) || count < 1) refuse('count', 'a whole number of at least 1', count);
  const { tokenizer } = scored.model;
  const room = roomOf(options);
  const pairs = requests.map(({ example, placebo }) =>
    promptsFor(example, tokenizer, prompt, room, placebo === undefined ? {} : { placebo }),
  );
  const examples = requests.map(({ example }) => example);
  const notice = history ? hiddenHistories(examples, pairs, prompt) : undefined;
  if (notice !== undefined) onNotice?.(notice);
  const shown = examples.map((_, i) => (history && strength !== 0 ? pairs[i]!.shown : []));
  const sources = shown.map((items) => copySources(items, strength, tokenizer));
  const texts = pairs.flatMap((pair, example) =>
    Array.from({ length: count }, (_, sample) => ({
      example,
      sample,
      prompt: {
        ...guidedPrompt(pair, history ? strength : 0),
        sources: sources[example]!,
        random: drawsOf(seed, examples[example]!.id, sample),
      },
    })),
  );
  await using generator = await openTextGenerator(scored.model, scored, {
    contrast,
    ...(threads !== undefined && { threads }),
  });
  for (let start = 0; start < texts.length; start += TEXTS_AT_ONCE) {
    const group = texts.slice(start, start + TEXTS_AT_ONCE);
    const steps = generator.generate(
      group.map(({ prompt }) => prompt),
      { copyPenalty: DEFAULT_COPY_PENALTY, ...options },
    );
    const written = group.map(() => '');
    for await (const { prompt: index, ...step } of steps) {
      const { example, sample } = group[index]!;
      written[index] += step.text;
      const copied = step.finish && { copied: copiedText(written[index]!, shown[example]!) };
      yield { example, sample, ...step, ...copied };
    }
  }
}

/** What `text` copies from these items. */
export function copiedText(text: string, items: readonly HistoryItem[]): CopiedText {
  const { share, runs } = copiedRuns(
    text,
    items.map((item) => item.text),
  );
  return { share, runs: runs.map(({ start, end, item }) => ({ start, end, item: items[item]!.id })) };
}

/** What the example's own response says, and how long it is, is not known here: room is left for what may be written. */
const roomOf = (options: Pick<GenerationOptions, 'maxNewTokens'>) => ({
  least: 1,
  most: maxNewTokensOf(options),
});

/**
 * Both prompts where both are needed; one where s picks one of them, or they are the same.
 * @param both whether both run all the same, so that both log-probabilities of every token are known
 */
export function guidedPrompt(
  pair: Prompts,
  strength: number,
  both = false,
): Pick<GenerationPrompt, 'ids' | 'guidance'> {
  const { withHistoryIds, withoutHistoryIds, hasHistory } = pair;
  const isOne = strength === 1 || strength === 0;
  if (!hasHistory || (isOne && !both)) return { ids: strength === 0 ? withoutHistoryIds : withHistoryIds };
  return { ids: withHistoryIds, guidance: { ids: withoutHistoryIds, strength } };
}

/** Where the draws of a text come from: the seed, the id of the example and the number of the text name it. */
export const drawsOf = (seed: number, example: string, sample: number): RandomStream =>
  randomStream(seed, `generation/${sample}/${example}`);

/** Token ids of the shown texts, which copying is held back from; without the history it can only be chance. */
export const copySources = (
  shown: readonly HistoryItem[],
  strength: number,
  tokenizer: Tokenizer,
): (readonly number[])[] => (strength === 0 ? [] : shown.map(({ text }) => tokenizer.encode(text).ids));

function refuse(name: string, expected: string, value: number): never {
  throw new ConfigError(`${name}: expected ${expected}, got ${value}`, { code: 'config/range' });
}
