/** @file The outcome of a refutation in a sentence, and as a table for terminals. */
import { estimateText } from '../../base/number-format.ts';
import { refutationFinding } from '../../method/refutation/outcome.ts';
import type { Refutation, RefutationResult } from '../../method/refutation/results.ts';
import { alignedColumns } from '../comparison/comparison-table.ts';
import { leftOutTexts } from '../text/left-out-text.ts';
import { listed } from '../text/lists.ts';
import { terminalText } from '../text/terminal-text.ts';
import { expectationText, reasonText, testWords } from './test-words.ts';

/** Whether the effect holds, in one sentence. */
export function refutationSummary(refutation: Pick<Refutation, 'tests' | 'userSpecific' | 'users'>): string {
  const finding = refutationFinding(refutation);
  const titles = (names: readonly string[]) =>
    listed(names.map((name) => testWords(name).title.toLowerCase()));
  switch (finding.code) {
    case 'does-not-hold':
      return `The effect does not hold: ${titles(finding.failed)} failed.`;
    case 'not-shown':
      return 'No user-specific effect was found, so there is nothing that the tests could confirm or refute.';
    case 'cannot-tell':
      return `Nothing refutes the effect, but ${titles(finding.open)} could not tell.`;
    case 'holds':
      return `The effect holds: all ${finding.passed.length} tests pass.`;
  }
}

/** The sentence first, then A and C, the tests as aligned lines, and why those that do not pass do not; ends with a line feed. */
export function refutationTable(refutation: Refutation): string {
  const { tests, total, userSpecific, examples, users } = refutation;
  const cells = ({ name, leaves, effect, kept, verdict }: RefutationResult) => [
    terminalText(testWords(name).title),
    expectationText(leaves),
    effect === undefined ? '–' : estimateText(effect),
    kept === undefined ? '–' : estimateText(kept),
    verdict,
  ];
  const rows = [
    ['test', 'expected', 'effect, nats a token', 'share of C left', 'verdict'],
    ...tests.map(cells),
  ];
  const open = tests.filter(({ verdict }) => verdict !== 'passes');
  return [
    refutationSummary(refutation),
    ...leftOutTexts(refutation.leftOut, refutation.maxTokens).map((text) => `! ${text}`),
    '',
    `A  own history against none            ${estimateText(total)}`,
    `C  own history against another user’s  ${estimateText(userSpecific)}`,
    `nats a token; ${examples} texts of ${users} users, mean over users [95% interval by user]`,
    '',
    ...alignedColumns(rows, (column) => column === 2 || column === 3),
    ...(open.length > 0 ? [''] : []),
    ...open.map(
      (test) =>
        `${terminalText(testWords(test.name).title)} ${test.verdict}: ${terminalText(reasonText(test))}`,
    ),
    '',
  ].join('\n');
}
