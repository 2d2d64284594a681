/** @file What a command of the command line is, and what it is given to work with. */
import type { Command } from 'commander';
import type { DeviceName } from '../../base/device.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { NoticeListener } from '../../method/data/notice.ts';

/** Options that every command has. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly seed?: number;
  readonly threads?: number;
  readonly device?: DeviceName;
  readonly quiet?: boolean;
  readonly offline?: boolean;
  readonly verbose?: boolean;
}

/** The surroundings of a running command: the only way to the terminal and to being stopped. */
export interface Session {
  readonly options: GlobalOptions;
  readonly signal: AbortSignal;
  /** Where results go. */
  readonly stdout: NodeJS.WriteStream;
  /** Draws progress on stderr; nothing with --quiet. */
  readonly progress: ProgressListener;
  /** The help text of a command, or of the whole. @throws {ConfigError} for an unknown command */
  helpText(name: string | undefined): Promise<string>;
  /** Writes to stdout. */
  print(text: string): void;
  /** One warning line on stderr. */
  warn(message: string): void;
  /** A notice of the method as a warning line. */
  readonly notice: NoticeListener;
  /** Closes what the command has opened and keeps to its end, whether it succeeds or not. */
  atEnd(close: () => PromiseLike<void>): void;
  /** One line for people on stderr, such as where a file was written; nothing with --quiet. */
  note(message: string): void;
}

/** One command: its flags, and its work. */
export interface CliCommand {
  /** Adds arguments, flags and a longer help text. */
  define(command: Command): void;
  /**
   * Does the work.
   * @param operands the words that are not flags
   * @param flags as `define` named them, in camel case
   */
  run(operands: readonly string[], flags: Readonly<Record<string, unknown>>, session: Session): Promise<void>;
}
