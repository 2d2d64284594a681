/** @file The leakage check: no response is shown to a model that is then asked for it, and nothing of a test set is trained on. */
import { runAtOnce, runWithPauses } from '../../base/breathe.ts';
import { DataError } from '../../base/errors.ts';
import type { Example, HistoryItem, Split } from './example.ts';
import { isSameItem, isSameText, normaliseText } from './normalise.ts';
import { countWords } from './sentences.ts';
import { isStrictlyBefore, parseTime } from './time.ts';

/** Options of {@link checkLeakage}. */
export interface LeakageOptions {
  /** Other users' items that stand in for the history of an example, by its id. */
  readonly others?: ReadonlyMap<string, readonly HistoryItem[]>;
  /** Between examples, texts of fewer words are not compared: two users may both write "Great book!". Default 8. */
  readonly minWords?: number;
}

const OFFENDERS_SHOWN = 5;

/**
 * Throws when a response can leak: it is in a history of its own example, or in another that stands for it ({@link isSameItem}),
 * or its text is a response in two splits, or a validation or test response (its text; of the same user also a cut text
 * of its id) is in a history or response of a training example, or a history item is not strictly earlier than the response (where both have times).
 * @throws {DataError} naming the number of leaks and the first five
 */
export function checkLeakage(examples: readonly Example[], options: LeakageOptions = {}): void {
  refuse(runAtOnce(findLeaks(examples, options)));
}

/** As {@link checkLeakage}, with pauses. @throws {AbortedError} when the signal says so */
export async function checkLeakageWithPauses(
  examples: readonly Example[],
  { signal, ...options }: LeakageOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  refuse(await runWithPauses(findLeaks(examples, options), signal));
}

/** Yields after each example. */
function* findLeaks(
  examples: readonly Example[],
  { others, minWords = 8 }: LeakageOptions,
): Generator<void, string[]> {
  const leaks: string[] = [];
  for (const example of examples) {
    leaks.push(...ownLeaks(example, others?.get(example.id) ?? []));
    yield;
  }
  return [...leaks, ...(yield* leaksBetweenSplits(examples, minWords))];
}

function refuse(leaks: readonly string[]): void {
  if (leaks.length === 0) return;
  const shown = leaks.slice(0, OFFENDERS_SHOWN).join('; ');
  const more = leaks.length > OFFENDERS_SHOWN ? `; and ${leaks.length - OFFENDERS_SHOWN} more` : '';
  throw new DataError(`examples: expected no leakage, got ${leaks.length}: ${shown}${more}`, {
    code: 'data/leakage',
    hint: 'Remove these items or examples, or move them into one split.',
  });
}

/** Leaks within one example, each as a sentence. */
export function ownLeaks(example: Example, others: readonly HistoryItem[] = []): string[] {
  const response = { id: example.id, text: example.response };
  const responseTime = example.time === undefined ? undefined : parseTime(example.time);
  const name = `example "${example.id}"`;
  const same = (items: readonly HistoryItem[], where: string) =>
    items.flatMap((item) => {
      if (isSameText(item.text, response.text))
        return [`${name}: ${where} item "${item.id}" has the text of the response`];
      if (isSameItem(item, response))
        return [`${name}: ${where} item "${item.id}" is the response, cut or longer`];
      return [];
    });
  const late = example.history.flatMap((item) => {
    const span = item.time === undefined ? undefined : parseTime(item.time);
    if (span === undefined || responseTime === undefined || isStrictlyBefore(span, responseTime)) return [];
    return [
      `${name}: history item "${item.id}" of ${item.time} is not strictly before the response of ${example.time}`,
    ];
  });
  return [...same(example.history, 'history'), ...same(others, 'other user’s'), ...late];
}

/** Leaks from validation and test into training, and responses in two splits. */
function* leaksBetweenSplits(examples: readonly Example[], minWords: number): Generator<void, string[]> {
  const heldOutIds = new Map<string, Example>();
  const responses = new Map<string, Map<Split, Example>>();
  const leaks: string[] = [];
  for (const example of examples) {
    yield;
    const { split } = example;
    if (split === undefined) continue;
    if (split !== 'train') heldOutIds.set(key(example.user, example.id), example);
    const text = comparable(example.response, minWords);
    if (text === undefined) continue;
    const splits = responses.get(text) ?? new Map<Split, Example>();
    const twin = [...splits].find(([other]) => other !== split)?.[1];
    if (twin !== undefined && !splits.has(split))
      leaks.push(
        `example "${example.id}" (${split}) has the response of example "${twin.id}" (${twin.split})`,
      );
    if (!splits.has(split)) splits.set(split, example);
    responses.set(text, splits);
  }
  const checked = new Set<string>(); // an item that many examples show is one leak
  for (const example of examples) {
    yield;
    if (example.split !== 'train') continue;
    const byId = heldOutIds.get(key(example.user, example.id));
    if (byId !== undefined) leaks.push(`example "${example.id}" (train) is also in ${byId.split}`);
    for (const item of example.history) {
      const name = key(example.user, item.id, item.text);
      if (checked.has(name)) continue;
      checked.add(name);
      const text = comparable(item.text, minWords);
      const splits = text === undefined ? undefined : responses.get(text);
      const named = heldOutIds.get(key(example.user, item.id));
      const isNamed = named !== undefined && isSameItem(item, { id: named.id, text: named.response });
      const leaked = isNamed ? named : (splits?.get('test') ?? splits?.get('validation'));
      if (leaked !== undefined)
        leaks.push(
          `example "${example.id}" (train): history item "${item.id}" is the response of example "${leaked.id}" (${leaked.split})`,
        );
    }
  }
  return leaks;
}

function key(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}

function comparable(text: string, minWords: number): string | undefined {
  return countWords(text) < minWords ? undefined : normaliseText(text);
}
