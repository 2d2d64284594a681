/**
 * @file Prompts that begin alike in one row: what they share stands there once, and each goes on in a branch of its own, which
 * sees its own beginning only. Which prompts share a row, and what a row of branches looks like.
 */

/** The tokens of a prompt and its response. */
export function tokensOf({
  promptIds,
  responseIds,
}: {
  readonly promptIds: readonly number[];
  readonly responseIds: readonly number[];
}): Int32Array {
  const tokens = new Int32Array(promptIds.length + responseIds.length);
  tokens.set(promptIds);
  tokens.set(responseIds, promptIds.length);
  return tokens;
}

/** A row of sequences that share their beginnings: a tree of tokens, each branch after the other. */
export interface BranchedRow {
  readonly ids: readonly number[];
  /** Place of each token in its own sequence. */
  readonly positions: readonly number[];
  /** The place in the row after the last token that follows this one. */
  readonly seenUntil: readonly number[];
  /** For each sequence, where in the row its tokens stand. */
  readonly paths: ReadonlyMap<number, readonly number[]>;
}

/** The row of some sequences. @param places of the sequences that stand in it */
export function branches(places: readonly number[], sequences: readonly Int32Array[]): BranchedRow {
  const ids: number[] = [];
  const positions: number[] = [];
  const seenUntil: number[] = [];
  const paths = new Map<number, readonly number[]>();
  // From the first token to the last of the sequence before: what the next one shares of it is its own path.
  let path: number[] = [];
  let before: Int32Array = new Int32Array();
  const close = (from: number) => {
    for (const place of path.slice(from)) seenUntil[place] = ids.length;
  };
  for (const place of sorted(places, sequences)) {
    const sequence = sequences[place]!;
    const shared = sharedLength(before, sequence);
    close(shared);
    path = path.slice(0, shared);
    for (let t = shared; t < sequence.length; t++) {
      path.push(ids.length);
      ids.push(sequence[t]!);
      positions.push(t);
    }
    paths.set(place, path);
    before = sequence;
  }
  close(0);
  return { ids, positions, seenUntil, paths };
}

/** Tokens of the row of some sequences, without building it. @param places of the sequences that stand in it */
export function rowTokens(places: readonly number[], sequences: readonly Int32Array[]): number {
  let tokens = 0;
  let before: Int32Array = new Int32Array();
  for (const place of sorted(places, sequences)) {
    const sequence = sequences[place]!;
    tokens += sequence.length - sharedLength(before, sequence);
    before = sequence;
  }
  return tokens;
}

/** What decides which sequences stand in one row. */
export interface RowLimits {
  /** What a row of so many tokens costs, in any unit; grows faster than the tokens do, since branches see each other's places. */
  cost(tokens: number): number;
  /** Tokens of a row at most, by the longest of its sequences. */
  most(longest: number): number;
  /** Response tokens of a row at most, except for a single sequence. */
  readonly mostResponses: number;
}

/** Limits for rows whose number of tokens nothing bounds but their cost. */
export const unboundRows = (cost: RowLimits['cost']): RowLimits => ({
  cost,
  most: () => Number.POSITIVE_INFINITY,
  mostResponses: Number.POSITIVE_INFINITY,
});

/** One row of a plan. */
export interface PlannedRow {
  readonly places: readonly number[];
  readonly tokens: number;
}

/**
 * Rows for sequences: those that share enough of their beginnings to be worth it stand together. A sequence that shares
 * little has a row of its own, so that nothing costs more than it did alone.
 * @param responses of each sequence, the tokens whose logits are computed
 * Cost: sorts the sequences.
 */
export function planRows(
  sequences: readonly Int32Array[],
  responses: readonly number[],
  { cost, most, mostResponses }: RowLimits,
): PlannedRow[] {
  const rows: { places: number[]; tokens: number; longest: number; responses: number }[] = [];
  let before: Int32Array = new Int32Array();
  for (const place of sorted([...sequences.keys()], sequences)) {
    const sequence = sequences[place]!;
    const row = rows.at(-1);
    const added = sequence.length - sharedLength(before, sequence);
    before = sequence;
    if (row !== undefined) {
      const tokens = row.tokens + added;
      const longest = Math.max(row.longest, sequence.length);
      const isWorth = cost(tokens) <= cost(row.tokens) + cost(sequence.length);
      const fits = tokens <= most(longest) && row.responses + responses[place]! <= mostResponses;
      if (isWorth && fits) {
        row.places.push(place);
        row.tokens = tokens;
        row.longest = longest;
        row.responses += responses[place]!;
        continue;
      }
    }
    const { length } = sequence;
    rows.push({ places: [place], tokens: length, longest: length, responses: responses[place]! });
  }
  return rows.map(({ places, tokens }) => ({ places, tokens }));
}

/** Share of a sequence that its neighbour begins with, at least, where both are of one group. */
const LEAST_SHARED = 0.25;

/**
 * Sequences in groups that begin alike, whatever a row of them would cost: each shares a quarter of the shorter with the one before
 * it, beyond what all sequences begin with.
 */
export function groupsByPrefix(sequences: readonly Int32Array[]): number[][] {
  const order = sorted([...sequences.keys()], sequences);
  const [first, last] = [order[0], order.at(-1)];
  if (first === undefined || last === undefined) return [];
  const ofAll = sharedLength(sequences[first]!, sequences[last]!);
  const groups: number[][] = [];
  order.forEach((place, at) => {
    const [before, own] = [sequences[order[at - 1] ?? place]!, sequences[place]!];
    const shared = sharedLength(before, own) - ofAll;
    const isLike = shared > 0 && shared >= LEAST_SHARED * (Math.min(before.length, own.length) - ofAll);
    if (at > 0 && isLike) groups.at(-1)!.push(place);
    else groups.push([place]);
  });
  return groups;
}

/** Places in the order of their sequences, so that those that begin alike are neighbours. */
function sorted(places: readonly number[], sequences: readonly Int32Array[]): number[] {
  return [...places].sort((a, b) => {
    const [one, other] = [sequences[a]!, sequences[b]!];
    const shared = sharedLength(one, other);
    return (one[shared] ?? -1) - (other[shared] ?? -1) || a - b;
  });
}

function sharedLength(a: Int32Array, b: Int32Array): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}
