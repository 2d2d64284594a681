/** @file What a rule is that ranks the items of a history for a query. */
import type { Example, HistoryItem } from '../data/example.ts';

/** Whom items are chosen for: everything of an example that may be known before its response is written. */
export type Asker = Pick<Example, 'id' | 'query' | 'queryEmbedding'>;

/** Ranks the items of a history, the user's own or another's. */
export interface RetrievalRule {
  readonly name: string;
  /** Which items it shows, as half a sentence. */
  readonly what: string;
  /** One number an item, in the order of the history: the highest is shown first, the later of equal ones before the earlier. */
  scores(history: readonly HistoryItem[], asker: Asker): ArrayLike<number>;
}
