/** @file Template wording: the same prompt in other words. */
import { promptTemplates } from '../prompts/template.ts';
import { contrast, type RefutationTest } from './refutation-test.ts';
import { HALF, keptWithin } from './verdict.ts';

export const templateWording: RefutationTest = {
  name: 'template-wording',
  title: 'Template wording changed',
  what: 'The words of the prompt around the history and the query are replaced by others.',
  expected: 'C stays about what it is: it does not hang on how the prompt is worded.',
  leaves: 'all',
  control: ({ example, own, others }, { prompt, template }) => {
    const other = promptTemplates.find(({ id }) => id !== template)!.id;
    return contrast(
      prompt(example, own, other),
      others.map(({ history }) => prompt(example, history, other)),
    );
  },
  judge: keptWithin(1 - HALF, 1 + HALF),
};
