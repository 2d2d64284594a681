/**
 * @file PersonaMem 1 and 2: multiple choice over a conversation. The history is what the user said before; the response is the
 * right option, which a model wrote: score the options by likelihood, do not read effects as the user's own words.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Example } from '../../../method/data/example.ts';
import { jsonValues } from '../json-values.ts';
import { profileHistory } from '../profile-history.ts';
import { pythonLiteral } from '../python-literal.ts';
import type { ReadContext, Reader } from '../reader.ts';
import { isObject, objectsOf, placeOf, plainText, type Row } from '../row.ts';
import { tableRows } from '../table-rows.ts';

type Message = Readonly<Record<string, unknown>>;

export const personamemReader: Reader = {
  name: 'personamem',
  summary:
    'PersonaMem 1 (--items names shared_contexts_*.jsonl) and 2 (histories beside the CSV); multiple choice',
  sources: 'questions_32k.csv …',
  takes: ['items', 'maxItemLength'],
  examples: personamemExamples,
};

async function* personamemExamples(context: ReadContext): AsyncGenerator<Example> {
  const { sources, options, faults, signal, note } = context;
  note(
    'PersonaMem: the responses are options that a model wrote, not texts of the user; meta.options holds them all',
  );
  const contexts = await sharedContexts(context);
  for (const source of sources)
    for await (const row of tableRows(source, faults, { signal })) {
      const place = placeOf(row);
      const asked = questionOf(row);
      const messages =
        plainText(row.values.shared_context_id) === undefined
          ? await historyBeside(row, source)
          : contexts
              .get(plainText(row.values.shared_context_id)!)
              ?.slice(0, Number(row.values.end_index_in_shared_context));
      if (messages === undefined || asked === undefined) {
        faults.add(messages === undefined ? 'no-context' : 'no-response', place);
        continue;
      }
      const history = profileHistory(
        messages
          .filter(({ role }) => role === 'user')
          .map(({ content }) => ({ text: plainText(content)?.replace(/^User:\s*/, '') })),
        place,
        faults,
        { maxItemLength: options.maxItemLength },
      );
      const { query, options: choices, correct } = asked;
      yield {
        id:
          plainText(row.values.question_id) ?? `${plainText(row.values.persona_id) ?? 'persona'}/${row.line}`,
        user: plainText(row.values.persona_id) ?? 'persona',
        ...{ query, response: choices[correct]!, history },
        meta: {
          options: choices,
          correct,
          type: plainText(row.values.question_type) ?? plainText(row.values.pref_type),
        },
      };
    }
}

interface Question {
  readonly query: string;
  readonly options: readonly string[];
  readonly correct: number;
}

function questionOf({ values }: Row): Question | undefined {
  const right = plainText(values.correct_answer)?.trim();
  if (right === undefined) return undefined;
  const texts = (value: unknown) => {
    const list = typeof value === 'string' ? pythonLiteral(value) : value;
    return Array.isArray(list) ? list.filter((text): text is string => typeof text === 'string') : [];
  };
  if (values.all_options !== undefined) {
    const all = texts(values.all_options);
    const letter = /^\(?([a-z])\)?$/i.exec(right)?.[1]?.toLowerCase();
    const marked = all.findIndex(
      (option) => letter !== undefined && option.toLowerCase().startsWith(`(${letter})`),
    );
    const correct = marked >= 0 ? marked : all.findIndex((option) => option.trim() === right);
    const query = plainText(values.user_question_or_message);
    if (correct < 0 || query === undefined) return undefined;
    return { query, options: all.map((option) => option.replace(/^\([a-z]\)\s*/i, '')), correct };
  }
  const asked = typeof values.user_query === 'string' ? pythonLiteral(values.user_query) : values.user_query;
  const query = isObject(asked) ? plainText(asked.content ?? asked.text) : plainText(values.user_query);
  // In an order of their own: the place of an option must not give the right one away.
  const options = [right, ...texts(values.incorrect_answers)].sort();
  return query === undefined ? undefined : { query, options, correct: options.indexOf(right) };
}

/** Version 1: one object a line with one key, the id of the context. */
async function sharedContexts({ options, faults, signal }: ReadContext) {
  const contexts = new Map<string, readonly Message[]>();
  for (const path of options.items ?? [])
    for await (const { value } of jsonValues(path, faults, { signal }))
      if (isObject(value))
        for (const [id, messages] of Object.entries(value)) contexts.set(id, objectsOf(messages));
  return contexts;
}

/** Version 2: the file that a row names, beside the table. */
async function historyBeside({ values }: Row, source: string): Promise<readonly Message[] | undefined> {
  const link = plainText(values.chat_history_32k_link) ?? plainText(values.chat_history_128k_link);
  if (link === undefined || link.split(/[/\\]/).includes('..') || /^(?:[a-z]+:|[/\\])/i.test(link))
    return undefined;
  const text = await readFile(join(dirname(source), link), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const file = pythonLiteral(text);
  return isObject(file) ? objectsOf(file.chat_history) : undefined;
}
