/** @file How an error is told on stderr: what happened, what to do, and the stack only for those who ask. */
import type { CommanderError } from 'commander';
import type pc from 'picocolors';
import { AbortedError, ConfigError, exitCodeOf, NextQuillError, nearestName } from '../../base/errors.ts';
import { describeFileError } from '../../base/file-error.ts';
import { terminalText } from '../../reports/text/terminal-text.ts';
import { oneLine } from './terminal.ts';

export interface FailureStyle {
  readonly colors: ReturnType<typeof pc.createColors>;
  /** Adds the stack and the causes. */
  readonly verbose: boolean;
  /** Adds one line of JSON. */
  readonly json: boolean;
}

/** What is written on stderr for an error, and the exit code of the process. */
export function describeFailure(thrown: unknown, style: FailureStyle): { text: string; exitCode: number } {
  const error = typedFileError(thrown);
  const { colors, verbose, json } = style;
  const exitCode = exitCodeOf(error);
  const known = error instanceof NextQuillError ? error : undefined;
  const message = terminalText(error instanceof Error ? error.message || error.name : String(error));
  const label = error instanceof AbortedError ? colors.yellow('stopped:') : colors.red('error:');
  const lines = [`${colors.bold(label)} ${message}`];
  if (known?.hint !== undefined) lines.push(`${colors.bold('hint:')} ${terminalText(known.hint)}`);
  if (known === undefined && !verbose)
    lines.push(
      `${colors.bold('hint:')} This is a bug or a failure of the system; run again with --verbose to see where.`,
    );
  if (verbose && error instanceof Error) lines.push(colors.dim(stackOf(error)));
  if (json) {
    const code = known?.code ?? 'unexpected';
    lines.push(
      JSON.stringify({ error: { code, message, ...(known?.hint && { hint: known.hint }), exitCode } }),
    );
  }
  return { text: `${lines.join('\n')}\n`, exitCode };
}

/** A refusal of the file system that no caller has put into words: at least the path and the reason are told. */
function typedFileError(error: unknown): unknown {
  const { path, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  if (typeof path !== 'string') return error;
  const reads = syscall === 'read' || syscall === 'scandir' || syscall === 'stat' || syscall === 'access';
  return describeFileError(path, error, reads ? 'read' : 'write');
}

function stackOf(error: Error): string {
  const own = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const cause =
    error.cause instanceof Error ? `\ncaused by ${error.cause.message}\n${stackOf(error.cause)}` : '';
  return own.join('\n') + cause;
}

/** Characters of a mistyped word that are shown. */
export const WORD_SHOWN = 60;

/**
 * Wrong usage as our own error, with the nearest name as its hint.
 * @param error what the argument parser threw
 * @param flags long flags of the command that was meant
 * @param excess the first word that the command does not take
 */
export function usageError(
  error: CommanderError,
  command: string,
  flags: readonly string[],
  excess?: string,
): ConfigError {
  const message = error.message
    .replace(/^error: /, '')
    .replace(/\s*\(Did you mean [^)]*\?\)\s*$/s, '')
    .replace(/\.$/, '');
  const quoted = oneLine(/'([^']+)'/.exec(message)?.[1] ?? '', WORD_SHOWN);
  const see = command === '' ? 'nextquill help' : `nextquill help ${command}`;
  if (error.code === 'commander.unknownOption') {
    const name = quoted.replace(/^-+/, '').replace(/=.*$/s, '');
    const near = nearestName(
      name,
      flags.map((flag) => flag.replace(/^--/, '')),
    );
    return new ConfigError(`${quoted}: expected a flag of ${command || 'nextquill'}, got an unknown one`, {
      code: 'usage/unknown-flag',
      hint: near === undefined ? `See "${see}" for the flags.` : `Did you mean --${near}? See "${see}".`,
    });
  }
  if (error.code === 'commander.optionMissingArgument')
    return new ConfigError(`${quoted.replace(/ .*$/s, '')}: expected a value after it, got none`, {
      code: 'usage/missing-value',
      hint: `See "${see}".`,
    });
  if (error.code === 'commander.excessArguments')
    return new ConfigError(
      `${command}: expected flags only, got ${excess ? `"${oneLine(excess, WORD_SHOWN)}"` : 'a word'} without a flag before it`,
      {
        code: 'usage/arguments',
        hint: `See "${see}" for the flags.`,
      },
    );
  return new ConfigError(oneLine(message, 200), { code: 'usage/arguments', hint: `See "${see}".` });
}
