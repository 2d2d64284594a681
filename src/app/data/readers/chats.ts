/** @file Chat exports: messages of OpenAI's format, ChatGPT, Claude, Telegram. */
import type { UserText } from '../../../method/corpus/user-text.ts';
import { readTime } from '../../../method/data/read-time.ts';
import { conversationTexts, type Message, refuseZip } from '../conversation.ts';
import { jsonValues } from '../json-values.ts';
import type { ReadContext, Reader } from '../reader.ts';
import { isObject, objectsOf, plainText, valueAt } from '../row.ts';

type Json = Readonly<Record<string, unknown>>;

export const chatReaders: readonly Reader[] = [
  {
    name: 'openai',
    summary: 'OpenAI’s messages; the texts are the assistant’s (--role user: the user’s)',
    sources: 'FILE.jsonl …',
    takes: ['author', 'role', 'user', 'time'],
    texts: openaiTexts,
  },
  {
    name: 'chatgpt',
    summary: 'an export of ChatGPT; the texts are the person’s',
    sources: 'conversations.json',
    takes: ['author', 'role'],
    texts: (context) => exportTexts(context, chatgptMessages),
  },
  {
    name: 'claude',
    summary: 'an export of Claude; the texts are the person’s',
    sources: 'conversations.json',
    takes: ['author', 'role'],
    texts: (context) => exportTexts(context, claudeMessages),
  },
  {
    name: 'telegram',
    summary: 'an export of Telegram; everybody’s texts, or those of --author',
    sources: 'result.json',
    takes: ['author'],
    texts: telegramTexts,
  },
];

const OPENING = 'Begin a conversation.';
const ME = 'me';

/** The text of a message: a text, a list of parts, or an object with one. */
function contentText(content: unknown): string | undefined {
  if (typeof content === 'string') return content;
  if (isObject(content)) return contentText(content.parts ?? content.text);
  if (!Array.isArray(content)) return undefined;
  const parts = content.flatMap((part: unknown) => {
    if (typeof part === 'string') return [part];
    return isObject(part) && typeof part.text === 'string' ? [part.text] : [];
  });
  return parts.length === 0 ? undefined : parts.join('');
}

async function* openaiTexts({ sources, options, faults, signal }: ReadContext): AsyncGenerator<UserText> {
  const role = options.role ?? 'assistant';
  for (const path of sources)
    for await (const { value, line } of jsonValues(path, faults, { signal })) {
      const place = { file: path, line };
      const messages = isObject(value) ? objectsOf(value.messages) : [];
      if (!isObject(value) || messages.length === 0) {
        faults.add('wrong-type', place, 'an object with messages was expected');
        continue;
      }
      const user = plainText(valueAt(value, options.user ?? 'user')) ?? options.author ?? ME;
      const time = options.time === undefined ? undefined : readTime(valueAt(value, options.time))?.iso;
      if (options.time !== undefined && time === undefined) {
        faults.add('unreadable-time', place, String(valueAt(value, options.time)));
        continue;
      }
      yield* conversationTexts(
        messages.flatMap((message): Message[] => {
          const text = contentText(message.content);
          if (message.role === 'system' || message.role === 'developer' || message.role === 'tool') return [];
          if (text === undefined || text.trim() === '') {
            faults.add('unreadable-message', place);
            return [];
          }
          return [
            { user: message.role === role ? user : `${String(message.role)} of a chat`, time, text, place },
          ];
        }),
        (message) => message.user === user,
        OPENING,
      );
    }
}

/** One message of a conversation of an assistant: by the person, or not. */
interface Turn {
  readonly isPerson: boolean;
  readonly text: string | undefined;
  readonly time: unknown;
  readonly id: string | undefined;
}

/** Exports of assistants: one person, many conversations; the person's messages are the texts. */
async function* exportTexts(
  context: ReadContext,
  turnsOf: (conversation: Json, onLeftOut: () => void) => readonly Turn[] | undefined,
): AsyncGenerator<UserText> {
  const { sources, options, faults, signal } = context;
  const user = options.author ?? ME;
  const wantsPerson = options.role !== 'assistant';
  for (const path of sources) {
    refuseZip(path);
    for await (const { value, line } of jsonValues(path, faults, { signal })) {
      const place = { file: path, line };
      const turns = isObject(value) ? turnsOf(value, () => faults.add('not-in-branch', place)) : undefined;
      if (turns === undefined) {
        faults.add('wrong-type', place, 'a conversation was expected');
        continue;
      }
      const messages = turns.flatMap(({ isPerson, text, time, id }): Message[] => {
        if (text === undefined || text.trim() === '') {
          if (isPerson === wantsPerson) faults.add('unreadable-message', place);
          return [];
        }
        const iso = readTime(time)?.iso;
        if (iso === undefined && isPerson === wantsPerson) {
          faults.add('missing-time', place);
          return [];
        }
        return [{ user: isPerson === wantsPerson ? user : 'the other', time: iso, text, id, place }];
      });
      yield* conversationTexts(messages, (message) => message.user === user, OPENING);
    }
  }
}

/** The branch that ends at `current_node`; answers that were tried again are on others. */
function chatgptMessages(conversation: Json, onLeftOut: () => void): readonly Turn[] | undefined {
  const { mapping, current_node: current } = conversation;
  if (!isObject(mapping)) return undefined;
  const turns: Turn[] = [];
  const seen = new Set<string>();
  let id = plainText(current);
  while (id !== undefined && !seen.has(id)) {
    seen.add(id);
    const node = mapping[id];
    if (!isObject(node)) break;
    const { message } = node;
    const role = isObject(message) && isObject(message.author) ? message.author.role : undefined;
    if (isObject(message) && (role === 'user' || role === 'assistant')) {
      const type = isObject(message.content) ? message.content.content_type : undefined;
      const isText = type === undefined || type === 'text' || type === 'multimodal_text';
      if (isText || role === 'user')
        turns.unshift({
          ...{
            isPerson: role === 'user',
            text: contentText(message.content),
            id: plainText(message.id) ?? id,
          },
          time: message.create_time ?? conversation.create_time,
        });
    }
    id = plainText(node.parent);
  }
  for (const [key, node] of Object.entries(mapping)) {
    const message = isObject(node) ? node.message : undefined;
    const role = isObject(message) && isObject(message.author) ? message.author.role : undefined;
    if (!seen.has(key) && role === 'user') onLeftOut();
  }
  return turns;
}

function claudeMessages(conversation: Json): readonly Turn[] | undefined {
  if (!Array.isArray(conversation.chat_messages)) return undefined;
  return objectsOf(conversation.chat_messages).map((message) => ({
    isPerson: message.sender === 'human',
    text: plainText(message.text) ?? contentText(message.content),
    time: message.created_at ?? conversation.created_at,
    id: plainText(message.uuid),
  }));
}

async function* telegramTexts({ sources, options, faults, signal }: ReadContext): AsyncGenerator<UserText> {
  for (const path of sources) {
    refuseZip(path);
    for await (const { value, line } of jsonValues(path, faults, { signal })) {
      const place = { file: path, line };
      const whole = isObject(value) ? value : {};
      const list = isObject(whole.chats) ? objectsOf(whole.chats.list) : [];
      const chats = Array.isArray(whole.messages) ? [whole] : list;
      if (chats.length === 0) faults.add('wrong-type', place, 'chats with messages were expected');
      for (const chat of chats) {
        const messages = objectsOf(chat.messages).flatMap((message): Message[] => {
          if (message.type !== 'message') return [];
          const text = contentText(message.text);
          const user = plainText(message.from_id) ?? plainText(message.from);
          const name = plainText(message.from);
          const time = readTime(message.date_unixtime ?? message.date)?.iso;
          if (text === undefined || text.trim() === '' || user === undefined) {
            faults.add('unreadable-message', place, `message ${plainText(message.id) ?? ''}`);
            return [];
          }
          if (time === undefined) {
            faults.add('missing-time', place, `message ${plainText(message.id) ?? ''}`);
            return [];
          }
          const id = `${plainText(chat.id) ?? 'chat'}/${plainText(message.id) ?? ''}`;
          return [{ user, ...(name !== undefined && { names: [name] }), time, text, id, place }];
        });
        const isAuthor = ({ user, names }: Message) =>
          options.author === undefined || user === options.author || names?.includes(options.author) === true;
        for (const message of messages) if (!isAuthor(message)) faults.add('other-author', message.place);
        yield* conversationTexts(messages, isAuthor, OPENING);
      }
    }
  }
}
