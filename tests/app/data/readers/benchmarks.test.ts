/** @file Tests of benchmarks with profiles: LaMP, LongLaMP, LaMP-QA, PersonaMem, PRISM; files made to the published schemas. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { pythonLiteral } from '../../../../src/app/data/python-literal.ts';
import { dataFolder } from '../../../support/data-files.ts';

const { folder, file, convert } = dataFolder('benchmarks');

describe('lamp', () => {
  it.each([
    ['LaMP_1', { title: 'Deep nets', abstract: 'We show.' }, 'We show.', 'Deep nets'],
    ['LaMP_2', { description: 'A film.', tag: 'comedy' }, 'A film.', 'comedy'],
    ['LaMP_2_old', { title: 'News', text: 'Today.', category: 'politics' }, 'News\nToday.', 'politics'],
    ['LaMP_3', { text: 'Good pan.', score: '5' }, 'Good pan.', '5'],
    ['LaMP_4', { title: 'Head', text: 'Article.' }, 'Article.', 'Head'],
    ['LaMP_5', { title: 'Deep nets', abstract: 'We show.' }, 'We show.', 'Deep nets'],
    ['LaMP_7', { text: 'my tweet' }, '', 'my tweet'],
  ])(
    'reads %s: what the user wrote is the text, what it answers the query',
    async (task, fields, query, text) => {
      const questions = [{ id: '10', input: 'ask', profile: [{ id: '1', ...fields }] }];
      const dir = join(folder, task);
      mkdirSync(dir);
      file(join(task, 'train_questions.json'), questions);
      file(join(task, 'train_outputs.json'), { task, golds: [{ id: '10', output: 'gold' }] });
      const { examples } = await convert('lamp', [dir]);
      expect(examples).toEqual([
        {
          ...{ id: `${task}/train/10`, query: 'ask', response: 'gold', split: 'train', meta: { task } },
          user: expect.stringMatching(/^profile [0-9a-f]{16}$/),
          history: [{ id: '1', query, text }],
        },
      ]);
    },
  );

  it('reads the time split with users and dates, questions that are wrapped, and leaves test questions out', async () => {
    const profile = [
      { id: '2', text: 'B', title: 'later', date: '2019-2-1' },
      { id: '1', text: 'A', title: 'earlier', date: '2018-12-31' },
      { id: '1', text: 'A', title: 'twice', date: '2018-12-31' },
    ];
    const golds = [{ id: '7', user_id: '42', input: 'ask', profile }];
    const dev = file('dev_questions.json', { task: 'LaMP_6', golds });
    file('dev_outputs.json', { task: 'LaMP_6', golds: [{ id: '7', output: 'subject' }] });
    const test = file('test_questions.json', { task: 'LaMP_6', golds });
    const { examples, faults } = await convert('lamp', [dev, test]);
    expect(examples).toHaveLength(1);
    expect(examples[0]).toMatchObject({
      ...{ user: '42', split: 'validation', response: 'subject' },
      history: [
        { id: '1', time: '2018-12-31', text: 'earlier' },
        { id: '2', time: '2019-02-01', text: 'later' },
      ],
    });
    expect(faults).toEqual({ 'duplicate-id': 1, 'no-response': 1 });
  });

  it('asks for the outputs of questions that have some', async () => {
    const path = file('train_questions.json', []);
    await expect(convert('lamp', [path])).rejects.toMatchObject({ code: 'data/missing-file' });
  });
});

describe('longlamp', () => {
  const rows = {
    product_review: {
      ...{ reviewerId: 'R1', input: 'Generate the review text …', output: 'my review' },
      profile: [{ description: 'A pan.', overall: '4', reviewText: 'old review', summary: 'Fine' }],
    },
    abstract_generation: {
      ...{ name: 'Ada', input: 'Generate an abstract …', output: 'my abstract' },
      profile: [
        { abstract: 'newer', id: 'p2', title: 'Two', year: 2019 },
        { abstract: 'older', id: 'p1', title: 'One', year: 2018 },
      ],
    },
    topic_writing: {
      ...{ author: 'red', input: 'Generate the content …', output: 'my post' },
      profile: [{ author: 'red', content: `${'word '.repeat(20_000)}`, id: 't1', summary: 'words' }],
    },
  };

  it.each(['train.json', 'train.jsonl'])('reads all tasks from %s, and cuts long texts', async (name) => {
    const { examples, faults, notes } = await convert('longlamp', [file(name, Object.values(rows))]);
    expect(examples.map(({ user }) => user)).toEqual(['R1', 'Ada', 'red']);
    expect(examples[0]).toMatchObject({
      ...{
        id: 'product_review/train/1',
        query: 'Generate the review text …',
        response: 'my review',
        split: 'train',
      },
      history: [{ query: 'Fine\nA pan.', text: 'old review', meta: { rating: 4 } }],
    });
    expect(examples[1]!.history).toMatchObject([
      { id: 'p1', time: '2018', query: 'One', text: 'older' },
      { id: 'p2', time: '2019', query: 'Two', text: 'newer' },
    ]);
    expect(examples[2]!.history[0]!.text).toMatch(/^(word )+word$/);
    expect(examples[2]!.history[0]!.text.length).toBeLessThanOrEqual(4000);
    expect(faults).toMatchObject({ 'cut-text': 1, 'cut-value': 1 });
    expect(notes).toHaveLength(1);
  });

  it('reads Parquet with nested profiles', async () => {
    const { reviewerId, input, output, profile } = rows.product_review;
    const bytes = parquetWriteBuffer({
      columnData: [
        { name: 'reviewerId', data: [reviewerId, 'R2'], type: 'STRING' },
        { name: 'input', data: [input, input], type: 'STRING' },
        { name: 'output', data: [output, 'another'], type: 'STRING' },
        { name: 'profile', data: [profile, profile], type: 'JSON' },
      ],
    });
    const { examples } = await convert('longlamp', [
      file('val-00000-of-00001.parquet', new Uint8Array(bytes)),
    ]);
    expect(examples.map(({ user, split }) => [user, split])).toEqual([
      ['R1', 'validation'],
      ['R2', 'validation'],
    ]);
    expect(examples[0]!.history[0]).toMatchObject({ text: 'old review' });
  });
});

describe('lamp-qa', () => {
  it('takes the asker’s question for the response, and neither narrative nor rubric', async () => {
    const row = {
      ...{
        id: 'q1',
        question: 'Which knife?',
        category: 'cooking',
        narrative: 'SECRET',
        profile: [{ id: 'a', text: 'Which pan?', category: 'cooking' }],
      },
      rubric_aspects: [{ aspect: 'SECRET', reason: '', evidence: '' }],
    };
    const { examples, notes } = await convert('lamp-qa', [file('test.json', [row])]);
    expect(examples[0]).toMatchObject({
      ...{
        query: 'Ask a question about cooking.',
        response: 'Which knife?',
        domain: 'cooking',
        split: 'test',
      },
      history: [{ id: 'a', query: 'Ask a question about cooking.', text: 'Which pan?' }],
    });
    expect(JSON.stringify(examples)).not.toContain('SECRET');
    expect(notes[0]).toContain('answers');
  });
});

describe('personamem', () => {
  it('reads version 1: options from Python literals, the history up to the question', async () => {
    const csv =
      'persona_id,question_id,question_type,user_question_or_message,correct_answer,all_options,shared_context_id,end_index_in_shared_context\n' +
      `3,q9,recall,What do I like?,(b),"['(a) It\\'s tea', ""(b) It's jam""]",c1,3\n4,q10,recall,x,(a),"['(a) y']",none,1\n`;
    const context = [
      { role: 'system', content: 'persona' },
      { role: 'user', content: 'User: I like jam.' },
      { role: 'assistant', content: 'Noted.' },
      { role: 'user', content: 'User: later' },
    ];
    const contexts = file('shared_contexts_32k.jsonl', [{ c1: context }]);
    const { examples, faults } = await convert('personamem', [file('questions.csv', csv)], {
      items: [contexts],
    });
    expect(examples).toMatchObject([
      {
        ...{ id: 'q9', user: '3', query: 'What do I like?', response: "It's jam" },
        history: [{ text: 'I like jam.' }],
        meta: { options: ["It's tea", "It's jam"], correct: 1, type: 'recall' },
      },
    ]);
    expect(faults).toEqual({ 'no-context': 1 });
  });

  it('reads version 2: the history beside the table, and none outside it', async () => {
    file('h1.json', { metadata: {}, chat_history: [{ role: 'user', content: 'I moved to Rome.' }] });
    const csv =
      'persona_id,chat_history_32k_link,user_query,correct_answer,incorrect_answers,pref_type\n' +
      `7,h1.json,"{'role': 'user', 'content': 'Where?'}",Rome,"['Oslo', 'Bonn']",place\n7,../h1.json,x,y,[],z\n`;
    const { examples, faults } = await convert('personamem', [file('v2.csv', csv)]);
    expect(examples).toMatchObject([
      {
        ...{ query: 'Where?', response: 'Rome', history: [{ text: 'I moved to Rome.' }] },
        // The right option stood first in every question.
        meta: { options: ['Bonn', 'Oslo', 'Rome'], correct: 2 },
      },
    ]);
    expect(faults).toEqual({ 'no-context': 1 });
  });
});

describe('prism', () => {
  it('takes what people wrote; chosen replies are what a text answers', async () => {
    const turn = (role: string, content: string, chosen?: boolean) => ({ role, content, if_chosen: chosen });
    const row = {
      ...{ user_id: 'p', conversation_id: 'c', opening_prompt: 'Hello there', open_feedback: 'It was fine' },
      conversation_history: [
        turn('user', 'Hello there'),
        turn('model', 'Chosen', true),
        turn('model', 'Other', false),
        turn('user', 'Go on'),
      ],
    };
    const { examples } = await convert('prism', [file('conversations.jsonl', [row])]);
    expect(examples.map(({ query, response, history }) => [query, response, history.length])).toEqual([
      ['Chosen', 'Go on', 1],
      ['Say what you think of the conversation.', 'It was fine', 2],
    ]);
  });
});

describe('pythonLiteral', () => {
  it.each([
    [`{'a': [1, -2.5, None], "b": (True, 'x\\n\\u00e9')}`, { a: [1, -2.5, null], b: [true, 'x\né'] }],
    ['["json", 1]', ['json', 1]],
    [`['it\\'s', "a \\"b\\""]`, ["it's", 'a "b"']],
    ['[1, 2', undefined],
    ['print(1)', undefined],
    ["['a' 'b']", undefined],
  ])('reads %s', (text, value) => {
    expect(pythonLiteral(text)).toEqual(value);
  });
});
