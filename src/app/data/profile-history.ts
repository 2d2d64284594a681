/** @file Profiles of benchmarks as histories: texts plain and of bounded length, ids unique, oldest first where all have times. */
import { cleanText } from '../../method/corpus/clean-text.ts';
import { firstWords } from '../../method/corpus/first-words.ts';
import type { FaultLog } from '../../method/corpus/source-faults.ts';
import type { Place } from '../../method/corpus/user-text.ts';
import type { HistoryItem, Split } from '../../method/data/example.ts';
import { readTime } from '../../method/data/read-time.ts';
import { isStrictlyBefore, parseTime } from '../../method/data/time.ts';

/** One item of a profile before it is checked. */
export interface ProfileItem {
  readonly id?: string | undefined;
  /** Any form of {@link readTime}. */
  readonly time?: unknown;
  readonly query?: string | undefined;
  readonly text?: string | undefined;
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** Characters of a history text, and of its query, that are kept. */
export const ITEM_LENGTH = 4000;

export interface ProfileOptions {
  readonly maxItemLength?: number | undefined;
  /** Time of the response; items that are not strictly earlier are left out. */
  readonly before?: string | undefined;
}

/** The items as a history; those without text, with an id or text that is there, or not strictly earlier are left out and told. */
export function profileHistory(
  items: readonly ProfileItem[],
  place: Place,
  faults: FaultLog,
  { maxItemLength = ITEM_LENGTH, before }: ProfileOptions = {},
): HistoryItem[] {
  const ids = new Set<string>();
  const end = before === undefined ? undefined : parseTime(before);
  const dated = items.flatMap((item, at) => {
    const text = cleanText(item.text ?? '');
    if (text === '') {
      faults.add('missing-text', place, `history item ${at + 1}`);
      return [];
    }
    const given = item.id?.trim() || undefined;
    if (given !== undefined && ids.has(given)) {
      faults.add('duplicate-id', place, given);
      return [];
    }
    const id = given ?? `h${at + 1}`;
    ids.add(id);
    const time = item.time === undefined || item.time === null ? undefined : readTime(item.time)?.iso;
    if (item.time && time === undefined) faults.add('unreadable-time', place, String(item.time));
    const span = time === undefined ? undefined : parseTime(time);
    if (span !== undefined && end !== undefined && !isStrictlyBefore(span, end)) {
      faults.add('same-time', place, `${time} against ${before}`);
      return [];
    }
    if (text.length > maxItemLength) faults.add('cut-text', place, `${text.length} characters`);
    const kept: HistoryItem = {
      id,
      ...(time !== undefined && { time }),
      query: firstWords(cleanText(item.query ?? ''), maxItemLength),
      text: firstWords(text, maxItemLength),
      ...(item.meta !== undefined && { meta: item.meta }),
    };
    return [{ kept, start: span?.start }];
  });
  // Items without times have no order but their own; one without would make the order of the others meaningless.
  if (dated.every(({ start }) => start !== undefined)) dated.sort((a, b) => a.start! - b.start!);
  else if (dated.some(({ start }) => start !== undefined))
    return dated.map(({ kept: { time: _, ...item } }) => item);
  return dated.map(({ kept }) => kept);
}

/** The split that a file's name or folder says, such as `train_questions.json` or `val-00000-of-00003.parquet`. */
export function splitOfPath(path: string): Split | undefined {
  const name = path.split(/[/\\]/).at(-1)!.toLowerCase();
  if (/(?:^|[^a-z])train/.test(name)) return 'train';
  if (/(?:^|[^a-z])(?:val|valid|validation|dev)(?:[^a-z]|$)/.test(name)) return 'validation';
  return /(?:^|[^a-z])test/.test(name) ? 'test' : undefined;
}
