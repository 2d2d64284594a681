/** @file Flags that several commands share, and how the texts of flags become values. */
import { type Command, Option } from 'commander';
import { ConfigError, nearestName } from '../../base/errors.ts';
import { othersRules } from '../../method/others/similar.ts';
import { referenceValues } from '../../method/prompts/template.ts';
import { DEFAULT_RETRIEVAL, retrievalNames } from '../../method/retrieval/choose.ts';
import { MODEL_WORDS } from '../open/model-words.ts';

/** Parses a whole number of at least `least`. */
export function wholeNumber(flag: string, least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < least)
      throw new ConfigError(`${flag}: expected a whole number of at least ${least}, got "${text}"`, {
        code: 'usage/number',
        hint: `Write ${flag} as a whole number such as ${Math.max(least, 1)}.`,
      });
    return value;
  };
}

/** Parses a number in a closed range. */
export function numberBetween(flag: string, low: number, high: number): (text: string) => number {
  const range = Number.isFinite(high) ? `from ${low} to ${high}` : `of at least ${low}`;
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= low && value <= high))
      throw new ConfigError(`${flag}: expected a number ${range}, got "${text}"`, {
        code: 'usage/number',
        hint: `Write ${flag} as a number ${range}.`,
      });
    return value;
  };
}

/** Collects the texts of a flag that may be given several times. */
export function repeated(): (text: string, before?: readonly string[]) => readonly string[] {
  return (text, before = []) => [...before, text];
}

/** Adds the flag for options of an objective: `objectiveOption`, texts such as stopGradient=true. */
export function addObjectiveOptionFlag(command: Command, more = ''): void {
  const words = `an option of the objective, such as stopGradient=true; may be given several times${more}`;
  command.addOption(new Option('--objective-option <key=value>', words).argParser(repeated()));
}

/** Parses one of some names, and suggests the nearest. */
export function oneOf<T extends string>(flag: string, names: readonly T[]): (text: string) => T {
  return (text) => {
    if ((names as readonly string[]).includes(text)) return text as T;
    const near = nearestName(text, names);
    throw new ConfigError(`${flag}: expected one of ${names.join(', ')}, got "${text}"`, {
      code: 'usage/name',
      hint: near === undefined ? 'Choose one of these names.' : `Did you mean "${near}"?`,
    });
  };
}

/** Adds a flag whose text is parsed; the error names the flag. */
export function addFlag(
  command: Command,
  flags: string,
  description: string,
  parse?: (flag: string) => (text: string) => unknown,
): void {
  const option = new Option(flags, description);
  if (parse !== undefined) option.argParser(parse(option.long ?? flags));
  command.addOption(option);
}

/** Adds `--base-bits`. */
export function addBaseBitsFlag(command: Command, description: string): void {
  const parse = (flag: string) => (text: string) => Number(oneOf(flag, ['4', '8'])(text));
  addFlag(command, '--base-bits <bits>', description, parse);
}

/** A required flag that is missing, as an error. */
export function required<T>(value: T | undefined, flag: string, hint: string): T {
  if (value !== undefined) return value;
  throw new ConfigError(`${flag}: expected a value, got none`, { code: 'usage/missing-flag', hint });
}

/** Adds `--model`, `--adapter` and the settings of the prompt that they carry. */
export function addModelFlags(command: Command): void {
  addFlag(command, '--model <M>', MODEL_WORDS);
  addFlag(command, '--adapter <folder>', 'LoRA adapter of a run, with its prompt settings');
  addPromptFlags(command);
}

/** Adds the settings of the prompt. */
export function addPromptFlags(command: Command): void {
  addFlag(command, '--max-history <n>', 'show at most this many history items', (flag) =>
    wholeNumber(flag, 0),
  );
  addFlag(
    command,
    '--history-stride <n>',
    'begin the latest items at a multiple of this in the history, so that prompts begin alike (default: 1)',
    (flag) => wholeNumber(flag, 1),
  );
  addFlag(
    command,
    '--retrieval <name>',
    `which items to show: ${retrievalNames.join(', ')} (default: ${DEFAULT_RETRIEVAL})`,
    (flag) => oneOf(flag, retrievalNames),
  );
  addFlag(
    command,
    '--max-tokens <n>',
    'use at most this many tokens for prompt and response together',
    (flag) => wholeNumber(flag, 8),
  );
  addFlag(
    command,
    '--reference <name>',
    'what the prompt without history shows instead: nothing (removed), none-text or placebo',
    (flag) => oneOf(flag, referenceValues),
  );
}

/** Adds `--embeddings`. */
export function addEmbeddingsFlag(command: Command): void {
  addFlag(
    command,
    '--embeddings <file>',
    'embeddings that --retrieval dense compares, in place of the model’s own: FILE.jsonl, .parquet or .safetensors',
  );
}

/** Adds `--data`. */
export function addDataFlag(command: Command): void {
  addFlag(command, '--data <F>', 'examples: FILE.jsonl, sotu or acl:PATH');
}

/** Adds `--data` and `--example`, which names one of them. */
export function addExampleFlags(command: Command): void {
  addDataFlag(command);
  addFlag(command, '--example <N>', 'id of the example');
}

/** Adds `--others` and its older name `--placebo`. */
export function addOthersFlag(command: Command, fallback = '', least = 1): void {
  addFlag(command, '--placebo, --others <K>', `compare with K other users’ histories${fallback}`, (flag) =>
    wholeNumber(flag, least),
  );
  addFlag(
    command,
    '--others-by <rule>',
    'which other users: matched in domain, period and length (default), or similar in words, the harder comparison',
    (flag) => oneOf(flag, othersRules),
  );
}

/** Parses names with commas between. */
export const separated = () => (text: string) => text.split(',').map((name) => name.trim());

/** Adds `--labels`. */
export function addLabelsFlag(command: Command, what: string, fallback: string): void {
  addFlag(
    command,
    '--labels <labels>',
    `labels ${what}: lamp-1, lamp-2, lamp-3, or labels with commas between (default: ${fallback})`,
    separated,
  );
}

/** Adds `--strict`. */
export function addStrictFlag(command: Command): void {
  command.option(
    '--strict',
    'refuse examples that are too long instead of leaving them out and counting them',
  );
}

/** Adds `--cache`. */
export function addCacheFlag(command: Command): void {
  command.option(
    '--cache',
    'reuse cached effects and cache new ones (the cache holds users’ texts as token ids)',
  );
}

/** Adds `--force`, of every command that writes results to a place that its user names. */
export function addForceFlag(command: Command): void {
  command.option('--force', 'replace what exists at --out');
}

/** Adds `--redact`. */
export function addRedactFlag(command: Command): void {
  command.option('--redact', 'replace every text by its length');
}

/** Adds `--data` and the bounds of what is read of it. */
export function addDataFlags(command: Command): void {
  addDataFlag(command);
  addFlag(command, '--max-examples <n>', 'use at most this many examples', (flag) => wholeNumber(flag, 1));
}

/** Adds `--split`. */
export function addSplitFlag(command: Command, fallback: string): void {
  addFlag(
    command,
    '--split <name>',
    `rows to use: train, validation, test or all (default: ${fallback})`,
    (flag) => oneOf(flag, ['train', 'validation', 'test', 'all']),
  );
}
