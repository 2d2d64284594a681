/** @file Plain tables and numbers for terminals: columns lined up, numbers to the right. */
import type { Estimate } from '../../base/statistics.ts';

/** Lines of a table with two spaces between its columns; columns of `right` are set flush right. */
export function textTable(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => widthOf(row[column] ?? ''))),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat(widths[column]! - widthOf(cell));
        return right.includes(column) ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** A value with its interval, such as `2.310 [2.201, 2.420]`. */
export function estimateText({ value, low, high }: Estimate, digits = 3): string {
  return `${value.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
}

/** A text on one line, at most `width` characters. */
export function oneLine(text: string, width: number): string {
  // Users' texts must not steer the terminal: control characters show as spaces.
  const flat = text.replace(/[\p{Cc}\s]+/gu, ' ');
  return flat.length <= width ? flat : `${flat.slice(0, width - 1)}…`;
}

const widthOf = (text: string) => [...text].length;
