/** @file Text in a terminal: how wide it is, and what may be written there without moving the cursor or forging colours. */
import { visibleRuns } from './visible-text.ts';

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

// East Asian Wide and Fullwidth blocks (Unicode 16, EastAsianWidth.txt, merged), and emoji that show as pictures.
const WIDE =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation})/u;
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

/** Columns that a text takes; control characters count none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** The graphemes of a text with their columns. */
export function measuredGraphemes(text: string): { grapheme: string; width: number }[] {
  return Array.from(graphemes.segment(text), ({ segment }) => ({
    grapheme: segment,
    width: graphemeWidth(segment),
  }));
}

/** A user's text without anything a terminal would obey: escapes and other controls by name, tabs as spaces. */
export function terminalText(text: string): string {
  return visibleRuns(text)
    .map((run) => (run.named ? `<${run.text}>` : run.text.replaceAll('\t', '    ')))
    .join('');
}

function graphemeWidth(grapheme: string): number {
  if (ZERO.test(grapheme) || grapheme.codePointAt(0)! < 32) return 0;
  return WIDE.test(grapheme) || grapheme.includes('\ufe0f') ? 2 : 1;
}
