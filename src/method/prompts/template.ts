/** @file The words of a prompt: the same query with the history section and without it. */
import { ConfigError, DataError } from '../../base/errors.ts';
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
  /**
   * The same as turns of a conversation, the user's and the assistant's by turns, the user's last; in place of `message` where the
   * model has a chat template. One message where absent.
   */
  turns?(query: string, history: readonly HistoryItem[]): TextPart[][];
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

const ASK = "Write this user's text for:\n";

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
const defaultTemplate = sections('default', 'Earlier texts by this user, oldest first:\n\n', ASK);

/** The same in other words: an effect that hangs on the wording is none of the user's (src/method/refutation). */
const rewordedTemplate = sections(
  'reworded',
  'What this person wrote before, from the first to the latest:\n\n',
  'What would the same person write for this?\n',
);

/** What an item answered, asked as the query is. */
const askedFor = ({ query }: HistoryItem): TextPart[] =>
  query === '' ? [template("Write this user's text.")] : [template(ASK), user(query)];

/**
 * In-context pairs: each item as a request of the same words as the query's, answered by the user's text. With a chat template they
 * are earlier turns of the conversation:
 *
 *     user       Write this user's text for:
 *                <query of the item>
 *     assistant  <text of the item>
 *     user       Write this user's text for:
 *                <query>
 */
const pairsTemplate: PromptTemplate = {
  id: 'pairs',
  message: (query, history) => [
    ...(history === undefined || history === 'none'
      ? []
      : history.flatMap((item) => [...askedFor(item), template('\n\n'), user(item.text), template('\n\n')])),
    template(ASK),
    user(query),
  ],
  turns: (query, history) => [
    ...history.flatMap((item) => [askedFor(item), [user(item.text)]]),
    [template(ASK), user(query)],
  ],
};

/** For a conversation: the user asks, and the model answers instead of writing in the user's place. */
const assistantTemplate = sections(
  'assistant',
  'Earlier texts by this user, oldest first:\n\n',
  'Answer this user:\n',
);

/** Templates that a prompt can be made by: each shows the items of the history. */
export const promptTemplates: readonly PromptTemplate[] = [
  defaultTemplate,
  rewordedTemplate,
  pairsTemplate,
  assistantTemplate,
];

/** Asks for the summary of a history, in place of a text: see generation/summaries.ts. */
const summariseTemplate: PromptTemplate = {
  id: 'summarise',
  message: (_query, history) => [
    ...defaultTemplate.message('', history).slice(0, -2),
    template(
      'Describe in a few sentences how this user writes, and what about: words, tone, length, habits.',
    ),
  ],
};

/** Shows the summary that the items carry in place of the items. */
const summaryTemplate: PromptTemplate = {
  id: 'summary',
  message: (query, history) => [
    ...(history === undefined
      ? []
      : [
          template('How this user writes:\n\n'),
          history === 'none' ? template('None') : user(summaryOf(history)),
          template('\n\n'),
        ]),
    template(ASK),
    user(query),
  ],
};

/** @throws {DataError} when the items have none */
function summaryOf(history: readonly HistoryItem[]): string {
  const summary = history.at(-1)?.summary;
  if (summary !== undefined) return summary;
  throw new DataError('prompt template summary: expected history items with a summary, got none', {
    code: 'prompt/no-summary',
    hint: 'Summarise the histories first, or use another template.',
  });
}

/** @throws {ConfigError} when no template has the id */
export function promptTemplate(id: string): PromptTemplate {
  const found = [...promptTemplates, summariseTemplate, summaryTemplate].find(
    (candidate) => candidate.id === id,
  );
  if (found) return found;
  throw new ConfigError(
    `prompt template: expected one of ${promptTemplates.map((t) => t.id).join(', ')}, got ${JSON.stringify(id)}`,
    { code: 'prompt/template', hint: 'Name one of these templates.' },
  );
}
