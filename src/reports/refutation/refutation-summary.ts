/** @file The outcome of a refutation in sentences, and as a table for terminals. */
import { estimateText } from '../../base/number-format.ts';
import type { Leaves, Verdict } from '../../method/refutation/refutation-test.ts';
import type { Refutation, RefutationResult } from '../../method/refutation/results.ts';
import { alignedColumns } from '../comparison/comparison-table.ts';
import { terminalText } from '../text/terminal-text.ts';

/** What a test expects, short enough for a column. */
export function expectationText(leaves: Leaves | undefined): string {
  if (leaves === undefined) return 'above 0';
  return { nothing: 'nothing left of C', part: 'less of C', all: 'C stays' }[leaves];
}

/** Whether the effect holds, in one sentence. */
export function refutationSummary({ tests, verdict }: Refutation): string {
  const titles = (which: Verdict) => {
    const named = tests.filter((test) => test.verdict === which).map(({ title }) => title.toLowerCase());
    return named.length < 2 ? named.join('') : `${named.slice(0, -1).join(', ')} and ${named.at(-1)}`;
  };
  if (verdict === 'fails') return `The effect does not hold: ${titles('fails')} failed.`;
  const passed = tests.filter((test) => test.verdict === 'passes').length;
  if (verdict === 'passes') return `The effect holds: all ${passed} tests pass.`;
  const pass = passed === 1 ? 'passes' : 'pass';
  return `Nothing refutes the effect, but only ${passed} of ${tests.length} tests ${pass}: ${titles('cannot tell')} could not tell.`;
}

/** The tests as aligned lines, then why those that do not pass do not, then the sentence; ends with a line feed. */
export function refutationTable(refutation: Refutation): string {
  const { tests, total, userSpecific, examples, users } = refutation;
  const cells = ({ title, leaves, effect, kept, verdict }: RefutationResult) => [
    title,
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
    `${examples} examples of ${users} users; means over users [95 % by user], nats a token`,
    `history effect, total (A)      ${estimateText(total)}`,
    `  of it user-specific (C)      ${estimateText(userSpecific)}`,
    '',
    ...alignedColumns(rows, (column) => column === 2 || column === 3),
    '',
    ...open.map(({ title, verdict, why }) => `${title} ${verdict}: ${terminalText(why)}`),
    ...(open.length > 0 ? [''] : []),
    refutationSummary(refutation),
    '',
  ].join('\n');
}
