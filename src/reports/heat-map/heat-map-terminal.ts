/** @file The heat map in a terminal: backgrounds in 24-bit or 256 colours, or marks after the tokens where there is no colour. */

import { decimal, signed } from '../../base/number-format.ts';
import {
  type DisplayPiece,
  displayPieces,
  type EffectMap,
  type EffectName,
  effectKinds,
  effectOfResponse,
} from '../../method/explain/effect-map.ts';
import { measuredGraphemes, terminalText } from '../text/terminal-text.ts';
import { tokenLabel } from '../text/visible-text.ts';
import { colourOf, LEVELS, levelOf, type Rgb, themes } from './colour-scale.ts';
import { effectLimits } from './effect-scale.ts';
import { effectWords, itemKindWords } from './effect-words.ts';
import { ITEMS_NAMED, itemNumbers, WORTH_NAMING } from './item-numbers.ts';
import { redactEffectMaps } from './redact-maps.ts';

/** How a heat map is drawn in a terminal. */
export interface EffectMapTerminalOptions {
  /** Columns; default 80, at least 20. */
  readonly width?: number;
  /** `true` for 24-bit colour (default), `'256'` for the palette, `false` for marks only (NO_COLOR, files, pipes). */
  readonly color?: boolean | '256';
  /** Effect that is drawn; default `logRatio`. */
  readonly effect?: EffectName;
  /** Texts replaced by their lengths, names by numbers; default false. */
  readonly redact?: boolean;
}

/** Characters of an item's query that are shown: enough to know it by. */
const LABEL_SHOWN = 48;

const RESET = '\u001b[0m';

/**
 * The map as lines of text, wrapped at `width`, with a legend and the sum; ends with a line feed.
 * Known causes show as underline (user), italics (query) or both, or as a letter among the marks.
 * @throws {DataError} when the offsets of the map are not in order
 */
export function renderEffectMapTerminal(map: EffectMap, options: EffectMapTerminalOptions = {}): string {
  const { color = true, effect = 'logRatio', redact = false } = options;
  const width = Math.max(options.width ?? 80, 20);
  const shown = redact ? redactEffectMaps([map])[0]! : map;
  const limit = effectLimits([shown])[effect];
  const styled = displayPieces(shown).flatMap((piece) => styledPieces(piece, effect, limit, color));
  const { total, perToken } = effectOfResponse(shown);
  const plain = (text: string) => wrapStyled([{ text: terminalText(text), style: '' }], width);
  return [
    ...plain(shown.title),
    ...plain(`user ${shown.user} · example ${shown.example} · model ${shown.model}`),
    ...plain(`query: ${shown.query}`),
    '',
    ...wrapStyled(styled, width),
    '',
    ...legend(effect, limit, color, shown, width),
    ...plain(
      `log-likelihood with the history minus without: ${signed(total, 1)} nats (${signed(perToken)} a token)`,
    ),
    ...itemLines(shown).flatMap(plain),
    '',
  ].join('\n');
}

/** A stretch with one SGR style ('' for none). */
interface StyledText {
  readonly text: string;
  readonly style: string;
}

function styledPieces(
  piece: DisplayPiece,
  effect: EffectName,
  limit: number,
  color: boolean | '256',
): StyledText[] {
  const { token } = piece;
  const text = piece.text === '' ? (piece.isEnd ? ' ⏎ ' : '◦') : terminalText(piece.text);
  if (token === undefined) return [{ text, style: '' }];
  if (color !== false) {
    const level = levelOf(token.values[effect] ?? 0, limit);
    return [{ text, style: sgr([...causeCodes(token.cause), ...colourCodes(level, effect, color)]) }];
  }
  const cause = token.cause === undefined || token.cause === 'neither' ? '' : token.cause.slice(0, 1);
  const mark = markOf((token.values[effect] ?? 0) / limit, effect) + cause;
  return mark === '' ? [{ text, style: '' }] : markedText(text, mark);
}

/** Marks sit after the token and before its line breaks. */
function markedText(text: string, mark: string): StyledText[] {
  const body = text.replace(/\n+$/, '');
  return [{ text: `${body}[${mark}]${text.slice(body.length)}`, style: '' }];
}

/** `++` from two thirds of the scale, `+` from a third, `-` and `--` below zero; `*` and `**` where there is no sign. */
function markOf(share: number, effect: EffectName): string {
  const strength = Math.abs(share) >= 2 / 3 ? 2 : Math.abs(share) >= 1 / 3 ? 1 : 0;
  const sign = effectKinds[effect].signed ? (share < 0 ? '-' : '+') : '*';
  return sign.repeat(strength);
}

function causeCodes(cause: string | undefined): string[] {
  return [
    ...(cause === 'query' || cause === 'both' ? ['3'] : []),
    ...(cause === 'user' || cause === 'both' ? ['4'] : []),
  ];
}

/** Ink and background of the light theme, so that the contrast is ours on any terminal; none at level 0. */
function colourCodes(level: number, effect: EffectName, color: true | '256'): string[] {
  if (level === 0) return [];
  const back = colourOf(level, themes.light, effectKinds[effect].signed);
  const { ink } = themes.light;
  if (color === '256') return [`38;5;${paletteIndex(ink)}`, `48;5;${paletteIndex(back)}`];
  return [`38;2;${ink.join(';')}`, `48;2;${back.join(';')}`];
}

/** Nearest of the 6 × 6 × 6 cube of xterm's 256 colours. */
function paletteIndex(colour: Rgb): number {
  const steps = [0, 95, 135, 175, 215, 255];
  const [r, g, b] = colour.map((part) =>
    steps.reduce((best, step, i) => (Math.abs(step - part) < Math.abs(steps[best]! - part) ? i : best), 0),
  ) as unknown as Rgb;
  return 16 + 36 * r + 6 * g + b;
}

const sgr = (codes: readonly string[]) => (codes.length === 0 ? '' : `\u001b[${codes.join(';')}m`);

/** Lines of at most `width` columns, broken at spaces where there are some; styles are closed on every line. */
function wrapStyled(pieces: readonly StyledText[], width: number): string[] {
  const lines: string[] = [];
  let line: { grapheme: string; width: number; style: string }[] = [];
  const flush = (cells: typeof line) => lines.push(paint(cells));
  const used = (cells: typeof line) => cells.reduce((sum, cell) => sum + cell.width, 0);
  for (const { text, style } of pieces) {
    for (const cell of measuredGraphemes(text)) {
      if (cell.grapheme === '\n') {
        flush(line);
        line = [];
        continue;
      }
      if (used(line) + cell.width > width) {
        const space =
          cell.grapheme === ' ' ? line.length : line.findLastIndex(({ grapheme }) => grapheme === ' ');
        const cut = space > 0 ? space : line.length;
        flush(line.slice(0, cut));
        line = line.slice(line[cut]?.grapheme === ' ' ? cut + 1 : cut);
        if (cell.grapheme === ' ') continue;
      }
      line.push({ ...cell, style });
    }
  }
  flush(line);
  return lines;
}

function paint(cells: readonly { grapheme: string; style: string }[]): string {
  let text = '';
  let style = '';
  for (const cell of cells) {
    if (cell.style !== style) {
      if (style !== '') text += RESET;
      text += cell.style;
      style = cell.style;
    }
    text += cell.grapheme;
  }
  return style === '' ? text : text + RESET;
}

/** The items of the history, what each does, and the tokens it adds most to. */
function itemLines(map: EffectMap): string[] {
  const { items = [] } = map;
  if (items.length === 0) return [];
  const pieces = displayPieces(map);
  const carried = (i: number) =>
    pieces
      .flatMap(({ text, isEnd, token }) =>
        token?.itemEffects === undefined ? [] : [{ text: isEnd ? '' : text, effect: token.itemEffects[i]! }],
      )
      .filter(({ effect }) => effect >= WORTH_NAMING)
      .sort((a, b) => b.effect - a.effect)
      .slice(0, ITEMS_NAMED)
      .map(({ text, effect }) => `${tokenLabel(text)} ${signed(effect)}`)
      .join('  ');
  const lines = items.map((item, i) => {
    const { id, time, query } = map.history[i]!;
    const twin = map.history.findIndex((other) => other.id === item.twin);
    const { label } = itemKindWords[item.kind];
    const kind = twin < 0 ? label : `${label}: item ${twin + 1}`;
    const what = [time, query === '' ? id : query].filter(Boolean).join(' · ').replace(/\s+/g, ' ');
    const short = [...what].length > LABEL_SHOWN ? `${[...what].slice(0, LABEL_SHOWN).join('')}…` : what;
    const tokens = carried(i);
    return [
      `${i + 1}. ${short}  ${kind}`,
      `   ${itemNumbers(item)}`,
      ...(tokens === '' ? [] : [`   adds to ${tokens}`]),
    ];
  });
  return [
    '',
    'items of the history, oldest first; D: nats a token that the text loses without the item, all others kept',
    ...lines.flat(),
  ];
}

function legend(
  effect: EffectName,
  limit: number,
  color: boolean | '256',
  map: EffectMap,
  width: number,
): string[] {
  const { unit, signed: hasSign } = effectKinds[effect];
  const { label } = effectWords[effect];
  const most = decimal(limit, limit < 1 ? 2 : 1).replace(/\.0$/, '');
  const simulated = map.tokens.some((token) => token.cause !== undefined);
  const lines: StyledText[][] = [];
  if (color === false) {
    const third = decimal(limit / 3);
    const twoThirds = decimal((2 * limit) / 3);
    const marks = hasSign
      ? `[++] from ${twoThirds}, [+] from ${third} ${unit}, [-] and [--] below zero alike`
      : `[**] from ${twoThirds}, [*] from ${third} ${unit}`;
    lines.push([{ text: `${label}: ${marks}`, style: '' }]);
    if (simulated) lines.push([{ text: 'known cause after the mark: u user, q query, b both', style: '' }]);
  } else {
    const levels = Array.from({ length: (hasSign ? 2 : 1) * LEVELS + 1 }, (_, i) =>
      hasSign ? i - LEVELS : i,
    );
    const bar = levels.map((level) => ({ text: ' ', style: sgr(colourCodes(level, effect, color)) }));
    const from = hasSign ? `≤ −${most} ` : '0 ';
    lines.push([{ text: `${label}: ${from}`, style: '' }, ...bar, { text: ` ≥ ${most} ${unit}`, style: '' }]);
    if (simulated) {
      const example = (cause: string) => ({ text: cause, style: sgr(causeCodes(cause)) });
      const gap = { text: ' ', style: '' };
      lines.push([
        { text: 'known cause: ', style: '' },
        example('user'),
        gap,
        example('query'),
        gap,
        example('both'),
        gap,
        { text: 'neither', style: '' },
      ]);
    }
  }
  return lines.flatMap((line) => wrapStyled(line, width));
}
