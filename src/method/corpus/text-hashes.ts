/** @file A set of texts by their hashes, in 8 bytes a place: for finding repeats among millions of texts in bounded memory. */
import { createHash } from 'node:crypto';

/** Texts that were seen. Two different texts are taken for one with probability about n²/2⁵³. */
export interface TextHashes {
  /** Adds a text. @returns whether it was there already */
  add(text: string): boolean;
  has(text: string): boolean;
  readonly size: number;
}

/** An empty set; open addressing over 52-bit hashes, at most half full. */
export function textHashes(): TextHashes {
  let places = new Float64Array(1 << 10);
  let size = 0;
  const find = (table: Float64Array, hash: number): number => {
    let at = hash % table.length;
    while (table[at] !== 0 && table[at] !== hash) at = at + 1 === table.length ? 0 : at + 1;
    return at;
  };
  const grow = () => {
    const larger = new Float64Array(places.length * 2);
    for (const hash of places) if (hash !== 0) larger[find(larger, hash)] = hash;
    places = larger;
  };
  return {
    add: (text) => {
      const hash = hashOf(text);
      const at = find(places, hash);
      if (places[at] === hash) return true;
      places[at] = hash;
      size += 1;
      if (size * 2 > places.length) grow();
      return false;
    },
    has: (text) => {
      const hash = hashOf(text);
      return places[find(places, hash)] === hash;
    },
    get size() {
      return size;
    },
  };
}

/** 52 bits of SHA-256, never zero. */
function hashOf(text: string): number {
  const bytes = createHash('sha256').update(text).digest();
  return bytes.readUIntBE(0, 6) * 16 + (bytes[6]! >> 4) || 1;
}
