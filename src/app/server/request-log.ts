/** @file One line of JSON for each request: times, counts, codes. No text, no prompt, no key, no user's id. */
import { pino } from 'pino';

/** What a line holds; times in milliseconds. */
export interface RequestLine {
  readonly requestId: string;
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly role?: string | undefined;
  readonly code?: string | undefined;
  readonly model?: string | undefined;
  /** First 8 digits of the adapter's hash. */
  readonly adapter?: string | undefined;
  readonly promptTokens?: number | undefined;
  readonly completionTokens?: number | undefined;
  readonly queueMs?: number | undefined;
  readonly firstTokenMs?: number | undefined;
  readonly totalMs: number;
  readonly outcome: Outcome;
  /** Pseudonym of the user, with `--verbose`. */
  readonly user?: string | undefined;
  /** Of an unexpected error: its class, code and stack; messages may hold texts. */
  readonly error?:
    | { readonly name: string; readonly code?: string; readonly stack: readonly string[] }
    | undefined;
}

export type Outcome = 'done' | 'cancelled' | 'stalled' | 'timeout' | 'error';

/** Where lines go, as `process.stdout` is one; pino's own type would ask a caller's project for the types of Node.js. */
interface LineStream {
  write(line: string): unknown;
}

/** Writes lines to a stream, or to a file that is appended to. */
export function requestLog(destination: { readonly file: string } | LineStream): (line: RequestLine) => void {
  const stream =
    'file' in destination
      ? pino.destination({ dest: destination.file, mkdir: true, sync: true })
      : destination;
  const logger = pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime, messageKey: 'message' },
    stream,
  );
  return (line) => {
    if (line.status >= 500) logger.error(line);
    else logger.info(line);
  };
}

/** An error without what people wrote: frames of its stack, no message. */
export function errorForLog(error: unknown): RequestLine['error'] {
  if (!(error instanceof Error)) return { name: typeof error, stack: [] };
  const code = (error as { code?: unknown }).code;
  const stack = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    name: error.name,
    ...(typeof code === 'string' && { code }),
    stack: stack.slice(0, 12).map((line) => line.trim()),
  };
}
