/** @file The command line as a whole: its commands, the flags that all have, and wrong usage told in our words. */
import { Command, CommanderError } from 'commander';
import { deviceChoices, deviceNames } from '../../base/device.ts';
import { ConfigError, nearestName } from '../../base/errors.ts';
import { checkThreads } from '../../base/threads.ts';
import type { CliCommand, GlobalOptions, Session } from './command.ts';
import { type CommandEntry, commands } from './commands.ts';
import { usageError, WORD_SHOWN } from './failure.ts';
import { addFlag, oneOf, wholeNumber } from './flags.ts';
import { oneLine } from './terminal.ts';

/** What was asked for: a command with its words and flags, or a text to show. */
export type Request =
  | { readonly kind: 'show'; readonly text: string }
  | {
      readonly kind: 'run';
      readonly globals: GlobalOptions;
      readonly run: (session: Session) => Promise<void>;
    };

/**
 * Reads the words after `nextquill`.
 * @throws {ConfigError} for an unknown command or flag, a missing or malformed value
 */
export async function parseArguments(words: readonly string[], version: string): Promise<Request> {
  const entry = namedCommand(words, version);
  const loaded = entry && { entry, command: await entry.load() };
  let request: Request | undefined;
  let shown = '';
  const program = buildProgram(version, loaded, (_, operands, flags, globals) => {
    request = { kind: 'run', globals, run: (session) => loaded!.command.run(operands, flags, session) };
  });
  const show = (text: string) => {
    shown += text;
  };
  for (const each of [program, ...program.commands])
    each.configureOutput({ writeOut: show, writeErr: () => {}, outputError: () => {} });
  const named = words.find((word) => program.commands.some((each) => each.name() === word));
  try {
    program.parse(words, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: 'show', text: shown };
    const target = program.commands.find((each) => each.name() === named);
    const flags = [...(target?.options ?? []), ...program.options].flatMap(({ long }) => long ?? []);
    if (/unknownCommand|commander\.help/.test(error.code)) throw unknownCommand(words);
    throw usageError(error, named ?? '', flags, target?.args[target.registeredArguments.length]);
  }
  if (request === undefined) throw unknownCommand(words);
  return request;
}

/** The command that words name, found without loading any. */
function namedCommand(words: readonly string[], version: string): CommandEntry | undefined {
  let named: CommandEntry | undefined;
  const program = buildProgram(version, undefined, (entry) => {
    named = entry;
  });
  for (const each of [program, ...program.commands])
    each.configureOutput({ writeOut: () => {}, writeErr: () => {}, outputError: () => {} });
  try {
    program.parse(words, { from: 'user' });
  } catch {
    // Wrong usage is told when the command that was meant is known.
  }
  return named;
}

/** The help text of a command, or of the whole. @throws {ConfigError} for an unknown command */
export async function helpText(name: string | undefined, version: string): Promise<string> {
  const entry = commands.find((each) => each.name === name);
  const loaded = entry && { entry, command: await entry.load() };
  const program = buildProgram(version, loaded, () => {});
  const command = name === undefined ? program : program.commands.find((each) => each.name() === name);
  if (command === undefined) throw unknownCommand([name!]);
  let text = '';
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

type Chosen = (
  entry: CommandEntry,
  operands: readonly string[],
  flags: Readonly<Record<string, unknown>>,
  globals: GlobalOptions,
) => void;

/** @param loaded the command whose flags are read; others take any */
function buildProgram(
  version: string,
  loaded: { readonly entry: CommandEntry; readonly command: CliCommand } | undefined,
  onChosen: Chosen,
): Command {
  const program = new Command('nextquill');
  program
    .description(
      'Personalise language models by asking of every token what the user’s history changes.\n' +
        'Results go to stdout, progress and warnings to stderr. The network is used only to download a model of the\n' +
        'Hugging Face hub that you name: the hub is sent its name and, if you have set one, your Hugging Face token.',
    )
    .usage('<command> [flags]')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureHelp({
      showGlobalOptions: true,
      helpWidth: 110,
      subcommandTerm: (command) => command.name(),
      visibleGlobalOptions: (command) =>
        command === program ? [] : program.options.filter((option) => option.long !== '--version'),
    })
    .option('--json', 'one JSON document on stdout, or JSON lines where the result is rows');
  addFlag(
    program,
    '--seed <n>',
    'seed of every random draw; the splits of sotu and acl do not depend on it',
    (flag) => wholeNumber(flag, 0),
  );
  addFlag(program, '--threads <n>', 'threads of the engine (default: all cores)', (flag) => (text) => {
    const threads = wholeNumber(flag, 1)(text);
    checkThreads(threads, flag);
    return threads;
  });
  addFlag(
    program,
    '--device <name>',
    `what models are computed on: ${deviceChoices.join(', ')} (default: cpu); with --engine torch also xpu, mps (default: auto)`,
    (flag) => oneOf(flag, deviceNames),
  );
  program
    .option('--quiet', 'no progress and no notes on stderr; warnings stay')
    .option('--offline', 'never use the network')
    .option('--verbose', 'show the stack of an error')
    .addHelpText(
      'after',
      '\nM is a model folder, a .gguf file, a hub id such as owner/name@revision, or embedded.\n' +
        'F is FILE.jsonl, sotu or acl:PATH. More: nextquill help <command>\n' +
        'Exit codes: 0 done · 1 the work failed · 2 wrong usage, recipe or data · 3 a refutation fails · 130 Ctrl-C',
    );
  const globalNames = new Set(program.options.map((option) => option.attributeName()));
  for (const entry of commands) {
    const child = program.command(entry.name).description(entry.summary);
    if (loaded?.entry === entry) loaded.command.define(child);
    else child.helpOption(false).allowUnknownOption().allowExcessArguments();
    child.action(() => {
      const all = child.optsWithGlobals<Record<string, unknown>>();
      const entries = Object.entries(all);
      onChosen(
        entry,
        child.args,
        Object.fromEntries(entries.filter(([key]) => !globalNames.has(key))),
        Object.fromEntries(entries.filter(([key]) => globalNames.has(key))),
      );
    });
  }
  return program;
}

function unknownCommand(words: readonly string[]): ConfigError {
  const word = words.find((each) => !each.startsWith('-'));
  const names = commands.map(({ name }) => name);
  if (word === undefined)
    return new ConfigError('command: expected one, got none', {
      code: 'usage/no-command',
      hint: 'Run "nextquill quickstart" to see it work, or "nextquill help" for all commands.',
    });
  const near = nearestName(word, names);
  return new ConfigError(
    `${oneLine(word, WORD_SHOWN)}: expected a command of nextquill, got an unknown one`,
    {
      code: 'usage/unknown-command',
      hint:
        near === undefined ? 'See "nextquill help" for all commands.' : `Did you mean "nextquill ${near}"?`,
    },
  );
}
