/** @file How much of a history fits: the latest items, as many as the token budget holds, and where their window begins. */

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

/**
 * The latest items that a window shows whose start moves in steps: at most `count`, and fewer where it must begin at a multiple of
 * `stride`. So the histories of texts that follow one another begin with the same item, and their prompts alike.
 * @param length items of the whole history
 * @param count of the latest items that fit
 * @returns 1 … `count`: as many as fit where no multiple of the stride lies among them; 0 for a count of 0
 */
export function steppedCount(length: number, count: number, stride: number): number {
  const start = Math.ceil((length - count) / stride) * stride;
  return start < length ? length - start : count;
}
