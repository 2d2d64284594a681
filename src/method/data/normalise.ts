/** @file When two texts count as the same text: what leakage checks and matching compare. */

/** `text` in Unicode form NFKC and lower case, its runs of anything but letters and digits as one space. */
export function normaliseText(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, ' ')
    .trim();
}

/** A text with an id: an item of a history, or a response under the id of its example. */
export interface IdentifiedText {
  readonly id: string;
  readonly text: string;
}

/**
 * Whether two texts are one: the same text, or the same id and one text is the other's beginning, as where one was cut.
 * Ids alone say nothing: they are unique within one history only, and `h1`, `h2`, … where a file gives none.
 */
export function isSameItem(a: IdentifiedText, b: IdentifiedText): boolean {
  if (isSameText(a.text, b.text)) return true;
  if (a.id !== b.id) return false;
  const [first, second] = [normaliseText(a.text), normaliseText(b.text)];
  return first !== '' && second !== '' && (first.startsWith(second) || second.startsWith(first));
}

/** Whether two texts are the same; texts without letters or digits are compared as they are. */
export function isSameText(a: string, b: string): boolean {
  return comparedForm(a) === comparedForm(b);
}

/** What {@link isSameText} compares. */
export function comparedForm(text: string): string {
  return normaliseText(text) || text.trim();
}
