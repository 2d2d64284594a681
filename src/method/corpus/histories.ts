/** @file From a user's texts to examples: each response with the texts that the user wrote strictly earlier. */
import type { Example, HistoryItem } from '../data/example.ts';
import { comparedForm } from '../data/normalise.ts';
import { isStrictlyBefore, parseTime, type TimeSpan } from '../data/time.ts';
import type { FaultLog } from './source-faults.ts';
import { splitsOfTargets, type TargetOptions } from './target-splits.ts';
import type { UserText } from './user-text.ts';

/** Options of {@link examplesOfUser}. */
export interface HistoryOptions {
  readonly targets: TargetOptions;
  /** Strictly earlier texts that a response needs. */
  readonly minHistory: number;
  /** Latest earlier texts that are kept. */
  readonly maxHistory: number;
}

interface Dated {
  readonly text: UserText;
  readonly id: string;
  readonly span: TimeSpan | undefined;
  readonly item: HistoryItem;
}

/**
 * The examples of one user. A text with an id or a text (as leakage checks compare them) that the user has already is left out.
 * An item is in a history when all of its time lies before the response's; without times, when it stands earlier.
 * @param texts all of one user, oldest first
 */
export function examplesOfUser(
  texts: readonly UserText[],
  options: HistoryOptions,
  faults: FaultLog,
): Example[] {
  const dated = withoutRepeats(texts, faults);
  const ends = dated.map(({ span }) => span?.end ?? Number.NEGATIVE_INFINITY).toSorted((a, b) => a - b);
  const earlierThan = ({ span }: Dated, place: number) =>
    span === undefined ? place : Math.min(place, countUpTo(ends, span.start));
  const isTarget = dated.map((entry, place) => earlierThan(entry, place) >= options.minHistory);
  const user = texts[0]?.user ?? '';
  const splits = splitsOfTargets(user, isTarget.filter(Boolean).length, options.targets).values();
  return dated.flatMap((target, place): Example[] => {
    const { text, id, span } = target;
    const split = isTarget[place] ? splits.next().value : 'early';
    if (split === undefined || split === 'other' || split === 'early') {
      const kinds = { early: 'no-earlier-text', other: 'other-split' } as const;
      faults.add(split === undefined ? 'beyond-targets' : kinds[split], text.place);
      return [];
    }
    const earlier = earlierThan(target, place);
    if (earlier < place) faults.add('same-time', text.place);
    if (earlier > options.maxHistory) faults.add('history-cut', text.place);
    return [
      {
        id: `${escapedName(text.user)}/${id}`,
        user: text.user,
        ...(text.time !== undefined && { time: text.time }),
        query: text.query,
        response: text.text,
        history: latestBefore(dated, place, span, options.maxHistory),
        ...(text.domain !== undefined && { domain: text.domain }),
        ...(split !== 'none' && { split }),
        ...(text.meta !== undefined && { meta: text.meta }),
      },
    ];
  });
}

/** The latest `most` texts before a place of which all lies before the span, oldest first. */
function latestBefore(
  dated: readonly Dated[],
  place: number,
  span: TimeSpan | undefined,
  most: number,
): HistoryItem[] {
  const items: HistoryItem[] = [];
  for (let at = place - 1; at >= 0 && items.length < most; at--) {
    const other = dated[at]!;
    if (other.span === undefined || span === undefined || isStrictlyBefore(other.span, span))
      items.push(other.item);
  }
  return items.reverse();
}

/** How many of the sorted numbers are at most `most`. */
function countUpTo(sorted: readonly number[], most: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! <= most) low = middle + 1;
    else high = middle;
  }
  return low;
}

function itemOf(text: UserText, id: string): HistoryItem {
  const meta = text.domain === undefined ? text.meta : { domain: text.domain, ...text.meta };
  return {
    id,
    ...(text.time !== undefined && { time: text.time }),
    query: text.query,
    text: text.text,
    ...(meta !== undefined && { meta }),
  };
}

function withoutRepeats(texts: readonly UserText[], faults: FaultLog): Dated[] {
  const ids = new Set<string>();
  const seen = new Set<string>();
  return texts.flatMap((text, place): Dated[] => {
    const form = comparedForm(text.text);
    if (seen.has(form)) {
      faults.add('repeated-text', text.place, text.text);
      return [];
    }
    if (text.id !== undefined && ids.has(text.id)) {
      faults.add('duplicate-id', text.place, text.id);
      return [];
    }
    let id = text.id ?? String(place + 1);
    while (ids.has(id)) id = `${id}'`;
    ids.add(id);
    seen.add(form);
    const span = text.time === undefined ? undefined : parseTime(text.time);
    return [{ text, id, span, item: itemOf(text, id) }];
  });
}

/** The user's name in an example's id: `/` separates it from the text's, so that no two pairs give one id. */
function escapedName(user: string): string {
  return user.replaceAll('%', '%25').replaceAll('/', '%2F');
}
