/** @file A conversation as texts: messages in a row are one text, and what others wrote before is what it answers. */
import { DataError } from '../../base/errors.ts';
import type { Place, UserText } from '../../method/corpus/user-text.ts';
import { parseTime } from '../../method/data/time.ts';

/** One message of a conversation, in its order. */
export interface Message {
  readonly user: string;
  readonly names?: readonly string[];
  readonly time?: string | undefined;
  readonly text: string;
  readonly id?: string | undefined;
  readonly place: Place;
}

/** Messages of one author within ten minutes are one text. */
const JOINED_MS = 10 * 60_000;
/** What was said longer ago is not what a text answers. */
const ANSWERED_MS = 24 * 3_600_000;
/** UTF-16 code units of what a text answers that are kept, the latest. */
const QUERY_LENGTH = 1000;

/**
 * The texts of those whom `isAuthor` takes.
 * @param opening the query of a text that answers nothing
 */
export function* conversationTexts(
  messages: readonly Message[],
  isAuthor: (message: Message) => boolean,
  opening: string,
): Generator<UserText> {
  const joined: Message[] = [];
  for (const message of messages) {
    const last = joined.at(-1);
    if (last !== undefined && last.user === message.user && apart(last, message) <= JOINED_MS)
      joined[joined.length - 1] = {
        ...last,
        time: message.time ?? last.time,
        text: `${last.text}\n${message.text}`,
      };
    else joined.push(message);
  }
  for (const [place, message] of joined.entries()) {
    if (!isAuthor(message)) continue;
    const before: string[] = [];
    for (let at = place - 1; at >= 0; at--) {
      const other = joined[at]!;
      if (other.user === message.user || apart(other, message) > ANSWERED_MS) break;
      before.unshift(other.text);
    }
    const said = before.join('\n').slice(-QUERY_LENGTH);
    const { user, names, time, text, id, place: where } = message;
    yield {
      ...{ user, text, query: said === '' ? opening : said, place: where },
      ...(names !== undefined && { names }),
      ...(time !== undefined && { time }),
      ...(id !== undefined && { id }),
    };
  }
}

/** Milliseconds between two messages; none where a time is missing. */
function apart(a: Message, b: Message): number {
  const [first, second] = [a.time, b.time].map((time) =>
    time === undefined ? undefined : parseTime(time)?.start,
  );
  return first === undefined || second === undefined ? 0 : Math.abs(second - first);
}

/** Chat exports come packed; they are unpacked by hand, since names in a zip may lead anywhere. */
export function refuseZip(path: string): void {
  if (/\.(?:zip|tgz|tar|7z)$/i.test(path))
    throw new DataError(`${path}: expected the unpacked file, got an archive`, {
      code: 'data/archive',
      hint: 'Unpack it, and name the file in it, such as conversations.json.',
    });
}
