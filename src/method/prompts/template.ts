/** @file The words of a prompt: the same query with the history section and without it. */
import { ConfigError } from '../../base/errors.ts';
import type { TextPart } from '../../engine/tokenizer/tokenizer.ts';
import type { HistoryItem } from '../data/example.ts';

/**
 * What stands in the place of the history in the counterfactual prompt, do(∅):
 * `removed`, no history section at all; `none-text`, the section with the word None (the reference code's);
 * `placebo`, another user's items.
 */
export type ReferenceValue = 'removed' | 'none-text' | 'placebo';

export const referenceValues: readonly ReferenceValue[] = ['removed', 'none-text', 'placebo'];

/** How the message to the model is worded; recorded by its id in every artefact. */
export interface PromptTemplate {
  readonly id: string;
  /** The message for a query; `history` absent means no history section. */
  message(query: string, history: readonly HistoryItem[] | 'none' | undefined): TextPart[];
}

const template = (text: string): TextPart => ({ text, isTemplate: true });
const user = (text: string): TextPart => ({ text, isTemplate: false });

/** A template that puts `before` above the items and `ask` above the query. */
function sections(id: string, before: string, ask: string): PromptTemplate {
  return {
    id,
    message: (query, history) => {
      const items =
        history === undefined
          ? []
          : history === 'none'
            ? [template(before), template('None\n\n')]
            : [
                template(before),
                ...history.flatMap((item) => [
                  ...(item.query === '' ? [] : [user(item.query), template('\n')]),
                  user(item.text),
                  template('\n\n'),
                ]),
              ];
      return [...items, template(ask), user(query)];
    },
  };
}

/**
 * The default, short so that small contexts hold several items:
 *
 *     Earlier texts by this user, oldest first:
 *
 *     <query of the item>
 *     <text of the item>
 *
 *     Write this user's text for:
 *     <query>
 */
const defaultTemplate = sections(
  'default',
  'Earlier texts by this user, oldest first:\n\n',
  "Write this user's text for:\n",
);

/** The same in other words: an effect that hangs on the wording is none of the user's (src/method/refutation). */
const rewordedTemplate = sections(
  'reworded',
  'What this person wrote before, from the first to the latest:\n\n',
  'What would the same person write for this?\n',
);

export const promptTemplates: readonly PromptTemplate[] = [defaultTemplate, rewordedTemplate];

/** @throws {ConfigError} when no template has the id */
export function promptTemplate(id: string): PromptTemplate {
  const found = promptTemplates.find((candidate) => candidate.id === id);
  if (found) return found;
  throw new ConfigError(
    `prompt template: expected one of ${promptTemplates.map((t) => t.id).join(', ')}, got ${JSON.stringify(id)}`,
    { code: 'prompt/template', hint: 'Name one of these templates.' },
  );
}
