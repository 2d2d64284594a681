/** @file Texts of the web as plain text: HTML tags and entities, line ends, control characters and runs of spaces. */
import { htmlEntities } from './html-entities.ts';

const BLOCKS =
  'address|article|aside|blockquote|dd|div|dl|dt|figcaption|figure|footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre|section|table|tbody|td|th|tr|ul';
const INLINE =
  'a|abbr|b|big|body|button|center|cite|code|del|em|font|head|html|i|iframe|img|input|ins|kbd|label|link|mark|meta|nobr|q|s|small|span|strike|strong|sub|sup|tt|u|video|wbr';
const BREAK = /<br\s*\/?>/gi;
const HIDDEN = /<(script|style|head|title)\b[^>]*>[\s\S]*?<\/\1\s*>|<!--[\s\S]*?-->/gi;
const BLOCK = new RegExp(`</?(?:${BLOCKS})(?:\\s[^<>]*)?/?>`, 'gi');
const TAG = new RegExp(`</?(?:${INLINE})(?:\\s[^<>]*)?/?>`, 'gi');
const ENTITY = /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z][a-zA-Z0-9]{1,30}));/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufeff]/g;

/**
 * Plain text of a text that may hold HTML. Only tags that HTML has are tags, so that `I <3 it` and `a < b` stay; blocks and
 * `<br>` become line breaks; script, style and comments go. Line ends become `\n`, runs of spaces one, of empty lines one;
 * control characters and halves of surrogate pairs go.
 * @param options.html default true
 */
export function cleanText(text: string, { html = true }: { readonly html?: boolean } = {}): string {
  const plain = html ? withoutHtml(text) : text;
  return wellFormed(plain)
    .replace(/\r\n?|\u2028|\u2029/g, '\n')
    .replace(CONTROLS, '')
    .replace(/[^\S\n]+/g, ' ')
    .replace(/ ?\n ?/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/** Whether {@link cleanText} would find HTML in a text. */
export const holdsHtml = (text: string): boolean => withoutHtml(text) !== text;

/** The text without halves of surrogate pairs. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '');
}

function withoutHtml(text: string): string {
  if (!/[<&]/.test(text)) return text;
  return text
    .replace(HIDDEN, ' ')
    .replace(BREAK, '\n')
    .replace(BLOCK, '\n')
    .replace(TAG, '')
    .replace(ENTITY, (whole, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return htmlEntities.get(name) ?? whole;
      const code = Number.parseInt(decimal ?? hex!, decimal === undefined ? 16 : 10);
      return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff)
        ? String.fromCodePoint(code)
        : '';
    });
}
