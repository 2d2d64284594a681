/** @file SentencePiece's BPE as a list of merges: the pieces' scores say which pair is joined first. */

/**
 * The merges that a vocabulary implies: each way to cut a piece into two pieces, in the order of the whole piece's
 * rank, and of one rank the longest left part first.
 * @param rankOf of a piece by its id: the smallest is joined first
 * @param isPiece whether the piece of an id can be joined or come from joining
 */
export function mergesByScore(
  pieces: readonly string[],
  rankOf: (id: number) => number,
  isPiece: (id: number) => boolean,
): [string, string][] {
  const ids = new Map<string, number>();
  for (const [id, piece] of pieces.entries()) if (isPiece(id)) ids.set(piece, id);
  const merges: { rank: number; left: number; right: number }[] = [];
  for (const [piece, id] of ids) {
    const rank = rankOf(id);
    for (let at = 1; at < piece.length; at++) {
      const left = ids.get(piece.slice(0, at));
      const right = left === undefined ? undefined : ids.get(piece.slice(at));
      if (left !== undefined && right !== undefined) merges.push({ rank, left, right });
    }
  }
  const length = (id: number) => pieces[id]!.length;
  merges.sort(
    (a, b) => a.rank - b.rank || length(b.left) - length(a.left) || length(b.right) - length(a.right),
  );
  return merges.map(({ left, right }) => [pieces[left]!, pieces[right]!]);
}
