/** @file What a set of examples holds: users, splits, items per user, lengths. */
import type { Example, Split } from './example.ts';
import { countWords } from './sentences.ts';

/** Least, middle and greatest of a set of numbers. */
export interface Range {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Counts of a set of examples. */
export interface ExampleStatistics {
  readonly examples: number;
  readonly users: number;
  /** Examples of each split; `none` are rows that name no split. */
  readonly splits: Readonly<Record<Split | 'none', number>>;
  readonly examplesPerUser: Range;
  /** History items of one example. */
  readonly historyItems: Range;
  /** Words (runs without white space) of one response. */
  readonly responseWords: Range;
  /** Words of all history texts of one example. */
  readonly historyWords: Range;
  /** Share of examples whose history is empty, 0 to 1. */
  readonly emptyHistoryShare: number;
}

/** The counts of `examples`; all zero when there is none. */
export function describeExamples(examples: readonly Example[]): ExampleStatistics {
  const perUser = new Map<string, number>();
  const splits = { train: 0, validation: 0, test: 0, none: 0 };
  for (const { user, split } of examples) {
    perUser.set(user, (perUser.get(user) ?? 0) + 1);
    splits[split ?? 'none']++;
  }
  const empty = examples.filter((example) => example.history.length === 0).length;
  return {
    examples: examples.length,
    users: perUser.size,
    splits,
    examplesPerUser: rangeOf([...perUser.values()]),
    historyItems: rangeOf(examples.map((example) => example.history.length)),
    responseWords: rangeOf(examples.map((example) => countWords(example.response))),
    historyWords: rangeOf(
      examples.map((example) => example.history.reduce((sum, item) => sum + countWords(item.text), 0)),
    ),
    emptyHistoryShare: examples.length === 0 ? 0 : empty / examples.length,
  };
}

function rangeOf(values: readonly number[]): Range {
  if (values.length === 0) return { min: 0, median: 0, max: 0 };
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { min: sorted[0]!, median, max: sorted.at(-1)! };
}
