/** @file Where texts wait to be grouped by user and sorted by time: in memory while they are few, in DuckDB beyond. */

import type { UserText } from '../../method/corpus/user-text.ts';
import { parseTime } from '../../method/data/time.ts';

/** What a text is about, such as a product: completes the query of texts that name its key. */
export interface AboutItem {
  readonly key: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** A text with what it is about. */
export interface StoredText {
  readonly text: UserText;
  readonly about?: Readonly<Record<string, string>>;
}

/** Texts of all users; disposed when done. */
export interface TextStore extends AsyncDisposable {
  addText(text: UserText): Promise<void>;
  addItem(item: AboutItem): Promise<void>;
  /** Users in order of their names, each one's texts oldest first; texts of one time in the order of the source. */
  byUser(): AsyncIterable<readonly StoredText[]>;
}

/** The time that texts are sorted by. */
export function sortTime(text: UserText): number {
  return text.time === undefined ? 0 : (parseTime(text.time)?.start ?? 0);
}

/** A rough size of a text in memory, in bytes. */
export function sizeOf(text: UserText): number {
  return 400 + 2 * (text.text.length + text.query.length + text.user.length);
}

/** A store in memory, which can be looked into and emptied. */
export interface MemoryStore extends TextStore {
  readonly texts: readonly UserText[];
  readonly items: readonly AboutItem[];
  clear(): void;
}

export function memoryStore(): MemoryStore {
  const texts: UserText[] = [];
  const items = new Map<string, AboutItem>();
  return {
    texts,
    get items() {
      return [...items.values()];
    },
    addText: async (text) => {
      texts.push(text);
    },
    addItem: async (item) => {
      if (!items.has(item.key)) items.set(item.key, item);
    },
    byUser: async function* () {
      const groups = new Map<string, UserText[]>();
      for (const text of texts) {
        const group = groups.get(text.user);
        if (group === undefined) groups.set(text.user, [text]);
        else group.push(text);
      }
      for (const user of [...groups.keys()].sort(byBytes))
        yield groups
          .get(user)!
          .map((text, place) => ({ text, place, time: sortTime(text) }))
          .sort((a, b) => a.time - b.time || a.place - b.place)
          .map(({ text }) => {
            const about = text.about === undefined ? undefined : items.get(text.about)?.fields;
            return { text, ...(about !== undefined && { about }) };
          });
    },
    clear: () => {
      texts.length = 0;
      items.clear();
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** The order of UTF-8 bytes, which is DuckDB's. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
