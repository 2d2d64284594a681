/** @file When two texts count as the same text: what leakage checks and matching compare. */

/** `text` in Unicode form NFKC and lower case, its runs of anything but letters and digits as one space. */
export function normaliseText(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, ' ')
    .trim();
}
