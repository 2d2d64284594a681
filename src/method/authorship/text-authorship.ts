/** @file Does a text sound like its author: each sentence's likelihood after the author's history, after none, and after others'. */
import { DataError } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { type BootstrapOptions, bootstrapUsers } from '../../base/statistics/bootstrap.ts';
import { type Estimate, intervalOfEnough, shownSide } from '../../base/statistics/estimate.ts';
import type { Example, HistoryItem } from '../data/example.ts';
import { sentencesOf } from '../data/sentences.ts';
import { namedEffects } from '../effects/named-effects.ts';
import { promptOf } from '../prompts/collate.ts';
import { type PromptPair, type PromptSettings, promptPair } from '../prompts/pair.ts';
import type { Scorer } from '../scoring/pair-effects.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { createScorer, type ScorerOptions } from '../scoring/scorer.ts';

/** What the likelihoods say of a text or a sentence. */
export type AuthorshipVerdict = 'yours' | 'anybody’s' | 'somebody else’s';

/** One sentence of the text; nats, summed over its tokens. */
export interface SentenceAuthorship {
  /** UTF-16 offsets in the text. */
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
  /** log p after the own history − log p after none. */
  readonly total: number;
  /** log p after the own history − mean log p after others'. */
  readonly userSpecific: number;
  /** By {@link SENTENCE_EVIDENCE} nats. */
  readonly verdict: AuthorshipVerdict;
}

/** A text beside its author's history; means over tokens in nats, intervals over sentences. */
export interface TextAuthorship {
  readonly sentences: readonly SentenceAuthorship[];
  readonly total: Estimate;
  readonly userSpecific: Estimate;
  /** By the interval of `userSpecific`; `anybody’s` for texts of fewer than five sentences, whose interval says nothing. */
  readonly verdict: AuthorshipVerdict;
  /** Other authors compared with. */
  readonly others: number;
  /** Items of each history that the model saw, the latest. */
  readonly historyItems: number;
}

/** How a text is compared with authors. */
export interface TextAuthorshipOptions extends Omit<ScorerOptions, 'objective' | 'objectiveOptions'> {
  readonly prompt: PromptSettings;
  /** What the text answers, such as a title; empty by default. */
  readonly query?: string;
  readonly bootstrap?: BootstrapOptions;
  /** An open scorer of the same model, where many texts are scored; it stays open. */
  readonly scorer?: Scorer;
  readonly onProgress?: ProgressListener;
}

/** Nats that make a sentence `yours` or `somebody else’s`: ten to one. */
export const SENTENCE_EVIDENCE = Math.log(10);

/** Share of the prompt's tokens that a passage of the text may take: the rest is for the history. */
const PASSAGE_SHARE = 1 / 3;

/**
 * Scores a text, cut into passages of whole sentences where it is long. All histories show the same number of items.
 * @param history of the author, oldest first
 * @param others histories of other authors, at least one
 * @throws {DataError} for a text without words, when there is nobody to compare with, no item of a history fits, or a sentence
 *   is too long
 * Cost: 2 + `others` passes for each passage.
 */
export async function textAuthorship(
  scored: ScoredModel,
  text: string,
  history: readonly HistoryItem[],
  others: readonly (readonly HistoryItem[])[],
  options: TextAuthorshipOptions,
): Promise<TextAuthorship> {
  const { query = '', bootstrap = {}, onProgress } = options;
  const settings: PromptSettings = { ...options.prompt, reference: 'removed' };
  const { tokenizer } = scored.model;
  const spans = sentenceSpans(text);
  if (spans.length === 0) throw missing('text', 'sentences', 'a text without any');
  if (others.length === 0) throw missing('others', 'the history of another author', 'none');
  const passages = passagesOf(
    spans,
    text,
    Math.floor(settings.maxTokens * PASSAGE_SHARE),
    (part) => tokenizer.encode(part).ids.length,
  );
  const pairOf = ({ start, end }: Span, items: readonly HistoryItem[]): PromptPair => {
    const example: Example = {
      id: 'text',
      user: 'author',
      query,
      response: text.slice(start, end),
      history: items,
    };
    return promptPair(example, tokenizer, settings);
  };
  const histories = [history, ...others];
  const used = Math.min(
    ...passages.flatMap((passage) => histories.map((items) => pairOf(passage, items).historyItemsUsed)),
  );
  if (used === 0)
    throw missing('history', `items of every author that fit into ${settings.maxTokens} tokens`, 'none');
  const compared = passages.map((passage) => ({
    passage,
    pairs: histories.map((items) => pairOf(passage, items.slice(items.length - used))),
  }));
  await using opened = options.scorer === undefined ? createScorer(scored, options) : undefined;
  const scorer = options.scorer ?? opened!;
  const prompts = compared.flatMap(({ pairs }) => [
    promptOf(pairs[0]!, 'withoutHistoryIds'),
    ...pairs.map((pair) => promptOf(pair)),
  ]);
  const scores = await scorer.logProbabilities(prompts, (done) =>
    onProgress?.({ stage: 'authorship', done, total: prompts.length, unit: 'prompts' }),
  );
  const sums = spans.map(() => ({ tokens: 0, total: 0, userSpecific: 0 }));
  let place = 0;
  const next = () => scores[place++]!;
  for (const { passage, pairs } of compared) {
    const [without, own, ...rest] = [next(), ...pairs.map(next)] as [
      Float32Array,
      Float32Array,
      ...Float32Array[],
    ];
    // The end of the turn belongs to no sentence: it is where the passage was cut.
    for (const [t, end] of pairs[0]!.responseEnds.slice(0, -1).entries()) {
      const sum = sums[spans.findLastIndex(({ start }) => start < passage.start + end)]!;
      sum.tokens += 1;
      const others = rest.map((values) => values[t]!);
      const named = namedEffects({ own: own[t]!, none: without[t]!, others });
      sum.total += named.total;
      sum.userSpecific += named.userSpecific;
    }
  }
  const perToken = (of: 'total' | 'userSpecific') => {
    const ofCounts = (counts: Int32Array) => {
      const drawn = (value: (sum: (typeof sums)[number]) => number) =>
        sums.reduce((all, sum, s) => all + counts[s]! * value(sum), 0);
      return drawn((sum) => sum[of]) / drawn((sum) => sum.tokens);
    };
    return intervalOfEnough(bootstrapUsers(sums.length, ofCounts, bootstrap), sums.length);
  };
  const userSpecific = perToken('userSpecific');
  return {
    sentences: sums.map((sum, s): SentenceAuthorship => {
      return { ...spans[s]!, ...sum, verdict: verdictOf(Math.trunc(sum.userSpecific / SENTENCE_EVIDENCE)) };
    }),
    total: perToken('total'),
    userSpecific,
    verdict: verdictOf(shownSide(userSpecific, sums.length)),
    others: others.length,
    historyItems: used,
  };
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function verdictOf(side: number): AuthorshipVerdict {
  return side > 0 ? 'yours' : side < 0 ? 'somebody else’s' : 'anybody’s';
}

/** Where the sentences stand in the text. */
function sentenceSpans(text: string): Span[] {
  let from = 0;
  return sentencesOf(text).map((sentence) => {
    const start = text.indexOf(sentence, from);
    from = start + sentence.length;
    return { start, end: from };
  });
}

/** Stretches of whole sentences of at most `most` tokens, except for a single longer sentence. */
function passagesOf(
  spans: readonly Span[],
  text: string,
  most: number,
  count: (part: string) => number,
): Span[] {
  const passages: Span[] = [];
  for (const span of spans) {
    const last = passages.at(-1);
    if (last !== undefined && count(text.slice(last.start, span.end)) <= most)
      passages[passages.length - 1] = { start: last.start, end: span.end };
    else passages.push(span);
  }
  return passages;
}

function missing(subject: string, expected: string, got: string): DataError {
  return new DataError(`${subject}: expected ${expected}, got ${got}`, {
    code: 'data/authorship',
    hint: 'Give a text, earlier texts of its author, and texts of other authors.',
  });
}
