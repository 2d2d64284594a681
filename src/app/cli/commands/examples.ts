/** @file `nextquill examples`: the ids that `--example` takes, with user, number of history items and the first words. */
import { ConfigError, DataError, nearestName } from '../../../base/errors.ts';
import { readExamples } from '../../../method/data/source.ts';
import { alignedColumns } from '../../../reports/comparison/comparison-table.ts';
import type { CliCommand } from '../command.ts';
import { addDataFlag, addFlag, required, wholeNumber } from '../flags.ts';
import { oneLine } from '../terminal.ts';

interface ExamplesFlags {
  readonly data?: string;
  readonly user?: string;
  readonly limit?: number;
}

/** Rows of the table that a terminal is given unasked; with --json all are printed. */
const DEFAULT_LIMIT = 20;

export const examplesCommand: CliCommand = {
  define: (command) => {
    addDataFlag(command);
    addFlag(command, '--user <name>', 'examples of this user only');
    addFlag(
      command,
      '--limit <n>',
      `examples at most (default: ${DEFAULT_LIMIT}, or all with --json)`,
      (flag) => wholeNumber(flag, 1),
    );
    command.addHelpText('after', '\nExample: nextquill examples --data sotu --user "Abraham Lincoln"');
  },
  run: async (_operands, flags, session) => {
    const { data, user, limit } = flags as ExamplesFlags;
    const source = required(data, '--data', 'Name the examples: FILE.jsonl, sotu or acl:PATH.');
    const all = await readExamples(source, { onNotice: session.notice, signal: session.signal });
    const found = user === undefined ? all : all.filter((example) => example.user === user);
    if (found.length === 0) throw noUser(user!, all, source);
    const { json } = session.options;
    const shown = found.slice(0, limit ?? (json ? found.length : DEFAULT_LIMIT));
    if (json) {
      for (const { id, user, history, split, query, response } of shown)
        session.print(`${JSON.stringify({ id, user, items: history.length, split, query, response })}\n`);
      return;
    }
    const rows = shown.map(({ id, user, history, response }) => [
      // Ids are to be copied: never cut.
      oneLine(id, Number.POSITIVE_INFINITY),
      oneLine(user, 24),
      String(history.length),
      oneLine(response, 60),
    ]);
    const table = alignedColumns([['id', 'user', 'items', 'first words'], ...rows], (column) => column === 2);
    session.print(`${table.join('\n')}\n`);
    if (shown.length < found.length)
      session.print(`… and ${found.length - shown.length} more; --limit N shows more, --json all\n`);
  },
};

function noUser(user: string, all: readonly { readonly user: string }[], source: string): Error {
  const users = [...new Set(all.map((example) => example.user))];
  const near = nearestName(user, users);
  if (users.length === 0)
    return new ConfigError(`${source}: expected examples, got none`, { code: 'data/empty-file' });
  return new DataError(`--user: expected a user of ${source}, got "${user}"`, {
    code: 'data/no-user',
    hint: near === undefined ? `The first user is "${users[0]}".` : `Did you mean "${near}"?`,
  });
}
