/** @file Trains a byte-level BPE tokenizer: the same merges as Python's `tokenizers`, as a tokenizer.json object. */
import { ConfigError } from '../../base/errors.ts';
import { addedTokenEntry } from './added-tokens.ts';
import { BYTE_CHARACTERS, toByteCharacters, WORD_REGEXP } from './byte-level.ts';
import { MergeQueue } from './merge-queue.ts';

export interface TrainBpeOptions {
  /** Special tokens, bytes and merges together: at least 256 and the special tokens. */
  readonly vocabularySize: number;
  /** Get the ids from 0 on, in this order; no merge spells one of them. */
  readonly specialTokens: readonly string[];
  /** Pairs that occur less often are not merged; default 2. */
  readonly minFrequency?: number;
}

/**
 * A byte-level BPE tokenizer for the texts, as the content of Hugging Face's tokenizer.json.
 *
 * Words are cut by GPT-2's pattern, without a prefix space. The most frequent pair of neighbouring tokens is merged
 * first; among equally frequent ones the smallest (left id, right id), which is the rule of Python's `tokenizers`.
 * Merging stops at the vocabulary's size or when no pair is as frequent as `minFrequency`.
 * @throws {ConfigError} when the vocabulary has no room for the bytes and the special tokens, or those repeat
 * Cost: proportional to the texts for counting, then to the unique words that hold each merged pair.
 */
export function trainByteLevelBpe(texts: Iterable<string>, options: TrainBpeOptions): object {
  const { vocabularySize, specialTokens, minFrequency = 2 } = options;
  if (new Set(specialTokens).size !== specialTokens.length || specialTokens.includes(''))
    throw new ConfigError(`specialTokens: expected different texts, got ${JSON.stringify(specialTokens)}`, {
      code: 'tokenizer/special-tokens',
    });
  const least = specialTokens.length + 256;
  if (!Number.isInteger(vocabularySize) || vocabularySize < least)
    throw new ConfigError(`vocabularySize: expected at least ${least}, got ${vocabularySize}`, {
      code: 'tokenizer/vocabulary-size',
      hint: 'Leave room for 256 bytes, the special tokens and the merges.',
    });
  const tokens = [...specialTokens, ...[...BYTE_CHARACTERS].sort()];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges = learnMerges(
    countWords(texts),
    tokens,
    ids,
    vocabularySize,
    minFrequency,
    new Set(specialTokens),
  );
  return tokenizerJson(specialTokens, ids, merges);
}

/** How often each word occurs, in byte-level characters. */
function countWords(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts)
    for (const [word] of text.matchAll(WORD_REGEXP)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return new Map([...counts].map(([word, count]) => [toByteCharacters(word), count]));
}

/** One number for a pair of ids; ids stay below 2^24, so the order of numbers is the order of pairs. */
const pairOf = (left: number, right: number) => left * 2 ** 24 + right;

/** Learns merges; adds the new tokens to `tokens` and `ids`. */
function learnMerges(
  wordCounts: ReadonlyMap<string, number>,
  tokens: string[],
  ids: Map<string, number>,
  vocabularySize: number,
  minFrequency: number,
  forbidden: ReadonlySet<string>,
): [string, string][] {
  const words = [...wordCounts.keys()].map((word) => Array.from(word, (character) => ids.get(character)!));
  const counts = [...wordCounts.values()];
  const pairCounts = new Map<number, number>();
  const wordsWith = new Map<number, Set<number>>();
  const count = (pair: number, word: number, change: number) => {
    pairCounts.set(pair, (pairCounts.get(pair) ?? 0) + change * counts[word]!);
    if (change < 0) return;
    const holders = wordsWith.get(pair);
    if (holders) holders.add(word);
    else wordsWith.set(pair, new Set([word]));
  };
  words.forEach((word, w) => {
    for (let i = 0; i + 1 < word.length; i++) count(pairOf(word[i]!, word[i + 1]!), w, 1);
  });
  const queue = new MergeQueue();
  for (const [pair, frequency] of pairCounts) queue.push(pair, frequency);

  const merges: [string, string][] = [];
  while (tokens.length < vocabularySize) {
    const top = queue.pop();
    if (!top) break;
    const frequency = pairCounts.get(top.pair)!;
    if (frequency !== top.frequency) {
      if (frequency > 0) queue.push(top.pair, frequency);
      continue;
    }
    if (frequency < Math.max(1, minFrequency)) break;
    const left = Math.floor(top.pair / 2 ** 24);
    const right = top.pair % 2 ** 24;
    const token = tokens[left]! + tokens[right]!;
    if (forbidden.has(token)) continue;
    let id = ids.get(token);
    if (id === undefined) {
      id = tokens.length;
      tokens.push(token);
      ids.set(token, id);
    }
    merges.push([tokens[left]!, tokens[right]!]);
    const holders = wordsWith.get(top.pair) ?? [];
    wordsWith.delete(top.pair);
    const raised = new Set<number>();
    for (const w of holders)
      mergeInWord(words[w]!, left, right, id, (pair, change) => {
        count(pair, w, change);
        if (change > 0) raised.add(pair);
      });
    for (const pair of raised) {
      const raisedTo = pairCounts.get(pair)!;
      if (raisedTo > 0) queue.push(pair, raisedTo);
    }
  }
  return merges;
}

/** Replaces each (left, right) of a word in place, from left to right, and reports which pairs went and came. */
function mergeInWord(
  word: number[],
  left: number,
  right: number,
  merged: number,
  report: (pair: number, change: 1 | -1) => void,
): void {
  let length = 0; // of the part that is done, at the word's front
  for (let i = 0; i < word.length; i++) {
    if (word[i] !== left || i + 1 >= word.length || word[i + 1] !== right) {
      word[length++] = word[i]!;
      continue;
    }
    if (length > 0) {
      report(pairOf(word[length - 1]!, left), -1);
      report(pairOf(word[length - 1]!, merged), 1);
    }
    if (i + 2 < word.length) {
      report(pairOf(right, word[i + 2]!), -1);
      report(pairOf(merged, word[i + 2]!), 1);
    }
    word[length++] = merged;
    i++;
  }
  word.length = length;
}

function tokenizerJson(
  specialTokens: readonly string[],
  ids: ReadonlyMap<string, number>,
  merges: readonly [string, string][],
): object {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => addedTokenEntry(id, content, true)),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(ids),
      merges,
    },
  };
}
