/** @file The text of a mail: headers, encoded words, parts, transfer encodings and character sets. */
import { cleanText } from '../../method/corpus/clean-text.ts';

export interface Mail {
  /** By name in lower case; the first of each. */
  readonly headers: ReadonlyMap<string, string>;
  /** The plain text, or the text of the HTML; undefined where the mail has neither. */
  readonly text: string | undefined;
}

/** @param raw the bytes of a mail as Latin-1, one character a byte */
export function parseMail(raw: string): Mail {
  const part = partOf(raw, 0);
  const headers = new Map([...part.headers].map(([name, value]) => [name, decodedWords(value)]));
  return { headers, text: part.plain ?? (part.html === undefined ? undefined : cleanText(part.html)) };
}

interface Part {
  readonly headers: ReadonlyMap<string, string>;
  readonly plain?: string | undefined;
  readonly html?: string | undefined;
}

const DEEPEST = 20;

function partOf(raw: string, depth: number): Part {
  const [, head = '', body = ''] = /^([\s\S]*?)(?:\r?\n){2}([\s\S]*)$/.exec(raw) ?? [undefined, raw, ''];
  const headers = headersOf(head);
  const type = headers.get('content-type') ?? 'text/plain';
  const boundary = /boundary="?([^";\r\n]+)"?/i.exec(type)?.[1];
  if (/^multipart\//i.test(type) && boundary !== undefined && depth < DEEPEST) {
    const parts = body
      .split(
        new RegExp(`^--${boundary.trim().replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')}(?:--)?[ \\t]*\\r?$`, 'm'),
      )
      .slice(1)
      .map((each) => partOf(each.replace(/^\r?\n/, ''), depth + 1));
    return {
      headers,
      plain: parts.find(({ plain }) => plain !== undefined && plain.trim() !== '')?.plain,
      html: parts.find(({ html }) => html !== undefined)?.html,
    };
  }
  if (/attachment/i.test(headers.get('content-disposition') ?? '')) return { headers };
  if (!/^\s*text\/(?:plain|html)/i.test(type)) return { headers };
  const charset = /charset="?([^";\s]+)/i.exec(type)?.[1];
  const text = decoded(bytesOf(body, headers.get('content-transfer-encoding') ?? ''), charset);
  return /^\s*text\/html/i.test(type) ? { headers, html: text } : { headers, plain: text };
}

function headersOf(head: string): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    if (colon > 0 && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return headers;
}

function bytesOf(body: string, encoding: string): Buffer {
  if (/base64/i.test(encoding)) return Buffer.from(body, 'base64');
  if (!/quoted-printable/i.test(encoding)) return Buffer.from(body, 'latin1');
  const plain = body.replace(/[ \t]+$/gm, '').replace(/=\r?\n/g, '');
  return Buffer.from(
    plain.replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}

function decoded(bytes: Buffer, charset = 'utf-8'): string {
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes); // a character set that nobody knows
  }
}

/** RFC 2047: `=?utf-8?Q?caf=C3=A9?=`. */
function decodedWords(value: string): string {
  return decoded(Buffer.from(value, 'latin1')).replace(
    /=\?([^?]+)\?([bq])\?([^?]*)\?=(?:\s+(?==\?))?/gi,
    (_, charset: string, encoding: string, text: string) =>
      decoded(
        bytesOf(
          encoding.toLowerCase() === 'b' ? text : text.replaceAll('_', ' '),
          encoding.toLowerCase() === 'b' ? 'base64' : 'quoted-printable',
        ),
        charset.split('*')[0],
      ),
  );
}

/** What the author wrote: without quoted lines, the line that introduces them, and what stands below a signature's mark. */
export function ownLines(text: string): string {
  const lines = text.replace(/\r\n?/g, '\n').split('\n');
  const signature = lines.findIndex((line) => /^-- ?$/.test(line));
  const own = signature < 0 ? lines : lines.slice(0, signature);
  const original = own.findIndex((line) => /^-{2,}\s*(?:Original Message|Forwarded message)/i.test(line));
  const kept = original < 0 ? own : own.slice(0, original);
  return kept
    .filter((line, place) => {
      if (/^\s*>/.test(line)) return false;
      const next = kept.slice(place + 1).find((other) => other.trim() !== '');
      return !(
        /(?:wrote|schrieb|écrit|escribió)\s*:\s*$/.test(line) &&
        next !== undefined &&
        /^\s*>/.test(next)
      );
    })
    .join('\n');
}
