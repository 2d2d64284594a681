/** @file Tables in Markdown, as benchmarks, benches and experiments print them. */

export const markdownRow = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;

/** A table; every row has a cell for each of the head. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map(markdownRow).join('\n');
}
