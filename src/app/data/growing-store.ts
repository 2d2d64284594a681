/** @file A store that begins in memory and moves to DuckDB when its texts outgrow the memory they may take. */
import type { UserText } from '../../method/corpus/user-text.ts';
import { duckdbStore } from './duckdb-store.ts';
import { type AboutItem, memoryStore, sizeOf, type TextStore } from './text-store.ts';

export interface GrowingStoreOptions {
  /** Bytes of texts in memory, and of DuckDB after that. */
  readonly memory: number;
  readonly threads: number;
}

/** The order of users and texts is the same in memory and beyond. */
export function growingStore({ memory, threads }: GrowingStoreOptions): TextStore {
  const small = memoryStore();
  let large: TextStore | undefined;
  let bytes = 0;
  const grow = async () => {
    large = await duckdbStore({ memory, threads });
    for (const text of small.texts) await large.addText(text);
    for (const item of small.items) await large.addItem(item);
    small.clear();
  };
  return {
    addText: async (text: UserText) => {
      if (large !== undefined) return large.addText(text);
      await small.addText(text);
      bytes += sizeOf(text);
      if (bytes > memory) await grow();
    },
    addItem: async (item: AboutItem) => {
      if (large !== undefined) return large.addItem(item);
      await small.addItem(item);
      for (const value of Object.values(item.fields)) bytes += 100 + 2 * value.length;
      if (bytes > memory) await grow();
    },
    byUser: () => (large ?? small).byUser(),
    [Symbol.asyncDispose]: async () => large?.[Symbol.asyncDispose](),
  };
}
