/** @file The rows of `effects` for a reader: one line an example, the tokens that the history changes most, and the sum. */

import { signed } from '../../base/number-format.ts';
import { totalEffect } from '../../method/effects/named-effects.ts';
import type { EffectRow } from '../../method/scoring/rows.ts';
import { alignedColumns } from '../../reports/comparison/comparison-table.ts';
import { oneLine } from './terminal.ts';

const EXAMPLES_SHOWN = 20;
const TOKENS_SHOWN = 10;

interface ExampleSum {
  readonly example: string;
  readonly user: string;
  tokens: number;
  withHistory: number;
  withoutHistory: number;
  /** Sum of C; where others were asked for. */
  userSpecific: number | undefined;
  strongest: EffectRow;
}

/** A text of tables; rows are read once and not kept. */
export async function effectSummary(rows: AsyncIterable<EffectRow>): Promise<string> {
  const sums: ExampleSum[] = [];
  let top: EffectRow[] = [];
  for await (const row of rows) {
    let sum = sums.at(-1);
    if (sum?.example !== row.example) {
      sum = {
        example: row.example,
        user: row.user,
        tokens: 0,
        withHistory: 0,
        withoutHistory: 0,
        userSpecific: row.effectUserSpecific === undefined ? undefined : 0,
        strongest: row,
      };
      sums.push(sum);
    }
    sum.tokens += 1;
    sum.withHistory += row.logProbWithHistory;
    sum.withoutHistory += row.logProbWithoutHistory;
    if (sum.userSpecific !== undefined) sum.userSpecific += row.effectUserSpecific!;
    if (row.effectLogRatio > sum.strongest.effectLogRatio) sum.strongest = row;
    if (top.length < TOKENS_SHOWN || row.effectLogRatio > top.at(-1)!.effectLogRatio)
      top = [...top, row].sort((a, b) => b.effectLogRatio - a.effectLogRatio).slice(0, TOKENS_SHOWN);
  }
  const tokens = sums.reduce((total, sum) => total + sum.tokens, 0);
  const effect = sums.reduce((total, sum) => total + totalEffect(sum.withHistory, sum.withoutHistory), 0);
  const compared = sums.filter(({ userSpecific }) => userSpecific !== undefined);
  const comparedTokens = compared.reduce((total, sum) => total + sum.tokens, 0);
  const specific = compared.reduce((total, sum) => total + sum.userSpecific!, 0) / comparedTokens;
  const userSpecific =
    compared.length > 0
      ? `, user-specific effect (C) ${signed(specific, 3)}${compared.length < sums.length ? ` over the ${compared.length} that are compared with others` : ''}`
      : '; --others K shows what of it only the user’s own history gives (C)';
  return [
    'Mean log-probability of a response token, nats; effect (A) = with − without history\n',
    exampleTable(sums.slice(0, EXAMPLES_SHOWN)),
    sums.length > EXAMPLES_SHOWN
      ? `… and ${sums.length - EXAMPLES_SHOWN} more examples; --json or --out has all\n`
      : '',
    '\nTokens that the history makes likelier, most first\n',
    tokenTable(top),
    `\n${tokens} tokens of ${sums.length} examples, mean effect (A) ${signed(effect / tokens, 3)} nats a token${userSpecific}\n`,
  ].join('');
}

function exampleTable(sums: readonly ExampleSum[]): string {
  const rows = sums.map((sum) => [
    oneLine(sum.example, 60),
    oneLine(sum.user, 24),
    String(sum.tokens),
    (sum.withHistory / sum.tokens).toFixed(3),
    (sum.withoutHistory / sum.tokens).toFixed(3),
    signed(totalEffect(sum.withHistory, sum.withoutHistory) / sum.tokens, 3),
    sum.userSpecific === undefined ? '–' : signed(sum.userSpecific / sum.tokens, 3),
    `${shownToken(sum.strongest.token)} ${signed(sum.strongest.effectLogRatio, 2)}`,
  ]);
  return table(
    [['example', 'user', 'tokens', 'with', 'without', 'A', 'C', 'strongest'], ...rows],
    [2, 3, 4, 5, 6],
  );
}

function tokenTable(rows: readonly EffectRow[]): string {
  return table(
    [
      ['token', 'log ratio', 'p with', 'p without', 'example', 'position'],
      ...rows.map((row) => [
        shownToken(row.token),
        signed(row.effectLogRatio, 2),
        probability(row.logProbWithHistory),
        probability(row.logProbWithoutHistory),
        oneLine(row.example, 60),
        String(row.position),
      ]),
    ],
    [1, 2, 3, 5],
  );
}

const shownToken = (token: string) => JSON.stringify(oneLine(token, 20));

function probability(logProbability: number): string {
  const p = Math.exp(logProbability);
  return p >= 0.001 ? p.toFixed(3) : p.toExponential(0);
}

const table = (rows: readonly (readonly string[])[], right: readonly number[]) =>
  `${alignedColumns(rows, (column) => right.includes(column)).join('\n')}\n`;
