/** @file From what people have to examples: one reader, histories by user and time, and a file that is whole or absent. */

import { ConfigError, DataError, nearestName, throwIfAborted } from '../../base/errors.ts';
import { cleanText, wellFormed } from '../../method/corpus/clean-text.ts';
import { examplesOfUser, type HistoryOptions } from '../../method/corpus/histories.ts';
import { holdsName, maskNames } from '../../method/corpus/own-names.ts';
import { type FaultLog, faultLog, type SourceFault } from '../../method/corpus/source-faults.ts';
import { paperTargets } from '../../method/corpus/target-splits.ts';
import { type TextHashes, textHashes } from '../../method/corpus/text-hashes.ts';
import type { UserText } from '../../method/corpus/user-text.ts';
import type { Example, Split } from '../../method/data/example.ts';
import { exampleLine } from '../../method/data/jsonl.ts';
import { comparedForm, isSameItem } from '../../method/data/normalise.ts';
import { parseExample } from '../../method/data/parse-example.ts';
import { countWords } from '../../method/data/sentences.ts';
import { splitOfUser } from '../../method/data/splits.ts';
import { type ConvertDataOptions, checkOptions } from './convert-options.ts';
import { growingStore } from './growing-store.ts';
import type { ReadContext, Reader } from './reader.ts';
import { readers } from './readers.ts';
import type { StoredText } from './text-store.ts';
import { writeLines } from './write-lines.ts';

/** What {@link convertData} wrote and left out. */
export interface ConvertedData {
  readonly out: string;
  readonly format: string;
  /** Texts of users that the source holds and that could be used. */
  readonly texts: number;
  readonly examples: number;
  readonly users: number;
  readonly historyItems: number;
  readonly splits: Readonly<Record<Split | 'none', number>>;
  /** What was left out or changed, by kind, with its rule and the first of each. */
  readonly faults: readonly SourceFault[];
  /** What a reader says of its format or of this source, such as times of several forms; also told by `onNote`. */
  readonly notes: readonly string[];
}

/** Faults of the source; the others follow from what was asked for. */
const OWN_FAULTS: ReadonlySet<string> = new Set([
  ...[
    'bad-utf8',
    'malformed-json',
    'not-a-number',
    'unclosed-quote',
    'stray-quote',
    'wrong-cells',
    'wrong-type',
  ],
  ...['missing-user', 'missing-text', 'missing-time', 'unreadable-time', 'missing-query-field'],
  ...['gigantic-text', 'too-big', 'half-character', 'duplicate-id', 'unreadable-message'],
]);

/** Words of a text for its repeat by another user to be one: two users may both write "Great book!". */
const REPEAT_WORDS = 8;

/**
 * Reads sources of one format, builds each response's history from the user's strictly earlier texts, and writes examples.
 * Memory is bounded: texts beyond `maxMemory` are grouped and sorted by DuckDB on disk. The file appears whole or not at all.
 * @throws {ConfigError} for an unknown format, a flag that is missing or names no column, DuckDB missing where it is needed
 * @throws {DataError} when a source cannot be read, no example can be made, or `strict` meets a fault
 * @throws {EngineError} when the file cannot be written
 * @throws {AbortedError} when `signal` is aborted
 */
export async function convertData(options: ConvertDataOptions): Promise<ConvertedData> {
  const reader = readerOf(options.format);
  checkOptions(reader, options);
  const notes = new Set<string>();
  const note = (message: string) => {
    if (!notes.has(message)) options.onNote?.(message);
    notes.add(message);
  };
  const counts = { texts: 0, examples: 0, historyItems: 0 };
  const splits: Record<Split | 'none', number> = { train: 0, validation: 0, test: 0, none: 0 };
  const users = textHashes();
  const ids = textHashes();
  const faults = options.strict ? strictLog(faultLog()) : faultLog();
  const progress = (stage: string, done: number, unit: string) => options.onProgress?.({ stage, done, unit });
  const examples =
    reader.examples === undefined
      ? examplesFromTexts(reader, options, contextOf(options, faults, note), (done) => {
          counts.texts = done;
          if (done % 2000 === 0) progress(`reading ${options.format}`, done, 'texts');
        })
      : examplesAsTheyAre(reader, options, contextOf(options, faults, note));

  const lines = async function* () {
    for await (const example of examples) {
      throwIfAborted(options.signal);
      if (ids.add(example.id)) {
        faults.add('duplicate-id', { file: options.sources[0]! }, example.id);
        continue;
      }
      counts.examples += 1;
      counts.historyItems += example.history.length;
      users.add(example.user);
      splits[example.split ?? 'none'] += 1;
      if (counts.examples % 2000 === 0) progress('writing examples', counts.examples, 'examples');
      // Those of texts are valid by construction, and checking every history again costs as much as making them.
      yield exampleLine(
        reader.examples === undefined ? example : parseExample(example, `example "${example.id}"`),
      );
    }
    if (counts.examples === 0) throw noExamples(options, faults);
  };
  await writeLines(options.out, lines());
  return {
    ...{ out: options.out, format: options.format, ...counts, users: users.size, splits },
    texts: reader.examples === undefined ? counts.texts : counts.examples,
    faults: faults.list(),
    notes: [...notes],
  };
}

/** Examples by user and time from the texts of a reader. */
async function* examplesFromTexts(
  reader: Reader,
  options: ConvertDataOptions,
  context: ReadContext,
  onText: (done: number) => void,
): AsyncGenerator<Example> {
  const { maxMemory = 512 * 2 ** 20, threads = 2, repeats = 'all' } = options;
  const { faults } = context;
  const seen = textHashes();
  await using store = growingStore({ memory: maxMemory, threads });
  let done = 0;
  for await (const text of reader.texts!(context)) {
    const ready = readyText(text, reader, options, faults);
    if (ready === undefined) continue;
    if (repeats === 'all' && isRepeat(ready, seen)) {
      faults.add('repeated-text', ready.place, ready.text);
      continue;
    }
    await store.addText(ready);
    onText(++done);
  }
  if (reader.items !== undefined) for await (const item of reader.items(context)) await store.addItem(item);
  const history = historyOptions(options);
  for await (const texts of store.byUser()) {
    const own = texts.map((stored) => completed(stored, reader, options, faults));
    yield* examplesOfUser(own, history, faults);
  }
}

function isRepeat(text: UserText, seen: TextHashes): boolean {
  return countWords(text.text) >= REPEAT_WORDS && seen.add(comparedForm(text.text));
}

/** A text as it is kept: plain, well formed, of a length that can be used; undefined, and told, where it is not. */
function readyText(
  text: UserText,
  reader: Reader,
  options: ConvertDataOptions,
  faults: FaultLog,
): UserText | undefined {
  const { maxTextLength = 100_000, keepHtml = false } = options;
  const { place } = text;
  if (text.text.length > maxTextLength) {
    faults.add('gigantic-text', place, `${text.text.length} characters`);
    return undefined;
  }
  if (/\p{Surrogate}/u.test(text.text)) faults.add('half-character', place);
  const clean = (value: string) =>
    keepHtml ? wellFormed(value) : cleanText(value, { html: reader.holdsHtml === true });
  const plain = clean(text.text);
  if (plain.trim() === '') {
    faults.add('missing-text', place);
    return undefined;
  }
  return { ...text, user: wellFormed(text.user).trim(), text: plain, query: clean(text.query) };
}

/** The text with the query of what it is about, and its author's names masked where that is wanted. */
function completed(
  { text: stored, about }: StoredText,
  { complete }: Reader,
  options: ConvertDataOptions,
  faults: FaultLog,
): UserText {
  if (stored.about !== undefined && about === undefined)
    faults.add('unknown-item', stored.place, stored.about);
  const whole = complete === undefined ? stored : complete(stored, about);
  const text =
    complete === undefined || options.keepHtml ? whole : { ...whole, query: cleanText(whole.query) };
  const names = [text.user, ...(text.names ?? [])];
  if (!options.maskNames)
    return text.names === undefined ? text : { ...text, meta: { ...text.meta, names: text.names } };
  if (holdsName(text.text, names) || holdsName(text.query, names)) faults.add('masked-name', text.place);
  return { ...text, query: maskNames(text.query, names), text: maskNames(text.text, names) };
}

/** The examples of a benchmark, checked for the response in their own history. */
async function* examplesAsTheyAre(
  reader: Reader,
  options: ConvertDataOptions,
  context: ReadContext,
): AsyncGenerator<Example> {
  const { faults } = context;
  const { split, seed = 0, shares, minHistory = 1, maxHistory = Number.POSITIVE_INFINITY } = options;
  const place = { file: options.sources[0]! };
  for await (const example of reader.examples!(context)) {
    const response = { id: example.id, text: example.response };
    const own = example.history.filter((item) => !isSameItem(item, response));
    if (own.length < example.history.length) faults.add('response-in-history', place, example.id);
    if (own.length < minHistory) {
      faults.add('no-history', place, example.id);
      continue;
    }
    if (own.length > maxHistory) faults.add('history-cut', place, example.id);
    const history = own.slice(Math.max(0, own.length - maxHistory));
    const names = [example.user];
    const mask = (text: string) => (options.maskNames ? maskNames(text, names) : text);
    const { split: given, ...rest } = example;
    const chosen =
      split === 'user' ? splitOfUser(example.user, seed, shares) : split === 'none' ? undefined : given;
    yield {
      ...rest,
      query: mask(example.query),
      response: mask(example.response),
      history: options.maskNames ? history.map((item) => ({ ...item, text: mask(item.text) })) : history,
      ...(chosen !== undefined && { split: chosen }),
    };
  }
}

function contextOf(
  options: ConvertDataOptions,
  faults: FaultLog,
  note: (message: string) => void,
): ReadContext {
  return { sources: options.sources, options, faults, signal: options.signal, note };
}

function historyOptions(options: ConvertDataOptions): HistoryOptions {
  const { split = 'time', targets = paperTargets, shares = {}, seed = 0 } = options;
  const { minHistory = 1, maxHistory = 32 } = options;
  return { targets: { rule: split, counts: targets, seed, shares }, minHistory, maxHistory };
}

function readerOf(format: string): Reader {
  const reader = readers.find(({ name }) => name === format);
  if (reader !== undefined) return reader;
  const names = readers.map(({ name }) => name);
  const near = nearestName(format, names);
  throw new ConfigError(`format: expected one of ${names.join(', ')}, got "${format}"`, {
    code: 'config/format',
    hint: near === undefined ? 'Choose one of these names.' : `Did you mean "${near}"?`,
  });
}

/** A log that refuses the first fault of the source. */
function strictLog(log: FaultLog): FaultLog {
  return {
    ...log,
    add: (kind, place, got) => {
      log.add(kind, place, got);
      const fault = OWN_FAULTS.has(kind) ? log.list().find((each) => each.kind === kind) : undefined;
      if (fault !== undefined)
        throw new DataError(`${fault.first}: expected a source without faults, got ${kind}`, {
          code: `data/${kind}`,
          hint: 'Correct the source, or leave --strict out to read on without such rows.',
        });
    },
  };
}

function noExamples(options: ConvertDataOptions, faults: FaultLog): DataError {
  const found = faults.list().map(({ kind, count }) => `${count} ${kind}`);
  const first = faults.list()[0];
  return new DataError(
    `${options.sources.join(', ')}: expected texts of users that make an example, got none${found.length === 0 ? '' : ` (${found.join(', ')})`}`,
    {
      code: 'data/no-examples',
      hint:
        first === undefined
          ? 'Check that the files hold data of this format.'
          : `Look at the first: ${first.first} (${first.rule}).`,
    },
  );
}
