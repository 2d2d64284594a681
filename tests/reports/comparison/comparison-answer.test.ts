/** @file Tests what a comparison says that training taught. */
import { expect, test } from 'vitest';
import type { Evaluation, PairedDifference, SystemResult } from '../../../src/method/evaluation/results.ts';
import { learningText } from '../../../src/reports/comparison/comparison-answer.ts';

const estimate = (value: number, width: number) => ({ value, low: value - width, high: value + width });
const system = (name: string, nll: number): SystemResult => ({
  name,
  nllWithHistory: estimate(nll, 0.1),
  nllWithoutHistory: estimate(4, 0.1),
  nllOtherHistory: estimate(4, 0.1),
});
const difference = (name: string, value: number, width: number): PairedDifference => ({
  system: name,
  baseline: 'base',
  measure: 'nllWithHistory',
  estimate: estimate(value, width),
  pValue: 0.01,
});
const evaluation = (differences: PairedDifference[]): Evaluation => ({
  name: 'users',
  users: 30,
  examples: 30,
  systems: [system('base', 3.3), system('sft', 1.5), system('worse', 3.4)],
  differences,
});

test('systems whose text got likelier by the whole interval are named with their loss', () => {
  const text = learningText(evaluation([difference('sft', -1.8, 0.1), difference('worse', 0.1, 0.05)]), {
    before: 'base',
    after: ['sft', 'worse'],
  });
  expect(text).toContain('3.30');
  expect(text).toContain('1.50 (sft)');
  expect(text).not.toContain('worse');
});

test('nothing is said where nothing was learnt', () => {
  expect(learningText(evaluation([difference('sft', -0.1, 0.2)]), { before: 'base', after: ['sft'] })).toBe(
    '',
  );
  expect(learningText(evaluation([]), { before: 'base', after: ['sft'] })).toBe('');
});
