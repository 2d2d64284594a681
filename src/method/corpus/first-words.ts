/** @file The beginning of a text in whole words. */

/** At most `most` UTF-16 code units of the text, cut at white space where there is some in the last fifth, never within a pair. */
export function firstWords(text: string, most: number): string {
  if (text.length <= most) return text;
  const start = text.slice(0, most).replace(/[\ud800-\udbff]$/, '');
  const space = /\s\S*$/u.exec(start);
  return (space !== null && space.index >= most * 0.8 ? start.slice(0, space.index) : start).trimEnd();
}
