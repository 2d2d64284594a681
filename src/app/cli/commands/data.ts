/** @file `nextquill data`: dumps, tables, benchmarks and chat exports to examples; `data describe`: what a set holds. */

import { writeFileAtomically } from '../../../base/atomic-file.ts';
import { ConfigError } from '../../../base/errors.ts';
import { exists } from '../../../base/exists.ts';
import type { TargetCounts } from '../../../method/corpus/target-splits.ts';
import { splitRules } from '../../../method/corpus/target-splits.ts';
import type { SplitShares } from '../../../method/data/splits.ts';
import { renderDataHtml } from '../../../reports/data-set/data-html.ts';
import { dataRows } from '../../../reports/data-set/data-rows.ts';
import { terminalText } from '../../../reports/text/terminal-text.ts';
import { bytesOfSize, MEMORY_SIZE } from '../../config/memory-size.ts';
import { type ConvertedData, convertData } from '../../data/convert-data.ts';
import type { ConvertDataOptions } from '../../data/convert-options.ts';
import { describeData } from '../../data/describe-data.ts';
import { readers } from '../../data/readers.ts';
import type { CliCommand, Session } from '../command.ts';
import { addDataFlag, addFlag, oneOf, repeated, required, wholeNumber } from '../flags.ts';

interface DataFlags extends Omit<Partial<ConvertDataOptions>, 'format' | 'sources'> {
  readonly data?: string;
  readonly force?: boolean;
}

export const dataCommand: CliCommand = {
  define: (command) => {
    command.argument('[format]', 'what the sources are (below), or describe');
    command.argument('[source...]', 'files or folders');
    addFlag(command, '--out <file>', 'where to write: FILE.jsonl or FILE.jsonl.gz; FILE.html for describe');
    command.option('--force', 'replace the file when it exists');
    addFlag(command, '--user <column>', 'column with the author of the text');
    addFlag(
      command,
      '--time <column>',
      'column with the time of the text; without it, the rows are taken to be in order of time',
    );
    addFlag(command, '--text <column>', 'column with the text');
    addFlag(
      command,
      '--query <template>',
      'what the text answers, such as "Review of {title}, {rating} stars"',
    );
    addFlag(command, '--domain <column>', 'column with what the text is about, such as a category');
    addFlag(command, '--id <column>', 'column with an id that is unique within the user');
    addFlag(command, '--name <column>', 'column with the author’s own name, for --mask-names');
    addFlag(command, '--keep <columns>', 'columns to keep in meta, such as rating,votes', () => list);
    addFlag(
      command,
      '--date-order <order>',
      'how to read dates such as 3/4/2021: day-first or month-first',
      (flag) => oneOf(flag, ['day-first', 'month-first'] as const),
    );
    command.option('--keep-html', 'take texts as they are; by default tags and entities become text');
    addFlag(
      command,
      '--items <file>',
      'metadata, outputs or contexts beside the sources; may be given several times',
      repeated,
    );
    addFlag(command, '--author <name>', 'whose texts these are: a name, address or id');
    addFlag(command, '--role <role>', 'whose messages are the texts: user or assistant', (flag) =>
      oneOf(flag, ['user', 'assistant'] as const),
    );
    addFlag(
      command,
      '--targets <n,n,n>',
      'how many of a user’s latest texts train, validate and test (default: 8,1,1)',
      () => parseTargets,
    );
    addFlag(command, '--split <rule>', 'time within users (default), user, both or none', (flag) =>
      oneOf(flag, splitRules),
    );
    addFlag(
      command,
      '--split-shares <a,b>',
      'shares of users to validate and test (default: 0.1,0.1)',
      () => parseShares,
    );
    addFlag(
      command,
      '--min-history <n>',
      'strictly earlier texts that a response needs (default: 1)',
      (flag) => wholeNumber(flag, 0),
    );
    addFlag(
      command,
      '--max-history <n>',
      'keep at most this many earlier texts, the latest (default: 32)',
      (flag) => wholeNumber(flag, 0),
    );
    addFlag(
      command,
      '--max-text-length <n>',
      'longer texts are left out (default: 100000 characters)',
      (flag) => wholeNumber(flag, 1),
    );
    addFlag(
      command,
      '--max-item-length <n>',
      'characters kept of a benchmark’s history text (default: 4000)',
      (flag) => wholeNumber(flag, 1),
    );
    command.option('--mask-names', 'authors’ own names become [name] in their texts and queries');
    addFlag(
      command,
      '--repeats <scope>',
      'leave repeated texts out: of all users (default) or of one user',
      (flag) => oneOf(flag, ['all', 'user'] as const),
    );
    command.option('--strict', 'refuse the source at its first fault instead of leaving the row out');
    addFlag(
      command,
      '--max-memory <size>',
      'memory for texts and for DuckDB, such as 1G (default: 512M)',
      () => parseMemory,
    );
    addDataFlag(command);
    command.addHelpText('after', `\n${formatsText()}\n\n${EXAMPLES}`);
  },
  run: async ([format, ...sources], flags, session) => {
    const { data, force, out, splitShares, ...rest } = flags as DataFlags & { splitShares?: SplitShares };
    if (format === 'describe') return describe(sources, flags as DataFlags, session);
    const name = required(format, 'data', 'Name the format, such as csv, or describe.');
    const path = required(out, '--out', 'Name the file to write, such as --out examples.jsonl.');
    if (data !== undefined)
      throw new ConfigError(`--data: expected a flag of data ${name}, got one of data describe`, {
        code: 'config/no-effect',
        hint: 'Name the sources after the format.',
      });
    if (!/.\.jsonl(\.gz)?$/.test(path))
      throw new ConfigError(`--out: expected a name that ends in .jsonl or .jsonl.gz, got "${path}"`, {
        code: 'usage/out',
        hint: 'Examples are written as JSON lines.',
      });
    if (force !== true) await refuseExisting(path);
    const { seed, threads, json } = session.options;
    const converted = await convertData({
      ...rest,
      ...{ format: name, sources, out: path, onProgress: session.progress, onNote: session.warn },
      ...(splitShares !== undefined && { shares: splitShares }),
      ...(seed !== undefined && { seed }),
      ...(threads !== undefined && { threads }),
      signal: session.signal,
    });
    if (json) session.print(`${JSON.stringify(converted)}\n`);
    else printConverted(converted, session);
  },
};

/** `nextquill data describe`. */
async function describe(sources: readonly string[], flags: DataFlags, session: Session): Promise<void> {
  const { data, out, force, ...others } = flags;
  const source = required(data ?? sources[0], '--data', 'Name the examples, such as --data examples.jsonl.');
  const extra = Object.keys(others)[0] ?? (data === undefined ? sources[1] : sources[0]);
  if (extra !== undefined)
    throw new ConfigError(`data describe: expected --data, --out and --force, got ${extra} too`, {
      code: 'config/no-effect',
      hint: 'Leave it out.',
    });
  if (out !== undefined && !/.\.html$/.test(out))
    throw new ConfigError(`--out: expected a name that ends in .html, got "${out}"`, {
      code: 'usage/out',
      hint: 'The description is written as one page.',
    });
  if (out !== undefined && force !== true) await refuseExisting(out);
  const { seed, json } = session.options;
  const description = await describeData({
    ...{ data: source, onProgress: session.progress, signal: session.signal },
    ...(seed !== undefined && { seed }),
  });
  if (out !== undefined) {
    const page = renderDataHtml(description, { name: source });
    await writeFileAtomically(out, (file) => file.writeFile(page));
  }
  if (json)
    session.print(
      `${JSON.stringify({ data: source, ...description, ...(out !== undefined && { report: out }) })}\n`,
    );
  else {
    const rows = dataRows(description);
    const width = Math.max(...rows.map(([name]) => name.length));
    session.print(
      `${rows.map(([name, value]) => `${name.padEnd(width)}  ${terminalText(value)}`).join('\n')}\n`,
    );
    if (out !== undefined) session.print(`${out}\n`);
  }
}

async function refuseExisting(path: string): Promise<void> {
  if (await exists(path))
    throw new ConfigError(`--out: expected a file that does not exist yet, got ${path}`, {
      code: 'usage/exists',
      hint: 'Choose another name, or add --force to replace the file.',
    });
}

function printConverted(
  { out, examples, users, texts, historyItems, splits, faults }: ConvertedData,
  session: Session,
) {
  const named = Object.entries(splits).filter(([name, count]) => count > 0 && name !== 'none');
  const lines = [
    `${examples} examples of ${users} users, from ${texts} texts: ${out}`,
    `history items: ${historyItems}${named.length === 0 ? '' : `; ${named.map(([name, count]) => `${name} ${count}`).join(', ')}`}`,
    ...faults.flatMap(({ kind, rule, count, first }) => [`${kind} ${count}: ${rule}`, `  first: ${first}`]),
  ];
  session.print(`${lines.map((line) => terminalText(line)).join('\n')}\n`);
  session.note(`${out} holds users’ texts`);
}

function formatsText(): string {
  const width = Math.max(...readers.map(({ name }) => name.length));
  const rows = readers.map(
    ({ name, summary, sources }) => `  ${name.padEnd(width)}  ${summary} · ${sources}`,
  );
  return `Formats:\n${rows.join('\n')}\nTables may end in .gz, except for Parquet; each format of a table reads the others too, by the ending.`;
}

const EXAMPLES = [
  'Example: nextquill data csv reviews.csv --user user_id --time date --text review \\',
  '           --query "Review of {title}, {rating} stars" --domain category --out reviews.jsonl',
  '         nextquill data amazon Books.jsonl.gz --items meta_Books.jsonl.gz --out books.jsonl',
  '         nextquill data describe --data reviews.jsonl --out reviews.html',
].join('\n');

const list = (text: string): readonly string[] => text.split(',').map((part) => part.trim());

function parseTargets(text: string): TargetCounts {
  const [train, validation, test, ...rest] = text.split(',').map(Number);
  const counts = [train, validation, test].map((count) => count ?? Number.NaN);
  if (
    rest.length > 0 ||
    !counts.every((count) => Number.isInteger(count) && count >= 0) ||
    Math.max(...counts) < 1
  )
    throw new ConfigError(`--targets: expected three whole numbers such as 8,1,1, got "${text}"`, {
      code: 'usage/number',
      hint: 'Say how many of a user’s latest texts train, validate and test.',
    });
  return { train: counts[0]!, validation: counts[1]!, test: counts[2]! };
}

function parseShares(text: string): SplitShares {
  const [validation, test, ...rest] = text.split(',').map(Number);
  const shares = [validation, test].map((share) => share ?? Number.NaN);
  if (rest.length > 0 || !shares.every((share) => share >= 0 && share <= 1) || shares[0]! + shares[1]! > 1)
    throw new ConfigError(`--split-shares: expected two shares such as 0.1,0.1, got "${text}"`, {
      code: 'usage/number',
      hint: 'Give the shares of users that validate and test; the others train.',
    });
  return { validation: shares[0]!, test: shares[1]! };
}

function parseMemory(text: string): number {
  if (MEMORY_SIZE.test(text)) return bytesOfSize(text);
  throw new ConfigError(`--max-memory: expected a size such as 512M or 2G, got "${text}"`, {
    code: 'usage/size',
    hint: 'Write a number and a unit.',
  });
}
