/** @file How much of a history fits: the latest items, as many as the token budget holds. */

/**
 * The largest number of latest items that fits, found by doubling and bisection: a prompt grows with every item, so
 * this is where dropping the oldest item, one at a time, would end.
 * @param most items to consider at most
 * @param fits whether the prompt with the latest `count` items fits; asked for 1 … `most` only
 * @returns 0 … `most`
 * Cost: about 2 log2 of the answer calls of `fits`, none with more than twice the answer's items (and one more).
 */
export function latestThatFit(most: number, fits: (count: number) => boolean): number {
  let fitting = 0;
  let failing = most + 1;
  while (failing - fitting > 1) {
    const doubled = Math.max(1, 2 * fitting);
    const count = failing > most ? Math.min(doubled, most) : Math.floor((fitting + failing) / 2);
    if (fits(count)) fitting = count;
    else failing = count;
  }
  return fitting;
}
