/** @file The texts that a user's own adapter learns from, found by one of two rules. */
import { groupBy } from '../../base/group-by.ts';
import type { Example, HistoryItem } from './example.ts';
import { isStrictlyBefore, parseTime } from './time.ts';

/**
 * By which rule: `rows`, the user's rows as training takes them; or `history`, the items of their histories: each earlier text once,
 * its query to its text, with the items strictly before it as its history. The responses of the rows have no part in `history`.
 */
export type UserTexts = 'rows' | 'history';

/** Names of the rules. */
export const userTextsRules: readonly UserTexts[] = ['rows', 'history'];

/** What is asked for where only "per user" is said. */
export const DEFAULT_USER_TEXTS: UserTexts = 'rows';

/** The texts of every user, users in the order of their first row; none of a user without texts of that rule. */
export function textsOfUsers(examples: readonly Example[], rule: UserTexts): Map<string, readonly Example[]> {
  const rows = groupBy(examples, ({ user }) => user);
  if (rule === 'rows') return rows;
  const texts = [...rows].map(([user, own]) => [user, earlierTexts(user, own)] as const);
  return new Map(texts.filter(([, own]) => own.length > 0));
}

/** Every item of the histories once, as an example of its own, oldest first. */
function earlierTexts(user: string, rows: readonly Example[]): Example[] {
  const byContent = new Map<string, HistoryItem>();
  const domains = new Map<HistoryItem, string>();
  for (const { history, domain } of rows)
    for (const item of history) {
      const key = JSON.stringify([item.time ?? null, item.query, item.text]);
      if (byContent.has(key) || item.text.trim() === '') continue;
      byContent.set(key, item);
      if (domain !== undefined) domains.set(item, domain);
    }
  const items = inOrder([...byContent.values()]);
  const ids = new Set<string>();
  return items.map((item, place): Example => {
    const domain = domains.get(item);
    return {
      id: differentFrom(ids, item.id),
      user,
      query: item.query,
      response: item.text,
      history: items.slice(0, place).filter((earlier) => liesBefore(earlier, item)),
      ...(item.time !== undefined && { time: item.time }),
      ...(domain !== undefined && { domain }),
    };
  });
}

/** By time where every item has one that can be read, else as the rows have them. */
function inOrder(items: readonly HistoryItem[]): HistoryItem[] {
  const starts = new Map(items.map((item) => [item, startOf(item)]));
  if ([...starts.values()].includes(undefined)) return [...items];
  return items.toSorted((a, b) => starts.get(a)! - starts.get(b)!);
}

const startOf = ({ time }: HistoryItem) => (time === undefined ? undefined : parseTime(time)?.start);

/** Whether an item that comes earlier in the order does so in time: two of one day are no history of each other. */
function liesBefore(earlier: HistoryItem, later: HistoryItem): boolean {
  const [a, b] = [earlier.time, later.time].map((time) => (time === undefined ? undefined : parseTime(time)));
  return a === undefined || b === undefined || isStrictlyBefore(a, b);
}

/** Items of two histories may share an id. */
function differentFrom(taken: Set<string>, id: string): string {
  let name = id;
  for (let count = 2; taken.has(name); count++) name = `${id} (${count})`;
  taken.add(name);
  return name;
}
