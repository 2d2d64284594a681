/** @file HTML as a type: a tagged template escapes whatever is not HTML already, so that forgetting to is a compile error. */
import { visibleText } from './visible-text.ts';

const MARKUP = Symbol('markup');

/** Markup that this module made; nothing that was read from a file or a user can be one. */
export interface Html {
  readonly [MARKUP]: string;
}

/** What may stand in a template; lists are joined without anything between, and nothing, false and empty lists are ''. */
export type HtmlPart = Html | string | number | false | undefined | readonly HtmlPart[];

/** `html\`<b>${name}</b>\``: markup with every part escaped that is not markup. Attributes must stand in quotes. */
export function html(strings: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  return constantHtml(strings.reduce((text, string, i) => text + markupOf(parts[i - 1]) + string));
}

/** The text of a part as it stands in a document: characters that act, or would be invisible, by their names. */
export function markupOf(part: HtmlPart): string {
  if (part === undefined || part === false) return '';
  if (typeof part === 'object') return MARKUP in part ? part[MARKUP] : part.map(markupOf).join('');
  return visibleText(String(part)).replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Our own constant, such as a style, as markup. Never give it a text that was read from somewhere. */
export function constantHtml(markup: string): Html {
  // Without a prototype it has no toString: in a plain template it throws instead of reading [object Object].
  return { __proto__: null, [MARKUP]: markup } as Html;
}
