/** @file What a set of examples holds, in numbers and in one pass: users, items, lengths, times, repeats, own names, leaks. */
import type { Example, Split } from '../data/example.ts';
import { ownLeaks } from '../data/leakage.ts';
import { comparedForm } from '../data/normalise.ts';
import { countWords } from '../data/sentences.ts';
import { parseTime } from '../data/time.ts';
import { counter, type Distribution } from './distribution.ts';
import { holdsName } from './own-names.ts';
import { textHashes } from './text-hashes.ts';

/** Rows of one kind: how many, their share, and the first ones by name. */
export interface NamedRows {
  readonly count: number;
  /** Of the rows that were looked at. */
  readonly share: number;
  readonly first: readonly string[];
}

/** What a set of examples holds. */
export interface DataDescription {
  readonly examples: number;
  readonly users: number;
  readonly splits: Readonly<Record<Split | 'none', { readonly examples: number; readonly users: number }>>;
  /** The twenty most frequent, and how many there are. */
  readonly domains: { readonly count: number; readonly most: readonly (readonly [string, number])[] };
  readonly examplesPerUser: Distribution | undefined;
  readonly historyItems: Distribution | undefined;
  /** Examples with an empty history. */
  readonly withoutHistory: number;
  readonly words: {
    readonly query: Distribution | undefined;
    readonly response: Distribution | undefined;
    readonly item: Distribution | undefined;
  };
  readonly times: {
    /** ISO dates of the first and last response that has a time. */
    readonly first?: string;
    readonly last?: string;
    readonly without: number;
    /** Responses by year. */
    readonly years: readonly (readonly [number, number])[];
  };
  /** Responses whose text is another's too, as leakage checks compare them. */
  readonly repeatedResponses: NamedRows;
  /** Responses and history texts that hold a name of their author. */
  readonly ownNames: NamedRows;
  /** Rows that leak; empty data sets of leaks are what training wants. */
  readonly leaks: NamedRows;
}

export interface Describer {
  /** First pass. */
  add(example: Example): void;
  /** Whether a second pass over the same examples could find more leaks: between splits. */
  needsSecondPass(): boolean;
  addAgain(example: Example): void;
  result(): DataDescription;
}

const SHOWN = 5;
/** Between examples, texts of fewer words are not compared, as in the leakage check. */
const LEAST_WORDS = 8;

export function describer(): Describer {
  const users = new Map<string, number>();
  const splits = new Map<Split | 'none', { examples: number; users: ReturnType<typeof textHashes> }>();
  const domains = new Map<string, number>();
  const years = new Map<number, number>();
  const [items, query, response, item] = [counter(), counter(), counter(), counter()];
  const [responses, heldOut, itemsSeen] = [textHashes(), textHashes(), textHashes()];
  const [repeats, names, leaks] = [rows(), rows(), rows()];
  let [examples, withoutHistory, withoutTime, texts] = [0, 0, 0, 0];
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

  const comparable = (text: string) => (countWords(text) < LEAST_WORDS ? undefined : comparedForm(text));
  const add = (example: Example) => {
    examples += 1;
    users.set(example.user, (users.get(example.user) ?? 0) + 1);
    const split = splits.get(example.split ?? 'none') ?? { examples: 0, users: textHashes() };
    split.examples += 1;
    split.users.add(example.user);
    splits.set(example.split ?? 'none', split);
    if (example.domain !== undefined) domains.set(example.domain, (domains.get(example.domain) ?? 0) + 1);
    items.add(example.history.length);
    if (example.history.length === 0) withoutHistory += 1;
    query.add(countWords(example.query));
    response.add(countWords(example.response));
    const span = example.time === undefined ? undefined : parseTime(example.time);
    if (span === undefined) withoutTime += 1;
    else {
      const year = new Date(span.start).getUTCFullYear();
      years.set(year, (years.get(year) ?? 0) + 1);
      first = Math.min(first, span.start);
      last = Math.max(last, span.start);
    }
    if (responses.add(comparedForm(example.response))) repeats.add(example.id);
    const own = [example.user, ...namesOf(example)];
    texts += 1;
    if (holdsName(example.response, own)) names.add(`${example.id}: response`);
    for (const { id, text } of example.history) {
      // An item that several examples of a user show is one text.
      if (itemsSeen.add(JSON.stringify([example.user, text]))) continue;
      texts += 1;
      item.add(countWords(text));
      if (holdsName(text, own)) names.add(`${example.id}: history item ${id}`);
    }
    for (const leak of ownLeaks(example)) leaks.add(leak);
    const held = example.split === 'validation' || example.split === 'test';
    const form = held ? comparable(example.response) : undefined;
    if (form !== undefined) heldOut.add(form);
  };
  const addAgain = (example: Example) => {
    if (example.split !== 'train') return;
    const leaked = (text: string) => {
      const form = comparable(text);
      return form !== undefined && heldOut.has(form);
    };
    const name = `example "${example.id}" (train)`;
    if (leaked(example.response)) leaks.add(`${name}: response is one that is held out`);
    for (const { id, text } of example.history)
      if (leaked(text)) leaks.add(`${name}: history item "${id}" is a response that is held out`);
  };
  const splitOf = (name: Split | 'none') => {
    const split = splits.get(name);
    return { examples: split?.examples ?? 0, users: split?.users.size ?? 0 };
  };
  return {
    add,
    addAgain,
    needsSecondPass: () => heldOut.size > 0 && splits.has('train'),
    result: () => {
      const perUser = counter();
      for (const count of users.values()) perUser.add(count);
      return {
        examples,
        users: users.size,
        splits: {
          ...{ train: splitOf('train'), validation: splitOf('validation') },
          ...{ test: splitOf('test'), none: splitOf('none') },
        },
        domains: { count: domains.size, most: [...domains].sort((a, b) => b[1] - a[1]).slice(0, 20) },
        examplesPerUser: perUser.result(),
        historyItems: items.result(),
        withoutHistory,
        words: { query: query.result(), response: response.result(), item: item.result() },
        times: {
          ...(first <= last && { first: dateOf(first), last: dateOf(last) }),
          without: withoutTime,
          years: [...years].sort((a, b) => a[0] - b[0]),
        },
        repeatedResponses: repeats.of(examples),
        ownNames: names.of(texts),
        leaks: leaks.of(examples),
      };
    },
  };
}

const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** Names that a conversion kept. */
function namesOf({ meta }: Example): readonly string[] {
  const names = meta?.names;
  return Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string') : [];
}

function rows() {
  let count = 0;
  const first: string[] = [];
  return {
    add: (row: string) => {
      count += 1;
      if (first.length < SHOWN) first.push(row);
    },
    of: (all: number): NamedRows => ({ count, share: all === 0 ? 0 : count / all, first }),
  };
}
