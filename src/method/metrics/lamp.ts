/**
 * @file Accuracy, macro-F1, MAE and RMSE by the rules of LaMP's evaluation script: what counts for a prediction that is no label or number.
 * Salemi et al., "LaMP: when large language models meet personalization" (arXiv 2304.11406); LaMP@38c9d4d eval/evaluation.py.
 */
import { strip } from '../../base/python-text.ts';

/** The labels of LaMP-1: which of two papers is cited. */
export const LAMP_1_LABELS: readonly string[] = ['[1]', '[2]'];

/** The labels of LaMP-2, in the script's order. */
export const LAMP_2_LABELS: readonly string[] = [
  ...['sci-fi', 'based on a book', 'comedy', 'action', 'twist ending', 'dystopia', 'dark comedy', 'classic'],
  ...['psychology', 'fantasy', 'romance', 'thought-provoking', 'social commentary', 'violence', 'true story'],
];

/** The place of a text among the labels, white space around it aside; −1 when it is none of them. */
export function labelIndex(text: string, labels: readonly string[]): number {
  return labels.indexOf(strip(text));
}

/** The labels of LaMP-3: ratings. */
export const LAMP_3_LABELS: readonly string[] = ['1', '2', '3', '4', '5'];

/** Labels by the names that commands take. */
const NAMED_LABELS: Readonly<Record<string, readonly string[]>> = {
  'lamp-1': LAMP_1_LABELS,
  'lamp-2': LAMP_2_LABELS,
  'lamp-3': LAMP_3_LABELS,
};

/** Labels, each name of a task (lamp-1, lamp-2, lamp-3) replaced by the task's own. */
export const namedLabels = (names: readonly string[]): readonly string[] =>
  names.flatMap((name) => NAMED_LABELS[name] ?? name);

/** Per label, how often it was predicted rightly, predicted, and expected: what macro-F1 is made of. */
export interface LabelCounts {
  readonly right: readonly number[];
  readonly predicted: readonly number[];
  readonly expected: readonly number[];
}

/** The mean over labels of F1, 0 to 1; a label that is neither predicted nor expected counts 0, as in scikit-learn. */
export function macroF1({ right, predicted, expected }: LabelCounts): number {
  const scores = right.map((hits, label) => {
    const total = predicted[label]! + expected[label]!;
    return total === 0 ? 0 : (2 * hits) / total;
  });
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}

// Python's float(): digits of any script, with single underscores between them.
const NUMBER =
  /^[+-]?(?:\p{Nd}+(?:_\p{Nd}+)*\.?(?:\p{Nd}+(?:_\p{Nd}+)*)?|\.\p{Nd}+(?:_\p{Nd}+)*)(?:e[+-]?\p{Nd}+(?:_\p{Nd}+)*)?$/iu;

/** The number that a text spells to Python's `float`; undefined for other texts, and for nan and inf, at which the script stops. */
export function numberOf(text: string): number | undefined {
  const bare = strip(text);
  if (!NUMBER.test(bare)) return undefined;
  const value = Number(
    bare
      .normalize('NFKC')
      .replaceAll('_', '')
      .replace(/\p{Nd}/gu, asciiDigit),
  );
  return Number.isFinite(value) ? value : undefined;
}

/** The rating that a prediction of a rating from 1 to 5 stands for: the end that is farther from `expected` when it is no number. */
export function ratingOf(prediction: string, expected: number): number {
  return numberOf(prediction) ?? (Math.abs(1 - expected) > Math.abs(5 - expected) ? 1 : 5);
}

/** A decimal digit of any script as 0 to 9: after NFKC, such digits stand in runs of ten with others between. */
function asciiDigit(digit: string): string {
  const code = digit.codePointAt(0)!;
  let zero = code;
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
  return String(code - zero);
}
