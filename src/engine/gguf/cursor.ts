/** @file Reads a GGUF header value by value; what does not fit into the file is refused before it is looked at. */
import { type ErrorOptions, WeightsError } from '../../base/errors.ts';

/** The beginning of a file was too short to hold its header: read at least `needed` bytes and try again. */
export class MoreBytes extends Error {
  readonly needed: number;
  constructor(needed: number) {
    super(`at least ${needed} bytes of the file are needed`);
    this.needed = needed;
  }
}

/** A place in the header that moves on with every reading. */
export interface Cursor {
  position(): number;
  /** The next `length` bytes. */
  view(length: number): DataView;
  /** A length of 8 bytes, and as many bytes of UTF-8; broken UTF-8 becomes U+FFFD. */
  text(): string;
  /** A count of 8 bytes of things that take at least `leastBytes` each. */
  count(what: string, leastBytes: number): number;
  /** Says what is being read, for messages. */
  at(place: string): void;
  fail(what: string, options?: ErrorOptions): WeightsError;
}

const invalid: ErrorOptions = {
  code: 'gguf/invalid',
  hint: 'Download the file again, or convert the model again.',
};

/**
 * A cursor over the beginning of a file.
 * @param limit where the header must have ended: the file's end, or the longest header that we read
 */
export function createCursor(path: string, start: Uint8Array, limit: number, fileBytes: number): Cursor {
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const buffer = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  let position = 0;
  let place = '';
  const fail = (what: string, options: ErrorOptions = invalid) =>
    new WeightsError(`${path}: ${place === '' ? '' : `${place}: `}${what}`, options);
  /** Moves on; what a hostile length asks for is held against the file first. */
  const take = (length: number): number => {
    const from = position;
    if (!(from + length <= limit))
      throw fail(
        limit < fileBytes
          ? `expected a header of at most ${limit} bytes, got more`
          : `expected ${length} bytes at ${from}, got a file of ${fileBytes} bytes`,
        limit < fileBytes ? invalid : { ...invalid, code: 'weights/truncated' },
      );
    if (from + length > start.byteLength) throw new MoreBytes(from + length);
    position = from + length;
    return from;
  };
  const whole = () => Number(view.getBigUint64(take(8), true));
  return {
    position: () => position,
    view: (length) => {
      const from = take(length);
      return new DataView(start.buffer, start.byteOffset + from, length);
    },
    text: () => {
      const length = whole();
      const from = take(length);
      return buffer.toString('utf8', from, from + length);
    },
    count: (what, leastBytes) => {
      const count = whole();
      if (!(position + count * leastBytes <= limit))
        throw fail(`expected ${what} that fit into the file's ${fileBytes} bytes, got ${count} of them`, {
          ...invalid,
          code: 'weights/truncated',
        });
      return count;
    },
    at: (name) => {
      place = name;
    },
    fail,
  };
}
