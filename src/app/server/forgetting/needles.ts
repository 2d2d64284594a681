/** @file What is searched for after a forgetting: pieces of the texts that were removed, which nobody else has written. */
import { pauses } from '../../../base/breathe.ts';
import type { Database } from '../store/database.ts';
import type { StoredItem } from '../store-contract.ts';
import { byteSearch } from './byte-search.ts';

/** Characters of a piece, and of a text that is short enough to be searched for as a whole. */
const LONG = 32;
const SHORTEST = 12;

/** Items of others that are read at a time. */
const ROWS = 500;

/** Pieces of texts, in memory only: they are texts. */
export interface Needles {
  readonly pieces: readonly string[];
  /** Items of which no piece is known: their texts are too short, or others have written the same. */
  readonly itemsWithout: number;
}

/**
 * Up to three pieces of each item's text and one of its query, and the user's id, as far as they occur in no item that stays.
 * @param id the user's, where the user goes; one shorter than {@link SHORTEST} occurs by chance and is left out
 */
export async function needlesOf(
  db: Database,
  user: string,
  items: readonly StoredItem[],
  { id }: { readonly id?: string } = {},
): Promise<Needles> {
  const ofItems = items.map(({ text, query }) => [...piecesOf(text, 3), ...piecesOf(query, 1)]);
  const candidates = new Set(ofItems.flat());
  if (id !== undefined && id.length >= SHORTEST) candidates.add(id);
  const common = await occurringElsewhere(db, user, new Set(items.map((item) => item.id)), [...candidates]);
  const pieces = [...candidates].filter((piece) => !common.has(piece));
  const itemsWithout = ofItems.filter((own) => own.every((piece) => common.has(piece))).length;
  return { pieces, itemsWithout };
}

/** Pieces of a text from different places, without characters that JSON writes in another way. */
function piecesOf(text: string, most: number): string[] {
  const stretches = text.split(/[\p{Cc}"\\]+/u).filter((stretch) => stretch.length >= SHORTEST);
  const long = stretches.flatMap(windowsOf);
  const pieces = long.length > 0 ? long : stretches.slice(0, most);
  if (pieces.length <= most) return pieces;
  return Array.from(
    { length: most },
    (_, i) => pieces[Math.floor((i * (pieces.length - 1)) / Math.max(1, most - 1))]!,
  );
}

/** Stretches cut into pieces of {@link LONG} characters; none where it is shorter. No pair of surrogates is cut. */
function windowsOf(stretch: string): string[] {
  const characters = [...stretch];
  return Array.from({ length: Math.floor(characters.length / LONG) }, (_, i) =>
    characters.slice(i * LONG, (i + 1) * LONG).join(''),
  );
}

/** The candidates that occur in items which stay: those of other users, and the user's others. */
export async function occurringElsewhere(
  db: Database,
  user: string,
  going: ReadonlySet<string>,
  candidates: readonly string[],
): Promise<Set<string>> {
  const found = new Set<string>();
  const search = byteSearch(candidates.map((piece) => Buffer.from(piece)));
  const pause = pauses(undefined);
  for (let last = 0; ; ) {
    const rows = db.all(
      'SELECT rowid, user, id, query, text, meta FROM items WHERE rowid > ? ORDER BY rowid LIMIT ?',
      last,
      ROWS,
    );
    if (rows.length === 0) return found;
    last = rows.at(-1)!.rowid as number;
    for (const row of rows) {
      if (row.user === user && going.has(row.id as string)) continue;
      const bytes = Buffer.from(`${row.user}\n${row.query}\n${row.text}\n${row.meta ?? ''}`);
      for (const { needle } of search(bytes)) found.add(candidates[needle]!);
    }
    await pause();
  }
}
