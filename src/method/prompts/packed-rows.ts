/**
 * @file The rows of one padded batch that cost least: sequences that begin alike share a row, and short rows stand one after the
 * other in place of padding.
 */
import { planRows, type RowLimits, rowTokens, unboundRows } from './shared-prefixes.ts';

/** What one row costs by its tokens, as {@link RowLimits} has it. */
export type RowCost = RowLimits['cost'];

/** Rows of one batch. */
export interface PackedRows {
  /** Places of the sequences of each row. */
  readonly layout: readonly (readonly number[])[];
  /** Tokens of each row with its padding. */
  readonly length: number;
  /** Of all rows. */
  readonly cost: number;
}

/**
 * Packs sequences into rows, all padded to the longest of them. Every number of rows is tried, from one sequence a row and from
 * rows of those that share their beginnings; what costs no less than one sequence a row stays that.
 */
export function packedRows(sequences: readonly Int32Array[], cost: RowCost): PackedRows {
  const alone = sequences.map((_, place) => [place]);
  const responses = sequences.map(() => 0);
  const shared = planRows(sequences, responses, unboundRows(cost)).map(({ places }) => [...places]);
  let best = padded(alone, sequences, cost);
  const least = rowTokens([...sequences.keys()], sequences);
  for (const rows of [alone, shared]) {
    const longest = Math.max(...rows.map((row) => rowTokens(row, sequences)));
    for (let count = rows.length; count >= 1; count--) {
      if (count * cost(Math.max(longest, least / count)) >= best.cost) continue;
      const packed = padded(inRows(rows, count, sequences), sequences, cost);
      if (packed.cost < best.cost) best = packed;
    }
  }
  return best;
}

function padded(
  layout: readonly (readonly number[])[],
  sequences: readonly Int32Array[],
  cost: RowCost,
): PackedRows {
  const length = Math.max(...layout.map((row) => rowTokens(row, sequences)));
  return { layout, length, cost: layout.length * cost(length) };
}

/** Some rows in fewer, as even as they get: the longest first, each to the row with the fewest tokens. */
function inRows(
  rows: readonly (readonly number[])[],
  count: number,
  sequences: readonly Int32Array[],
): number[][] {
  const sized = rows.map((places) => ({ places, tokens: rowTokens(places, sequences) }));
  sized.sort((a, b) => b.tokens - a.tokens || a.places[0]! - b.places[0]!);
  const filled = Array.from({ length: count }, () => ({ places: [] as number[], tokens: 0 }));
  for (const { places, tokens } of sized) {
    const row = filled.reduce((least, each) => (each.tokens < least.tokens ? each : least));
    row.places.push(...places);
    row.tokens += tokens;
  }
  return filled.map(({ places }) => places);
}
