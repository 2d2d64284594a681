/** @file Seeded damage to bytes, texts and JSON values, and what code does with it: accepts it, refuses it, or breaks. */
import { NextQuillError } from '../../src/base/errors.ts';
import { type RandomStream, randomStream } from '../../src/base/random.ts';

/** Something that reads a file from elsewhere. One call makes one mutant with `random` and reads it. */
export interface MutationTarget {
  readonly name: string;
  readonly tryMutant: (random: RandomStream) => Promise<void> | void;
}

/** What became of a mutant. Only `accepted` and `refused` (a NextQuillError with a code) are sound. */
export type MutationOutcome =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'untyped'; readonly error: unknown }
  | { readonly kind: 'slow'; readonly seconds: number };

/** Longer than this is a hang. A mutant that never returns is ended by the test's own timeout, or by scripts/mutation.ts. */
export const SLOW_SECONDS = 5;

/** The random stream of a target's mutant: the same number gives the same mutant, whatever was tried before it. */
export const mutantRandom = (target: MutationTarget, mutant: number): RandomStream =>
  randomStream(mutant, `mutation/${target.name}`);

/** Makes the mutant of the given number and reads it. */
export async function outcomeOf(target: MutationTarget, mutant: number): Promise<MutationOutcome> {
  const began = performance.now();
  let outcome: MutationOutcome = { kind: 'accepted' };
  try {
    await target.tryMutant(mutantRandom(target, mutant));
  } catch (error) {
    outcome =
      error instanceof NextQuillError ? { kind: 'refused', code: error.code } : { kind: 'untyped', error };
  }
  const seconds = (performance.now() - began) / 1000;
  return seconds > SLOW_SECONDS && outcome.kind !== 'untyped' ? { kind: 'slow', seconds } : outcome;
}

/** Counts of what became of the mutants 0 … `count` − 1, and a line for each that is not sound. */
export interface MutationReport {
  readonly accepted: number;
  readonly refused: number;
  readonly faults: readonly string[];
}

export async function mutationReport(target: MutationTarget, count: number): Promise<MutationReport> {
  let accepted = 0;
  let refused = 0;
  const faults: string[] = [];
  for (let mutant = 0; mutant < count; mutant++) {
    const outcome = await outcomeOf(target, mutant);
    if (outcome.kind === 'accepted') accepted++;
    else if (outcome.kind === 'refused') refused++;
    else faults.push(faultLine(target, mutant, outcome));
  }
  return { accepted, refused, faults };
}

/** What went wrong with a mutant, with the number that makes it again. */
export function faultLine(target: MutationTarget, mutant: number, outcome: MutationOutcome): string {
  const what =
    outcome.kind === 'untyped'
      ? String(outcome.error instanceof Error ? outcome.error.stack : outcome.error)
      : outcome.kind === 'slow'
        ? `${outcome.seconds.toFixed(1)} s`
        : outcome.kind;
  return `${target.name}, mutant ${mutant}: ${what}`;
}

/** A copy of bytes with one to four changes: flipped, set, overwritten words, cut, repeated, inserted or removed stretches. */
export function mutateBytes(bytes: Uint8Array, random: RandomStream): Uint8Array {
  let mutant = Uint8Array.from(bytes);
  for (let change = 1 + random.integer(4); change > 0; change--) mutant = changedBytes(mutant, random);
  return mutant;
}

/** A text with one to three changes: of characters, of stretches, and of what is written between brackets. */
export function mutateText(text: string, random: RandomStream): string {
  let mutant = text;
  for (let change = 1 + random.integer(3); change > 0; change--) mutant = changedText(mutant, random);
  return mutant;
}

/**
 * A copy of a JSON value with one to three changes: values of other kinds, keys removed, renamed or added, list items
 * removed, doubled or swapped, numbers and texts beside the right ones. Places near the root are as likely as those
 * in long lists. `JSON.stringify` can write the result.
 */
export function mutateJson(value: unknown, random: RandomStream): unknown {
  let mutant = structuredClone(value);
  for (let change = 1 + random.integer(3); change > 0; change--) mutant = changedJson(mutant, random);
  return mutant;
}

const WORDS = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff];

function changedBytes(bytes: Uint8Array<ArrayBuffer>, random: RandomStream): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return Uint8Array.of(random.integer(256));
  const { at, to } = stretchOf(bytes.length, random);
  switch (random.integer(7)) {
    case 0:
      bytes[at]! ^= 1 << random.integer(8);
      return bytes;
    case 1:
      bytes[at] = random.integer(256);
      return bytes;
    case 2: {
      const view = new DataView(bytes.buffer);
      if (at + 4 <= bytes.length) view.setUint32(at, random.pick(WORDS), true);
      return bytes;
    }
    case 3:
      return bytes.slice(0, at);
    case 4:
      return Uint8Array.from([...bytes.subarray(0, to), ...bytes.subarray(at)]);
    case 5:
      return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(to)]);
    default: {
      const added = Array.from({ length: 1 + random.integer(8) }, () => random.integer(256));
      return Uint8Array.from([...bytes.subarray(0, at), ...added, ...bytes.subarray(at)]);
    }
  }
}

/** A place, and the end of a stretch of up to `longest` from there. */
function stretchOf(length: number, random: RandomStream, longest = 64): { at: number; to: number } {
  const at = random.integer(length);
  return { at, to: Math.min(length, at + 1 + random.integer(longest)) };
}

const ODD_TEXTS: readonly string[] = [
  ...[
    '',
    ' ',
    '\n',
    '\r\n',
    '\u0000',
    '\u0085',
    '\ufeff',
    '\ufffd',
    '\ud800',
    '\u202e',
    'é',
    '😀',
    '▁',
    '\\',
  ],
  ...['"', "'", '{', '}', '[', ']', '(', ')', '{{', '}}', '{%', '%}', '{#', '#}', '-', '%', '|', ',', ':'],
  ...['0', '-1', '1e999', 'NaN', 'null', 'true', '999999999999', '__proto__', 'toString', '../', '<0xFF>'],
  ...['(a+)+$', '(?=', '*', 'a'.repeat(10_000), '['.repeat(20_000)],
];

function changedText(text: string, random: RandomStream): string {
  if (text === '') return random.pick(ODD_TEXTS);
  const { at, to } = stretchOf(text.length, random, Math.min(64, Math.ceil(text.length / 16)));
  const other = random.integer(text.length);
  switch (random.integer(7)) {
    case 0:
      return text.slice(0, at) + random.pick(ODD_TEXTS) + text.slice(at);
    case 1:
      return text.slice(0, at) + random.pick(ODD_TEXTS) + text.slice(to);
    case 2:
      return text.slice(0, at) + text.slice(to);
    case 3:
      return text.slice(0, to) + text.slice(at);
    case 4:
      return text.slice(0, at);
    case 5: // a number within the text, if there is one
      return text.replace(/\d+/, random.pick(['0', '-1', '7', '1000000000', '99999999999999999999']));
    default:
      return text.slice(0, other) + text.slice(at, to) + text.slice(other);
  }
}

const ODD_VALUES: readonly (() => unknown)[] = [
  ...[null, true, false, 0, 1, -1, 5, 0.5, -0.5, 1e308, 2 ** 31, 2 ** 32, 2 ** 53, 1e-320].map(
    (value) => () => value,
  ),
  ...ODD_TEXTS.map((text) => () => text),
  () => [],
  () => ({}),
  () => [null],
  () => [5],
  () => [[]],
  () => ({ type: 'a' }),
  () => ({ toString: 1 }),
  () => JSON.parse('{"__proto__": {"x": 1}}'),
  () => Array.from({ length: 3000 }, (_, i) => i),
  () => nested(1000),
];

/** Lists in lists. Deeper ones are more than `JSON.stringify` can write. */
function nested(depth: number): unknown {
  let value: unknown = 0;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

function changedJson(value: unknown, random: RandomStream): unknown {
  const isContainer = value !== null && typeof value === 'object';
  if (!isContainer || Object.keys(value).length === 0 || random.next() < 0.04)
    return otherValue(value, random);
  const key = random.pick(Object.keys(value));
  if (random.next() < 0.6) {
    // Further down: the change is in the value of this key.
    const changed = changedJson((value as Record<string, unknown>)[key], random);
    if (Array.isArray(value)) value[Number(key)] = changed;
    else define(value, key, changed);
    return value;
  }
  return Array.isArray(value)
    ? changedList(value, Number(key), random)
    : changedObject(value as Record<string, unknown>, key, random);
}

function otherValue(value: unknown, random: RandomStream): unknown {
  const choice = random.integer(3);
  if (typeof value === 'string' && choice > 0) return changedText(value, random);
  if (typeof value === 'number' && choice > 0)
    return random.pick([
      value + 1,
      value - 1,
      -value,
      value * 2,
      value / 2,
      value * 1e6,
      value + 0.5,
      String(value),
    ]);
  return random.pick(ODD_VALUES)();
}

function changedList(list: unknown[], at: number, random: RandomStream): unknown[] {
  const other = random.integer(list.length);
  switch (random.integer(5)) {
    case 0:
      list.splice(at, 1);
      break;
    case 1:
      list.splice(at, 0, structuredClone(list[other]));
      break;
    case 2:
      [list[at], list[other]] = [list[other], list[at]];
      break;
    case 3:
      list[at] = random.pick(ODD_VALUES)();
      break;
    default:
      list.length = at;
  }
  return list;
}

function changedObject(
  object: Record<string, unknown>,
  key: string,
  random: RandomStream,
): Record<string, unknown> {
  const other = random.pick(Object.keys(object));
  switch (random.integer(5)) {
    case 0:
      delete object[key];
      break;
    case 1: {
      const value = object[key];
      delete object[key];
      define(object, changedText(key, random), value);
      break;
    }
    case 2:
      define(object, random.pick(ODD_TEXTS), structuredClone(object[other]));
      break;
    case 3:
      define(object, key, structuredClone(object[other]));
      break;
    default:
      define(object, key, random.pick(ODD_VALUES)());
  }
  return object;
}

/** Sets a key of its own, also one named `__proto__`. */
const define = (object: object, key: string, value: unknown) =>
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
