/** @file Python literals as pandas writes them into CSV: lists, tuples and dicts of texts, numbers, None, True and False. */

/** The value of a Python literal or of JSON; undefined where it is neither. */
export function pythonLiteral(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    const reader = { text, at: 0 };
    const value = valueFrom(reader);
    skipSpace(reader);
    return value !== FAILED && reader.at === text.length ? value : undefined;
  }
}

const FAILED = Symbol('not a literal');
const WORDS: readonly (readonly [string, unknown])[] = [
  ['None', null],
  ['True', true],
  ['False', false],
  ['nan', null],
];
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\n': '' };
const CLOSING: Readonly<Record<string, string>> = { '[': ']', '(': ')', '{': '}' };

interface Reader {
  readonly text: string;
  at: number;
}

function skipSpace(reader: Reader): void {
  while (/\s/.test(reader.text[reader.at] ?? '')) reader.at += 1;
}

function valueFrom(reader: Reader): unknown {
  skipSpace(reader);
  const first = reader.text[reader.at];
  if (first === "'" || first === '"') return stringFrom(reader);
  if (first !== undefined && first in CLOSING) return listFrom(reader, CLOSING[first]!);
  const word = WORDS.find(([name]) => reader.text.startsWith(name, reader.at));
  if (word !== undefined) {
    reader.at += word[0].length;
    return word[1];
  }
  const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/i.exec(
    reader.text.slice(reader.at, reader.at + 40),
  );
  if (number === null) return FAILED;
  reader.at += number[0].length;
  return Number(number[0]);
}

function stringFrom(reader: Reader): unknown {
  const quote = reader.text[reader.at++]!;
  let value = '';
  for (;;) {
    const character = reader.text[reader.at++];
    if (character === undefined) return FAILED;
    if (character === quote) return value;
    if (character !== '\\') {
      value += character;
      continue;
    }
    const mark = reader.text[reader.at++] ?? '';
    const length = { x: 2, u: 4, U: 8 }[mark];
    if (length === undefined) value += ESCAPES[mark] ?? (/['"\\]/.test(mark) ? mark : `\\${mark}`);
    else {
      const code = Number.parseInt(reader.text.slice(reader.at, reader.at + length), 16);
      if (!(code >= 0 && code <= 0x10ffff)) return FAILED;
      value += String.fromCodePoint(code);
      reader.at += length;
    }
  }
}

/** A list, tuple, set or dict. */
function listFrom(reader: Reader, closing: string): unknown {
  reader.at += 1;
  const values: unknown[] = [];
  const entries: [string, unknown][] = [];
  for (;;) {
    skipSpace(reader);
    if (reader.text[reader.at] === closing) {
      reader.at += 1;
      return closing === '}' && values.length === 0 ? Object.fromEntries(entries) : values;
    }
    const value = valueFrom(reader);
    if (value === FAILED) return FAILED;
    skipSpace(reader);
    if (closing === '}' && reader.text[reader.at] === ':') {
      reader.at += 1;
      const inner = valueFrom(reader);
      if (inner === FAILED) return FAILED;
      entries.push([String(value), inner]);
    } else values.push(value);
    skipSpace(reader);
    if (reader.text[reader.at] === ',') reader.at += 1;
    else if (reader.text[reader.at] !== closing) return FAILED;
  }
}
