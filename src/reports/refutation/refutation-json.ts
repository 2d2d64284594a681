/** @file A refutation as `refute --json` prints it: the numbers, with the words of every test beside them. */
import type { Refutation } from '../../method/refutation/results.ts';
import { matchingText } from '../text/matching-text.ts';
import { refutationSummary } from './refutation-summary.ts';
import { reasonText, testWords } from './test-words.ts';

export function refutationJson(model: string, refutation: Refutation) {
  return {
    model,
    ...refutation,
    matching: matchingText(refutation.matching),
    summary: refutationSummary(refutation),
    tests: refutation.tests.map((test) => ({ ...test, ...testWords(test.name), why: reasonText(test) })),
  };
}
