/** @file `evaluate --choices`: which answer a model finds likeliest, with the history and without; LaMP 1 to 3 and PersonaMem. */
import { ConfigError } from '../../base/errors.ts';
import { decimal, estimateText } from '../../base/number-format.ts';
import type { Estimate } from '../../base/statistics/estimate.ts';
import {
  type ChoiceResult,
  choiceItems,
  choiceItemsThatFit,
  choiceResult,
} from '../../method/metrics/choice-items.ts';
import { namedLabels } from '../../method/metrics/lamp.ts';
import { type ChoiceRule, scoreChoices } from '../../method/metrics/score-choices.ts';
import type { LeftOut } from '../../method/prompts/left-out.ts';
import { alignedColumns } from '../../reports/comparison/comparison-table.ts';
import { leftOutTexts } from '../../reports/text/left-out-text.ts';
import { count } from '../../reports/text/lists.ts';
import type { Session } from './command.ts';
import { openHeldOut, type ScoringFlags } from './scoring.ts';

export interface ChoiceFlags extends ScoringFlags {
  readonly choices?: ChoiceRule;
  readonly labels?: readonly string[];
}

/** Flags of `evaluate` that say nothing about choices. */
const OTHERS = ['others', 'othersBy', 'candidates', 'baseline', 'generate', 'maxNewTokens', 'out'] as const;

/** Scores the choices of the data and prints what they come to. @throws {ConfigError} for a flag that has no effect beside it */
export async function evaluateChoices(given: ChoiceFlags, session: Session): Promise<void> {
  const idle = OTHERS.find((name) => Object.hasOwn(given, name));
  if (idle !== undefined)
    throw new ConfigError(
      `--choices: expected flags of the model, the prompt and the data beside it, got ${idle} too`,
      {
        code: 'config/no-effect',
        hint: 'Leave it out, or evaluate texts without --choices.',
      },
    );
  const rule = given.choices!;
  const { opened, rows } = await openHeldOut(given, 'test', session);
  const items = choiceItems(rows, given.labels && namedLabels(given.labels));
  const { used, leftOut } = choiceItemsThatFit(items, opened.model.tokenizer, opened.prompt, given);
  const { seed = 0, threads, json } = session.options;
  const scored = await scoreChoices(opened, used, {
    ...{ prompt: opened.prompt, rule, signal: session.signal, onProgress: session.progress },
    ...(threads !== undefined && { threads }),
  });
  const result = await choiceResult(scored, { seed });
  const users = new Set(used.map(({ user }) => user)).size;
  if (json) {
    const { items, withHistory, withoutHistory, difference, metrics, withoutShownHistory } = result;
    const accuracy = { withHistory, withoutHistory, difference };
    const document = {
      name: opened.name,
      rule,
      items,
      users,
      accuracy,
      metrics,
      withoutShownHistory,
      leftOut,
    };
    session.print(`${JSON.stringify(document)}\n`);
  } else session.print(choicesText(opened.name, users, rule, result, leftOut, opened.prompt.maxTokens));
}

const RULE_WORDS: Readonly<Record<ChoiceRule, string>> = {
  likelihood: 'the likeliest answer is chosen (log p of all its tokens)',
  'per-token': 'the answer of the highest log p a token is chosen',
  effect:
    'with the history, the answer whose log p the history raises most is chosen; without, the likeliest',
};

function choicesText(
  name: string,
  users: number,
  rule: ChoiceRule,
  result: ChoiceResult,
  leftOut: LeftOut,
  maxTokens: number,
): string {
  const { items, withHistory, withoutHistory, difference, metrics, withoutShownHistory } = result;
  const text = (value: Estimate | number) =>
    typeof value === 'number' ? decimal(value, 3) : estimateText(value, 3);
  const rows = [
    ['', 'with history', 'without'],
    ['accuracy', text(withHistory), text(withoutHistory)],
    ...Object.entries(metrics).map(([metric, value]) => [
      metric,
      text(value.withHistory),
      text(value.withoutHistory),
    ]),
  ];
  return [
    `${name}: ${count(items, 'choice')} of ${count(users, 'user')}; ${RULE_WORDS[rule]}`,
    ...leftOutTexts(leftOut, maxTokens).map((line) => `! ${line}`),
    ...(withoutShownHistory === 0
      ? []
      : [
          `! ${count(withoutShownHistory, 'choice')} show nothing of a history: both sides are the same there.`,
        ]),
    '',
    ...alignedColumns(rows, () => false),
    '',
    `accuracy with the history − without: ${text(difference)}, mean over users`,
    '',
  ].join('\n');
}
