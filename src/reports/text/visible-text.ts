/** @file Characters that would act on a page or terminal, or hide in it, made visible by their names. */

/** A run of plain text, or one character shown by its name. */
export interface VisibleRun {
  readonly text: string;
  /** True when `text` is a name such as `U+202E`. */
  readonly named: boolean;
}

// C0 and C1 controls (not tab and line feed), zero-width space and byte-order mark, line and paragraph separators,
// bidirectional embeddings, overrides and isolates, tag characters. Joiners and LRM/RLM stay: scripts need them.
const ACTING =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u2028-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/u;

/** The text as runs whose plain parts hold no control but tab and line feed. */
export function visibleRuns(text: string): VisibleRun[] {
  const runs: VisibleRun[] = [];
  let plain = '';
  for (const character of text.replaceAll('\r\n', '\n')) {
    if (ACTING.test(character)) {
      if (plain !== '') runs.push({ text: plain, named: false });
      plain = '';
      const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
      runs.push({ text: `U+${code}`, named: true });
    } else {
      plain += character;
    }
  }
  if (plain !== '') runs.push({ text: plain, named: false });
  return runs;
}

/** The text with those characters as `⟨U+202E⟩`, where there is no room for markup. */
export function visibleText(text: string): string {
  return visibleRuns(text)
    .map((run) => (run.named ? `⟨${run.text}⟩` : run.text))
    .join('');
}

/** The text on one line with its white space visible, for tables and tooltips: `␣word`, `¶`, `⇥`. */
export function tokenLabel(text: string): string {
  if (text === '') return '⏎';
  return visibleText(text)
    .replaceAll('\n', '¶')
    .replaceAll('\t', '⇥')
    .replace(/^ +| +$/g, (spaces) => '␣'.repeat(spaces.length));
}

/** A user's text in quotes on one line, such as a key or an id in a sentence: line breaks and tabs by name, too. */
export function quotedText(text: string): string {
  return `"${visibleText(text).replaceAll('\n', '⟨U+000A⟩').replaceAll('\t', '⟨U+0009⟩')}"`;
}
