/** @file A benchmark as Markdown: an answer and the tables of every model on every set of users. */
import type { BenchmarkBoard, BenchmarkResult } from '../../method/benchmark/results.ts';
import { count } from '../text/lists.ts';
import { markdownTable } from '../text/markdown.ts';
import { portableName } from '../text/portable-name.ts';
import { benchmarkAnswer } from './benchmark-answer.ts';
import { benchmarkTables } from './benchmark-tables.ts';

/** The whole, headed by `##`. */
export const benchmarkMarkdown = ({ boards }: BenchmarkResult): string =>
  `${boards.map(boardMarkdown).join('\n\n')}\n`;

/** What was scored, in a line. */
export function boardFacts({ leaderboard, counts, embeddings }: BenchmarkBoard): string {
  const { examples, users, leftOut } = leaderboard;
  const left = leftOut === 0 ? '' : `, ${leftOut} left out that some system cannot show a history of`;
  return `${count(examples, 'text')} of ${count(users, 'user')}${left}; trained on ${counts.train}, choices made on ${counts.validation}${embeddings === undefined ? '' : `; dense compares ${portableName(embeddings)}`}`;
}

function boardMarkdown(board: BenchmarkBoard): string {
  const tables = benchmarkTables(board).map(
    ({ title, head, rows }) =>
      `${title}:\n\n${markdownTable(
        head,
        rows.map(([name, ...rest]) => [`\`${name}\``, ...rest]),
      )}`,
  );
  return [
    `## ${board.model}, ${board.data}`,
    `${benchmarkAnswer(board).sentence}`,
    `${boardFacts(board)}.`,
    ...tables,
  ].join('\n\n');
}
