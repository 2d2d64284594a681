/** @file The frame of every HTML file: self-contained, nothing fetched, only our own script runs. */
import { createHash } from 'node:crypto';
import { constantHtml, type Html, html, markupOf } from './html.ts';
import { visibleRuns } from './visible-text.ts';

/** The parts of a page; `style` and `script` are our own constants, never a user's text. */
export interface HtmlPage {
  readonly title: string;
  readonly style: string;
  readonly script: string;
  readonly body: Html;
}

/**
 * A whole document that loads nothing: a content security policy names the hashes of its one style and one script,
 * so that even a text that escaped the escaping could not run or fetch.
 */
export function htmlPage({ title, style, script, body }: HtmlPage): string {
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const policy = `default-src 'none'; style-src ${hash(style)}; script-src ${hash(script)}; base-uri 'none'; form-action 'none'`;
  return markupOf(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${constantHtml(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title.replace(/\s+/g, ' ')}</title>
<style>${constantHtml(style)}</style>
</head>
<body>
${body}
<script>${constantHtml(script)}</script>
</body>
</html>
`);
}

/**
 * A user's text as HTML: escaped, characters that would act shown by name, and line breaks marked.
 * The element around it must isolate its direction (`<bdi>`, or the class `prose`).
 * @param options.marks show `¶` at line feeds; default false
 */
export function textHtml(text: string, { marks = false }: { marks?: boolean } = {}): Html {
  const runs = visibleRuns(text).map((run) => {
    if (run.named) return html`<span class="named">${run.text}</span>`;
    if (!marks) return html`${run.text}`;
    const lines = run.text.split('\n');
    return html`${lines.map((line, i) => (i === 0 ? line : html`<span class="break" aria-hidden="true">¶</span>\n${line}`))}`;
  });
  return html`${runs}`;
}
