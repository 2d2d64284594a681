/** @file A text under construction whose every character has a cause. */
import type { Cause, CauseSpan } from '../data/example.ts';

/** Collects words and their causes. */
export interface CauseText {
  /** Adds the log ratio of an open choice, nats, to the next word: the word that settles the choice. */
  settle(logRatio: number): void;
  /** Appends a word; the space before it has the word's cause, punctuation behind it is `neither`. */
  word(word: string, cause: Cause): void;
  /** The text, and spans that cover it; neighbours of one cause without log ratio are one span. */
  finish(): { readonly text: string; readonly causes: readonly CauseSpan[] };
}

/** An empty text. */
export function causeText(): CauseText {
  let text = '';
  let pending: number | undefined;
  const causes: CauseSpan[] = [];
  const append = (piece: string, cause: Cause, logRatio?: number) => {
    const start = text.length;
    text += piece;
    const last = causes.at(-1);
    if (logRatio !== undefined) causes.push({ start, end: text.length, cause, logRatio });
    else if (last?.cause === cause && last.logRatio === undefined)
      causes[causes.length - 1] = { ...last, end: text.length };
    else causes.push({ start, end: text.length, cause });
  };
  return {
    settle(logRatio) {
      pending = (pending ?? 0) + logRatio;
    },
    word(word, cause) {
      const letters = /^[\p{L}\p{N}'-]*/u.exec(word)![0];
      append((text === '' ? '' : ' ') + letters, cause, pending);
      pending = undefined;
      if (letters.length < word.length) append(word.slice(letters.length), 'neither');
    },
    finish: () => ({ text, causes }),
  };
}
