/** @file What a text copies: the runs of five words and more that stand in a history text, each with the item it comes from. */
import { type WordSpan, wordSpans, wordsOf } from './words.ts';

/** A stretch of the text that stands word for word in one history item. */
export interface CopiedRun {
  /** UTF-16 offset in the text of the run's first word. */
  readonly start: number;
  /** UTF-16 offset in the text after the run's last word. */
  readonly end: number;
  /** Index of the history text; the first one where several hold the run. */
  readonly item: number;
}

/** How much of a text is copied, and what. */
export interface CopiedRuns {
  /** Share of the text's words that stand in a run, 0 to 1; 0 for a text without words. */
  readonly share: number;
  /** In the order of the text, without overlap. */
  readonly runs: readonly CopiedRun[];
}

/** Words that a run has at least: shorter ones are mostly the language's own. */
const FEWEST_COPIED_WORDS = 5;

/**
 * The longest runs of `text` that stand word for word in one of the `history` texts.
 * Words are compared by {@link wordSpans}'s rule, so that case and punctuation do not hide a copy. Where two runs overlap,
 * the later one begins after the earlier one, and may then show fewer words than `fewestWords`.
 * @param fewestWords least length of a run in words, at least 1; default 5
 * Cost: linear in the words of text and history together.
 */
export function copiedRuns(
  text: string,
  history: readonly string[],
  fewestWords: number = FEWEST_COPIED_WORDS,
): CopiedRuns {
  const words = wordSpans(text);
  if (words.length < fewestWords) return { share: 0, runs: [] };
  const matches = longestMatches(words, history);
  const runs: CopiedRun[] = [];
  let covered = 0;
  let free = 0; // index of the first word after the runs so far
  for (const [last, { length, item }] of matches.entries()) {
    const goesOn = (matches[last + 1]?.length ?? 0) > length;
    if (length < fewestWords || goesOn) continue;
    const first = Math.max(free, last - length + 1);
    runs.push({ start: words[first]!.start, end: words[last]!.end, item });
    covered += last - first + 1;
    free = last + 1;
  }
  return { share: covered / words.length, runs };
}

/** Whether each token of a text touches one of its runs; UTF-16 offsets in the text. */
export const copiedTokens = (
  { runs }: CopiedRuns,
  starts: readonly number[],
  ends: readonly number[],
): boolean[] => starts.map((start, t) => runs.some((run) => start < run.end && ends[t]! > run.start));

/** The longest run of history words that ends at a word of the text. */
interface Match {
  /** In words; 0 for none. */
  readonly length: number;
  /** Index of the first history text that holds it. */
  readonly item: number;
}

/** A class of runs of the text's words that end at the same places: a state of the text's suffix automaton. */
interface State {
  /** Words of the longest run of the class. */
  readonly length: number;
  readonly next: Map<string, State>;
  /** The class of the longest suffix that ends at more places. */
  link: State | undefined;
  /** Words of the longest run of the class that stands in the history, and the first text that holds it. */
  found: number;
  item: number;
  /** The first history text that holds any run of the class. */
  earliest: number;
}

/** For each word of the text, the longest run ending there that stands in the history. */
function longestMatches(words: readonly WordSpan[], history: readonly string[]): Match[] {
  const { root, states, prefixes } = suffixAutomaton(words.map(({ word }) => word));
  for (const [item, text] of history.entries()) markRuns(root, wordsOf(text), item);
  // A run that stands in the history has all its suffixes there: longer classes hand down to those they link to.
  for (const state of states.sort((a, b) => b.length - a.length)) {
    const { link, found, earliest } = state;
    if (found === 0 || link === undefined || link === root) continue;
    link.earliest = Math.min(link.earliest, earliest);
    link.item = link.found === link.length ? Math.min(link.item, earliest) : earliest;
    link.found = link.length;
  }
  return prefixes.map((prefix) => {
    let state = prefix;
    while (state.found === 0 && state.link !== undefined) state = state.link;
    return { length: state.found, item: state.item };
  });
}

/** Notes at each state the longest run that ends in these words of a history text. */
function markRuns(root: State, words: readonly string[], item: number): void {
  let state = root;
  let length = 0;
  for (const word of words) {
    while (state.link !== undefined && !state.next.has(word)) {
      state = state.link;
      length = state.length;
    }
    const next = state.next.get(word);
    if (next === undefined) continue;
    state = next;
    length += 1;
    if (length > state.found) {
      state.found = length;
      state.item = item;
    }
    state.earliest = Math.min(state.earliest, item);
  }
}

/** The suffix automaton of the words (Blumer et al. 1985), and its state for each prefix. */
function suffixAutomaton(words: readonly string[]): {
  readonly root: State;
  readonly states: State[];
  readonly prefixes: State[];
} {
  const states: State[] = [];
  const add = (length: number, next: Map<string, State>, link: State | undefined): State => {
    const state = { length, next, link, found: 0, item: -1, earliest: Number.POSITIVE_INFINITY };
    states.push(state);
    return state;
  };
  const root = add(0, new Map(), undefined);
  const prefixes: State[] = [];
  let last = root;
  for (const word of words) {
    const state = add(last.length + 1, new Map(), root);
    let before: State | undefined = last;
    for (; before !== undefined && !before.next.has(word); before = before.link) before.next.set(word, state);
    const target = before?.next.get(word);
    if (before !== undefined && target !== undefined) {
      if (target.length === before.length + 1) {
        state.link = target;
      } else {
        const copy = add(before.length + 1, new Map(target.next), target.link);
        for (; before?.next.get(word) === target; before = before.link) before.next.set(word, copy);
        target.link = copy;
        state.link = copy;
      }
    }
    prefixes.push(state);
    last = state;
  }
  return { root, states, prefixes };
}
