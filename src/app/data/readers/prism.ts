/** @file PRISM: what people wrote to models and about themselves. The models' replies are only what a text answers. */
import type { UserText } from '../../../method/corpus/user-text.ts';
import { readTime } from '../../../method/data/read-time.ts';
import type { ReadContext, Reader } from '../reader.ts';
import { objectsOf, placeOf, plainText } from '../row.ts';
import { tableRows } from '../table-rows.ts';

export const prismReader: Reader = {
  name: 'prism',
  summary:
    'PRISM: people’s own messages and self-descriptions (scores and models’ replies are not their texts)',
  sources: 'conversations.jsonl survey.jsonl …',
  takes: [],
  texts: prismTexts,
};

/** Texts that stand alone, and what they answer. */
const SINGLE: readonly (readonly [field: string, query: string])[] = [
  ['self_description', 'Describe yourself and your values.'],
  ['system_string', 'Say how an assistant should behave towards you.'],
  ['open_feedback', 'Say what you think of the conversation.'],
];
const OPENING = 'Begin a conversation with an assistant.';

async function* prismTexts({ sources, faults, signal, note }: ReadContext): AsyncGenerator<UserText> {
  note(
    'PRISM: people’s texts are CC BY 4.0, models’ replies, which queries hold, CC BY-NC 4.0; without times the order of the file is that of time',
  );
  for (const source of sources)
    for await (const row of tableRows(source, faults, { signal })) {
      const { values } = row;
      const user = plainText(values.user_id);
      if (user === undefined) {
        faults.add('missing-user', placeOf(row, 'user_id'));
        continue;
      }
      const conversation = plainText(values.conversation_id) ?? `row ${row.line}`;
      const texts = [
        ...turnsOf(values),
        ...SINGLE.map(([field, query]) => ({ key: field, query, text: plainText(values[field]) })),
      ].filter(({ text }) => text !== undefined && text.trim() !== '');
      if (texts.length === 0) faults.add('no-user-text', placeOf(row));
      const time = readTime(values.generated_datetime ?? values.timestamp)?.iso;
      for (const { key, query, text } of texts)
        yield {
          ...{ user, query, text: text!, id: `${conversation}/${key}`, place: placeOf(row) },
          ...(time !== undefined && { time }),
        };
    }
}

function turnsOf(values: Readonly<Record<string, unknown>>) {
  const history = objectsOf(values.conversation_history);
  const turns: { key: string; query: string; text: string | undefined }[] = [];
  let reply = OPENING;
  for (const [place, turn] of history.entries()) {
    const text = plainText(turn.content);
    if (turn.role === 'user') turns.push({ key: `turn ${place}`, query: reply, text });
    else if (turn.if_chosen !== false && text !== undefined) reply = text;
  }
  if (turns.length === 0)
    turns.push({ key: 'opening', query: OPENING, text: plainText(values.opening_prompt) });
  return turns;
}
