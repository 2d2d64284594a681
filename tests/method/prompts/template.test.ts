/** @file Prompt templates: what is the template's, what is the user's, and templates by their id. */
import { expect, test } from 'vitest';
import { promptTemplate, promptTemplates } from '../../../src/method/prompts/template.ts';

test.each(promptTemplates.map(({ id }) => id))(
  'template %s marks exactly the texts of users as theirs',
  (id) => {
    const history = [
      { id: '1', query: 'QUERY ONE', text: 'TEXT ONE' },
      { id: '2', query: '', text: 'TEXT TWO' },
    ];
    const parts = promptTemplate(id).message('QUERY', history);
    const users = parts.filter((part) => !part.isTemplate).map((part) => part.text);
    expect(users).toEqual(['QUERY ONE', 'TEXT ONE', 'TEXT TWO', 'QUERY']);
    const own = parts.filter((part) => part.isTemplate).map((part) => part.text);
    expect(own.join('')).not.toMatch(/QUERY|TEXT|undefined/);
  },
);

test.each(promptTemplates.map(({ id }) => id))('template %s asks the same with and without history', (id) => {
  const { message } = promptTemplate(id);
  const ask = message('Q', undefined);
  expect(message('Q', [{ id: '1', query: 'q', text: 't' }]).slice(-ask.length)).toEqual(ask);
  expect(message('Q', 'none').slice(-ask.length)).toEqual(ask);
});

test('an unknown template is refused with the ones that exist', () => {
  expect(() => promptTemplate('defualt')).toThrow(
    'expected one of default, reworded, pairs, assistant, got "defualt"',
  );
});
