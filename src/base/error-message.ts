/** @file Errors as messages between threads, which keep no class: each is made again as what it was. */
import {
  AbortedError,
  CheckpointError,
  ConfigError,
  ContractError,
  DataError,
  EngineError,
  GraphError,
  NextQuillError,
  ShapeError,
  WeightsError,
} from './errors.ts';

/** What is left of an error behind a message. */
export interface ErrorMessage {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string;
  readonly hint?: string;
}

const classes: Readonly<Record<string, typeof NextQuillError>> = {
  ...{ AbortedError, CheckpointError, ConfigError, ContractError, DataError },
  ...{ EngineError, GraphError, ShapeError, WeightsError },
};

export function errorMessage(error: unknown): ErrorMessage {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, stack } = error;
  const own =
    error instanceof NextQuillError ? { code: error.code, ...(error.hint && { hint: error.hint }) } : {};
  return { name, message, ...(stack !== undefined && { stack }), ...own };
}

/** The error that became a message; its stack is the cause's. */
export function errorOfMessage({ name, message, stack, code, hint }: ErrorMessage): Error {
  const cause = Object.assign(new Error(message), { name, stack });
  const Class = classes[name];
  if (Class === undefined || code === undefined) return cause;
  return new Class(message, { code, ...(hint !== undefined && { hint }), cause });
}
