/** @file The table of systems as aligned plain text, for terminals and logs. */

import { largest } from '../../base/largest.ts';
import { estimateText, pValueText } from '../../base/number-format.ts';
import type { Measure, PairedDifference, SystemResult } from '../../method/evaluation/results.ts';
import { matchingText } from '../text/matching-text.ts';
import { displayWidth, terminalText } from '../text/terminal-text.ts';
import { measureWords } from './measure-words.ts';

/** Measures that are columns, in order. */
export const systemMeasures = [
  'nllWithHistory',
  'nllWithoutHistory',
  'nllOtherHistory',
  'authorIdentification',
] as const satisfies readonly Measure[];

/** Heads of the columns: short, since the interval beneath is what needs the room. */
export const systemHeads: Readonly<Record<(typeof systemMeasures)[number], string>> = {
  nllWithHistory: 'NLL with history',
  nllWithoutHistory: 'without',
  nllOtherHistory: 'another user’s',
  authorIdentification: 'author identified',
};

/**
 * One line for each system, `value [low, high]` in every cell, columns aligned; ends with a line feed.
 * @param systems in the order of the lines; what a system lacks is `–`
 */
export function systemsTable(systems: readonly SystemResult[]): string {
  const columns = systemMeasures.filter((measure) => systems.some((system) => system[measure] !== undefined));
  const rows = systems.map((system) => [
    terminalText(system.name),
    ...columns.map((measure) => {
      const estimate = system[measure];
      return estimate === undefined ? '–' : estimateText(estimate);
    }),
  ]);
  const head = ['system', ...columns.map((measure) => systemHeads[measure])];
  const lines = alignedColumns([head, ...rows]);
  const identified = systems.find((system) => system.authorIdentification)?.authorIdentification;
  return [
    lines[0]!,
    '─'.repeat(displayWidth(lines[0]!)),
    ...lines.slice(1),
    `NLL in ${measureWords.nllWithHistory.unit}; mean over users [95% interval by user]`,
    ...(identified === undefined
      ? []
      : [
          `author identified among ${identified.k}, matched by ${terminalText(matchingText(identified.matching))}; chance ${(1 / identified.k).toFixed(2)}`,
        ]),
    '',
  ].join('\n');
}

/** One line for each difference: systems, measure, `value [low, high]`, p; ends with a line feed. */
export function differencesTable(differences: readonly PairedDifference[]): string {
  const rows = differences.map(({ system, baseline, measure, estimate, pValue }) => [
    `${terminalText(system)} − ${terminalText(baseline)}`,
    measureWords[measure].label,
    estimateText(estimate),
    pValueText(pValue),
  ]);
  return alignedColumns(rows, (column) => column === 2)
    .map((line) => `${line}\n`)
    .join('');
}

/**
 * Rows of equal cells as lines, two spaces between columns.
 * @param isRight which columns stand to the right; all but the first by default
 */
export function alignedColumns(
  rows: readonly (readonly string[])[],
  isRight: (column: number) => boolean = (column) => column > 0,
): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    largest(rows.map((row) => displayWidth(row[column] ?? ''))),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const space = ' '.repeat(widths[column]! - displayWidth(cell));
        return isRight(column) ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd(),
  );
}
