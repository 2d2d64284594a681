/** @file Many byte strings searched for at once, in one pass. */

/** A needle by its place in the list, and where it begins. */
export interface ByteHit {
  readonly needle: number;
  readonly at: number;
}

const FILTER_BITS = 16;

/**
 * A search for byte strings of at least four bytes.
 * @returns a function that yields every occurrence in some bytes
 * Cost: one look into a table for each byte, and a comparison where four bytes agree.
 */
export function byteSearch(needles: readonly Uint8Array[]): (bytes: Uint8Array) => Generator<ByteHit> {
  const byStart = new Map<number, number[]>();
  const filter = new Uint8Array(1 << FILTER_BITS);
  const slot = (word: number) => (word ^ (word >>> FILTER_BITS)) & (filter.length - 1);
  for (const [needle, bytes] of needles.entries()) {
    if (bytes.length < 4)
      throw new RangeError(`needle ${needle}: expected at least 4 bytes, got ${bytes.length}`);
    const word = ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
    filter[slot(word)] = 1;
    byStart.set(word, [...(byStart.get(word) ?? []), needle]);
  }
  return function* (bytes) {
    let word = 0;
    for (let i = 0; i < bytes.length; i++) {
      word = ((word << 8) | bytes[i]!) >>> 0;
      if (i < 3 || filter[slot(word)] === 0) continue;
      const at = i - 3;
      for (const needle of byStart.get(word) ?? [])
        if (startsWith(bytes, at, needles[needle]!)) yield { needle, at };
    }
  };
}

function startsWith(bytes: Uint8Array, at: number, needle: Uint8Array): boolean {
  if (at + needle.length > bytes.length) return false;
  for (let i = 4; i < needle.length; i++) if (bytes[at + i] !== needle[i]) return false;
  return true;
}
