/** @file What a stream can show: a terminal or not, with colours or without, as its user wants it. */
import { fstatSync, readFileSync, statSync } from 'node:fs';
import { terminalText } from '../../reports/text/terminal-text.ts';

/** Whether lines can be drawn over. */
export function isLive(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && process.env.TERM !== 'dumb';
}

/**
 * Whether stdout was closed when the process began (`>&-`): Node then opens the null device for reading and writing,
 * where a shell's `>/dev/null` opens it for writing alone. Only Linux tells; elsewhere it counts as open.
 */
export function isStdoutClosed(): boolean {
  try {
    if (fstatSync(1).rdev !== statSync('/dev/null').rdev) return false;
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync('/proc/self/fdinfo/1', 'utf8'))?.[1];
    return (Number.parseInt(flags ?? '0', 8) & 3) === 2;
  } catch {
    return false;
  }
}

/** Colours on terminals; NO_COLOR and FORCE_COLOR decide otherwise. */
export function wantsColor(stream: NodeJS.WriteStream): boolean {
  if (process.env.NO_COLOR) return false;
  if (process.env.FORCE_COLOR) return process.env.FORCE_COLOR !== '0';
  return isLive(stream);
}

/** Backgrounds of a heat map: 24-bit where the terminal says so, the palette elsewhere, marks without colour. */
export function mapColor(stream: NodeJS.WriteStream): boolean | '256' {
  if (!wantsColor(stream)) return false;
  return /^(truecolor|24bit)$/.test(process.env.COLORTERM ?? '') ? true : '256';
}

/** A text on one line that cannot steer the terminal, at most `width` characters. */
export function oneLine(text: string, width: number): string {
  const characters = [...terminalText(text.replace(/\s+/g, ' '))];
  return characters.length <= width ? characters.join('') : `${characters.slice(0, width - 1).join('')}…`;
}
