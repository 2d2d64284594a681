/** @file `nextquill simulate`: users with known causes, written as a file of examples. */

import { ConfigError } from '../../../base/errors.ts';
import { checkFilePlace } from '../../../base/output-place.ts';
import { writeExamples } from '../../../method/data/jsonl.ts';
import { type SimulationOptions, simulate } from '../../../method/simulation/simulate.ts';
import { type WorldName, worldNames } from '../../../method/simulation/worlds/worlds.ts';
import type { CliCommand } from '../command.ts';
import { addFlag, addForceFlag, numberBetween, oneOf, required, wholeNumber } from '../flags.ts';

interface SimulateFlags {
  readonly users?: number;
  readonly world?: WorldName;
  readonly examplesPerUser?: number;
  readonly historyItems?: number | readonly [number, number];
  readonly strength?: number;
  readonly noise?: number;
  readonly confounding?: number;
  readonly namePrefix?: string;
  readonly startIndex?: number;
  readonly splitShares?: SimulationOptions['split'];
  readonly out?: string;
  readonly force?: boolean;
}

export const simulateCommand: CliCommand = {
  define: (command) => {
    const share = (flag: string) => numberBetween(flag, 0, 1);
    addFlag(command, '--users <n>', 'number of users', (flag) => wholeNumber(flag, 1));
    addFlag(
      command,
      '--world <name>',
      'what they write about: reviews, which the embedded model knows, or journeys, which it does not (default: reviews)',
      (flag) => oneOf(flag, worldNames),
    );
    addFlag(command, '--out <file>', 'where to write: FILE.jsonl or FILE.jsonl.gz');
    addForceFlag(command);
    addFlag(command, '--examples-per-user <n>', 'responses of each user (default: 1)', (flag) =>
      wholeNumber(flag, 1),
    );
    addFlag(
      command,
      '--history-items <n>',
      'earlier texts of each example, or a range such as 2-5 (default: 3)',
      () => parseRange,
    );
    addFlag(command, '--strength <s>', 'chance that a choice follows the user, 0 to 1 (default: 0.9)', share);
    addFlag(command, '--noise <s>', 'chance of a filler sentence, 0 to 1 (default: 0.2)', share);
    addFlag(
      command,
      '--confounding <s>',
      'how much the domain decides user and item, 0 to 1 (default: 0)',
      share,
    );
    addFlag(command, '--name-prefix <text>', 'users are named PREFIX000000 and so on (default: s<seed>u)');
    addFlag(command, '--start-index <n>', 'index of the first user (default: 0)', (flag) =>
      wholeNumber(flag, 0),
    );
    addFlag(
      command,
      '--split-shares <a,b,c>',
      'shares of users for train, validation and test, such as 0.8,0.1,0.1',
      () => parseShares,
    );
    command.addHelpText('after', '\nExample: nextquill simulate --users 200 --seed 1 --out users.jsonl');
  },
  run: async (_operands, flags, session) => {
    const { users, out, force, splitShares, ...options } = flags as SimulateFlags;
    const { seed, json } = session.options;
    const path = required(out, '--out', 'Name the file to write, such as --out users.jsonl.');
    const count = required(users, '--users', 'Say how many users, such as --users 100.');
    if (!/.\.jsonl(\.gz)?$/.test(path))
      throw new ConfigError(`--out: expected a name that ends in .jsonl or .jsonl.gz, got "${path}"`, {
        code: 'usage/out',
        hint: 'Examples are written as JSON lines.',
      });
    await checkFilePlace(path, { force });
    const simulation: SimulationOptions = {
      users: count,
      ...options,
      ...(seed !== undefined && { seed }),
      ...(splitShares !== undefined && { split: splitShares }),
    };
    const examples = simulate(simulation);
    await writeExamples(path, examples);
    if (json) session.print(`${JSON.stringify({ out: path, users: count, examples: examples.length })}\n`);
    else session.print(`${examples.length} examples of ${count} users: ${path}\n`);
  },
};

function parseRange(text: string): number | readonly [number, number] {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null || (match[2] !== undefined && Number(match[2]) < Number(match[1])))
    throw new ConfigError(`--history-items: expected a whole number or a range such as 2-5, got "${text}"`, {
      code: 'usage/number',
      hint: 'Write the least number first.',
    });
  return match[2] === undefined ? Number(match[1]) : [Number(match[1]), Number(match[2])];
}

function parseShares(text: string): NonNullable<SimulationOptions['split']> {
  const [train, validation, test, ...rest] = text.split(',').map(Number);
  const shares = [train, validation, test].map((share) => share ?? Number.NaN);
  if (rest.length > 0 || !shares.every((share) => share >= 0 && share <= 1))
    throw new ConfigError(`--split-shares: expected three numbers such as 0.8,0.1,0.1, got "${text}"`, {
      code: 'usage/number',
      hint: 'Give the shares of train, validation and test, which sum to 1.',
    });
  return { train: shares[0]!, validation: shares[1]!, test: shares[2]! };
}
