/** @file Examples as choices: the labels of a task, or the options that each question brings; and what a set of choices is worth. */

import { DataError } from '../../base/errors.ts';
import type { BootstrapOptions } from '../../base/statistics/bootstrap.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';
import type { Example } from '../data/example.ts';
import { type LeftOut, leftOutCounter, pairUnlessTooLong } from '../prompts/left-out.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import { LAMP_1_LABELS, LAMP_2_LABELS, LAMP_3_LABELS, numberOf } from './lamp.ts';
import { metrics } from './metrics.ts';
import { type ChoiceAccuracy, type ChoiceItem, choiceAccuracy, type ScoredChoices } from './score-choices.ts';

/** The labels of LaMP's tasks, by what its files name them. */
const LABELS_OF_TASK: Readonly<Record<string, readonly string[]>> = {
  LaMP_1: LAMP_1_LABELS,
  LaMP_2: LAMP_2_LABELS,
  LaMP_3: LAMP_3_LABELS,
};

/**
 * Each example with what its response was chosen among: `labels` where they are given; else the options that the reader kept in
 * `meta.options` (PersonaMem); else the labels of the LaMP task in `meta.task`.
 * @throws {DataError} for an example that none of these holds of, or whose response is not among the choices
 */
export function choiceItems(examples: readonly Example[], labels?: readonly string[]): ChoiceItem[] {
  return examples.map(({ response, causes: _, ...example }) => {
    const choices = labels ?? choicesOf(example);
    if (choices === undefined)
      throw new DataError(
        `example ${example.id}: expected meta.options or a LaMP task in meta.task, got neither`,
        {
          code: 'data/no-choices',
          hint: 'Give the labels, such as lamp-2 or good,bad (--labels).',
        },
      );
    const answer = choices.indexOf(response.trim());
    if (answer < 0)
      throw new DataError(
        `example ${example.id}: response: expected one of ${choices.length} choices (${JSON.stringify(choices[0])}, …), got ${JSON.stringify(response.slice(0, 40))}`,
        { code: 'data/no-choices', hint: 'Give the labels of the task (--labels), or remove the example.' },
      );
    return { ...example, choices, answer };
  });
}

function choicesOf({ meta }: Pick<Example, 'meta'>): readonly string[] | undefined {
  const options = meta?.options;
  if (Array.isArray(options) && options.every((option) => typeof option === 'string'))
    return options.map((option) => option.trim());
  const task = meta?.task;
  return typeof task === 'string' && Object.hasOwn(LABELS_OF_TASK, task) ? LABELS_OF_TASK[task] : undefined;
}

/**
 * The items each of whose choices fits behind the query.
 * @throws {DataError} when none does, and when one does not and the caller is strict
 */
export function choiceItemsThatFit(
  items: readonly ChoiceItem[],
  tokenizer: Tokenizer,
  settings: PromptSettings,
  { strict = false }: { readonly strict?: boolean | undefined } = {},
): { readonly used: readonly ChoiceItem[]; readonly leftOut: LeftOut } {
  const counter = leftOutCounter();
  const bare = { ...settings, maxHistory: 0 };
  const fits = ({ choices, answer: _, ...item }: ChoiceItem, isStrict: boolean) =>
    choices.every(
      (response) => pairUnlessTooLong({ ...item, response }, tokenizer, bare, isStrict) !== undefined,
    );
  const used = items.filter((item) => {
    if (fits(item, strict)) return true;
    counter.add('tooLong', item);
    return false;
  });
  if (used.length === 0 && items.length > 0) fits(items[0]!, true);
  return { used, leftOut: counter.result() };
}

/** How well choices agree with what is right, with the history and without. */
export interface ChoiceResult extends ChoiceAccuracy {
  /** By LaMP's rules: macro-F1 where all items have the same labels, MAE and RMSE where these are numbers. */
  readonly metrics: Readonly<
    Record<string, { readonly withHistory: Estimate | number; readonly withoutHistory: Estimate | number }>
  >;
  /** Items of which no history shows. */
  readonly withoutShownHistory: number;
}

/** What scored choices come to. @throws {DataError} when no answer is known */
export async function choiceResult(
  results: readonly ScoredChoices[],
  { seed = 0, ...bootstrap }: BootstrapOptions = {},
): Promise<ChoiceResult> {
  const accuracy = choiceAccuracy(results, { ...bootstrap, seed });
  const known = results.filter(({ answer }) => answer !== undefined);
  const labels = known[0]!.choices.map(({ choice }) => choice);
  const isClassification = known.every(
    ({ choices }) =>
      choices.length === labels.length && choices.every(({ choice }, c) => choice === labels[c]),
  );
  const names = !isClassification
    ? []
    : labels.every((label) => numberOf(label) !== undefined)
      ? ['macroF1', 'mae', 'rmse']
      : ['macroF1'];
  const valuesOf = async (which: 'chosen' | 'chosenWithoutHistory') =>
    names.length === 0
      ? {}
      : (
          await metrics(
            known.map(({ user, choices, answer, ...made }) => ({
              user,
              prediction: choices[made[which]]!.choice,
              references: [choices[answer!]!.choice],
            })),
            { metrics: names, labels, seed },
          )
        ).values;
  const [withHistory, withoutHistory] = [await valuesOf('chosen'), await valuesOf('chosenWithoutHistory')];
  return {
    ...accuracy,
    metrics: Object.fromEntries(
      names.map((name) => [name, { withHistory: withHistory[name]!, withoutHistory: withoutHistory[name]! }]),
    ),
    withoutShownHistory: known.filter(({ hasHistory }) => !hasHistory).length,
  };
}
