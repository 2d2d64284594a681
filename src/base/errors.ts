/** @file The errors users meet: one class per person who must act, each with a stable code and a hint. */

/** Options shared by every NextQuill error. */
export interface ErrorOptions {
  /** Stable machine-readable name, such as `shape/mismatch`. */
  readonly code: string;
  /** One imperative sentence: what to do next. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Base of all errors that NextQuill throws on purpose; the message says what, where, expected and got. */
export class NextQuillError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  constructor(message: string, options: ErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.hint = options.hint;
  }
}

/** A recipe, flag or option is wrong; the user fixes the configuration (exit code 2). */
export class ConfigError extends NextQuillError {}

/** A data file or example is wrong; the user fixes the data (exit code 2). */
export class DataError extends NextQuillError {}

/** A model folder, weights or tokenizer file is missing, truncated or unsupported (exit code 2). */
export class WeightsError extends NextQuillError {}

/** A run folder or checkpoint cannot be used (exit code 2). */
export class CheckpointError extends NextQuillError {}

/** Shapes or dtypes of tensors do not fit; a bug in the calling code (exit code 1). */
export class ShapeError extends NextQuillError {}

/** A graph is not one that we mean (exit code 1). */
export class GraphError extends NextQuillError {}

/** The work itself failed: NaN loss, out of memory, a full disk (exit code 1). */
export class EngineError extends NextQuillError {}

/** A check of results fails, such as a refutation: the work is done, its numbers do not hold (exit code 3). */
export class ContractError extends NextQuillError {}

/** The caller stopped the work through its AbortSignal (exit code 130). */
export class AbortedError extends NextQuillError {}

/** Exit code of the command line for an error: 2 wrong usage, recipe or data; 3 results that do not hold; 130 stopped; 1 anything else. */
export function exitCodeOf(error: unknown): number {
  if (
    error instanceof ConfigError ||
    error instanceof DataError ||
    error instanceof WeightsError ||
    error instanceof CheckpointError
  )
    return 2;
  if (error instanceof ContractError) return 3;
  if (error instanceof AbortedError) return 130;
  return 1;
}

/** Throws {@link AbortedError} when `signal` has been aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new AbortedError('stopped by the caller', { code: 'aborted', cause: signal.reason });
}

/** The candidate nearest to `name` by edit distance, or undefined when nothing is near; for "did you mean". */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 2)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/**
 * Checks a name against those that there are, from whatever place it comes.
 * @param where.place what holds it, for the message
 * @param where.fallback what to set it to where no name is near
 * @throws {ConfigError} with `where.code` and the nearest name
 */
export function checkName(
  name: unknown,
  names: readonly string[],
  { place, code, fallback }: { readonly place: string; readonly code: string; readonly fallback: string },
): void {
  if ((names as readonly unknown[]).includes(name)) return;
  const near = typeof name === 'string' ? nearestName(name, names) : undefined;
  throw new ConfigError(`${place}: expected one of ${names.join(', ')}, got ${JSON.stringify(name)}`, {
    code,
    hint: near === undefined ? `Set it to ${fallback}.` : `Did you mean "${near}"?`,
  });
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution));
    }
    previous = current;
  }
  return previous[b.length]!;
}
