/** @file Every format loads from a sample file into examples that every command reads; a reader without a sample here fails. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { expect, it } from 'vitest';
import type { ConvertDataOptions } from '../../../src/app/data/convert-options.ts';
import { readers } from '../../../src/app/data/readers.ts';
import { dataFolder } from '../../support/data-files.ts';

const { folder, file, convert } = dataFolder('every-format');

interface Sample {
  readonly sources: () => readonly string[];
  readonly options?: () => Partial<ConvertDataOptions>;
  /** Of the last example. */
  readonly response: string;
  readonly history: string;
}

const rows = [
  { who: 'Ann', day: '2020-01-01', said: 'First words.' },
  { who: 'Ann', day: '2020-01-02', said: 'Second words.' },
];
const separated = (by: string) =>
  [['who', 'day', 'said'], ...rows.map((row) => Object.values(row))]
    .map((cells) => cells.join(by))
    .join('\n');
const table = (sources: () => readonly string[]): Sample => ({
  sources,
  options: () => ({ user: 'who', time: 'day', text: 'said', query: 'Write' }),
  ...{ response: 'Second words.', history: 'First words.' },
});
const column = (name: 'who' | 'day' | 'said') => ({
  ...{ name, type: 'STRING' as const, data: rows.map((row) => row[name]) },
});
const profile = [{ id: '1', title: 'Old title', abstract: 'Old abstract' }];
const review = (timestamp: number, parent_asin: string, text: string) => ({
  ...{ rating: 5, title: 'T', text, images: [], asin: 'v', parent_asin, user_id: 'U', timestamp },
  ...{ verified_purchase: true, helpful_vote: 0 },
});
const turn = (role: string, content: string) => ({ role, content });
const said = (sender: string, text: string, minute: number) => ({
  ...{ uuid: `${minute}`, sender, text, created_at: `2024-01-01T10:0${minute}:00Z` },
});
const node = (id: string, role: string, text: string, parent: string | null, children: string[]) => ({
  ...{ id, parent, children },
  message: {
    id,
    author: { role },
    create_time: 1.6e9 + id.charCodeAt(0),
    content: { content_type: 'text', parts: [text] },
  },
});
const telegram = (id: number, from: string, text: string, at: number) => ({
  ...{
    id,
    type: 'message',
    date_unixtime: String(at),
    from,
    from_id: `user${from}`,
    text,
    text_entities: [],
  },
});
const mail = (day: number, text: string) =>
  `From a@x Fri Aug ${day} 10:00:00 2017\nFrom: Ann <a@x.org>\nDate: ${day} Aug 2017 10:00:00 +0000\nSubject: S${day}\n\n${text}\n\n`;

const samples: Readonly<Record<string, Sample>> = {
  csv: table(() => [file('t.csv', separated(','))]),
  tsv: table(() => [file('t.tsv', separated('\t'))]),
  json: table(() => [file('t.json', rows)]),
  ndjson: table(() => [file('t.ndjson', rows)]),
  parquet: table(() => [
    file(
      't.parquet',
      new Uint8Array(parquetWriteBuffer({ columnData: (['who', 'day', 'said'] as const).map(column) })),
    ),
  ]),
  amazon: {
    sources: () => [
      file('a.jsonl', [review(1.3e12, 'P1', 'Old review.'), review(1.4e12, 'P2', 'New review.')]),
    ],
    options: () => ({ items: [file('meta.jsonl', [{ parent_asin: 'P2', title: 'Pan', description: [] }])] }),
    ...{ response: 'New review.', history: 'Old review.' },
  },
  dpl: {
    sources: () => {
      const of = (asin: string, timestamp: number, text: string) => ({
        rating: 5,
        title: 'T',
        text,
        asin,
        timestamp,
      });
      return [
        file('train.jsonl', [{ user_id: 'U', profile: [of('A', 1, 'Old.')], data: of('B', 2, 'New.') }]),
      ];
    },
    options: () => ({ items: [file('items.json', [{ asin: 'B', title: 'Pan', description: '' }])] }),
    ...{ response: 'New.', history: 'Old.' },
  },
  lamp: {
    sources: () => {
      mkdirSync(join(folder, 'lamp'));
      file('lamp/train_questions.json', [{ id: '1', input: 'Title for: …', profile }]);
      file('lamp/train_outputs.json', { task: 'LaMP_5', golds: [{ id: '1', output: 'New title' }] });
      return [join(folder, 'lamp')];
    },
    ...{ response: 'New title', history: 'Old title' },
  },
  longlamp: {
    sources: () => [
      file('val.jsonl', [
        { name: 'Ada', input: 'ask', output: 'New abstract', profile: [{ ...profile[0], year: 2018 }] },
      ]),
    ],
    ...{ response: 'New abstract', history: 'Old abstract' },
  },
  'lamp-qa': {
    sources: () => [
      file('qa.json', [
        {
          id: 'q',
          question: 'Which pan?',
          category: 'c',
          narrative: 'n',
          rubric_aspects: [],
          profile: [{ id: 'a', text: 'Which pot?', category: 'c' }],
        },
      ]),
    ],
    ...{ response: 'Which pan?', history: 'Which pot?' },
  },
  personamem: {
    sources: () => [
      file(
        'questions.csv',
        'persona_id,question_id,question_type,user_question_or_message,correct_answer,all_options,shared_context_id,end_index_in_shared_context\n' +
          `3,q,recall,What?,(b),"['(a) Tea', '(b) Jam']",c,1\n`,
      ),
    ],
    options: () => ({ items: [file('contexts.jsonl', [{ c: [turn('user', 'User: I like jam.')] }])] }),
    ...{ response: 'Jam', history: 'I like jam.' },
  },
  prism: {
    sources: () => [
      file('conversations.jsonl', [
        {
          ...{ user_id: 'p', conversation_id: 'c', opening_prompt: 'Hello' },
          conversation_history: [
            turn('user', 'Hello'),
            { ...turn('model', 'Yes?'), if_chosen: true },
            turn('user', 'Go on'),
          ],
        },
      ]),
    ],
    ...{ response: 'Go on', history: 'Hello' },
  },
  openai: {
    sources: () => [
      file('chats.jsonl', [
        {
          messages: [
            turn('user', 'one?'),
            turn('assistant', 'One.'),
            turn('user', 'two?'),
            turn('assistant', 'Two.'),
          ],
        },
      ]),
    ],
    options: () => ({ author: 'me' }),
    ...{ response: 'Two.', history: 'One.' },
  },
  chatgpt: {
    sources: () => [
      file('conversations.json', [
        {
          ...{ id: 'x', title: 't', create_time: 1.6e9, current_node: 'c' },
          mapping: {
            a: node('a', 'user', 'First.', null, ['b']),
            b: node('b', 'assistant', 'Reply.', 'a', ['c']),
            c: node('c', 'user', 'Second.', 'b', []),
          },
        },
      ]),
    ],
    ...{ response: 'Second.', history: 'First.' },
  },
  claude: {
    sources: () => [
      file('claude.json', [
        {
          uuid: 'c',
          name: 'n',
          chat_messages: [
            said('human', 'First.', 1),
            said('assistant', 'Reply.', 2),
            said('human', 'Second.', 3),
          ],
        },
      ]),
    ],
    ...{ response: 'Second.', history: 'First.' },
  },
  telegram: {
    sources: () => [
      file('result.json', {
        chats: {
          list: [
            {
              ...{ name: 'Bob', type: 'personal_chat', id: 9 },
              messages: [
                telegram(1, 'Ann', 'First.', 1.6e9),
                telegram(2, 'Bob', 'Yes.', 1.6e9 + 900),
                telegram(3, 'Ann', 'Second.', 1.6e9 + 1800),
              ],
            },
          ],
        },
      }),
    ],
    ...{ response: 'Second.', history: 'First.' },
  },
  mbox: {
    sources: () => [file('mail.mbox', mail(18, 'First mail.') + mail(19, 'Second mail.'))],
    ...{ response: 'Second mail.', history: 'First mail.' },
  },
  folder: {
    sources: () => {
      mkdirSync(join(folder, 'texts/ann'), { recursive: true });
      file('texts/ann/2020-01-02-tea.md', 'Tea is good.');
      file('texts/ann/2021-01-02-jam.txt', 'Jam is better.');
      return [join(folder, 'texts')];
    },
    ...{ response: 'Jam is better.', history: 'Tea is good.' },
  },
};

it.each(readers.map(({ name }) => name))('%s loads from a sample file', async (name) => {
  const { sources, options, response, history } = samples[name]!;
  const { examples } = await convert(name, sources(), options?.() ?? {});
  const last = examples.at(-1)!;
  expect([last.response, last.history.map(({ text }) => text)]).toEqual([response, [history]]);
  expect(last.query).not.toBe('');
});
