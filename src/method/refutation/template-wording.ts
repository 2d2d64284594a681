/** @file Template wording: the same prompt in other words. */
import { promptTemplates } from '../prompts/template.ts';
import { contrast, type RefutationTest } from './refutation-test.ts';
import { HALF, keptWithin } from './verdict.ts';

export const templateWording: RefutationTest = {
  name: 'template-wording',
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
