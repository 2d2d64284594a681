/** @file Where examples come from: one table from what a user types (`FILE.jsonl`, `sotu`, `acl:PATH`) to its reader. */
import { ConfigError, nearestName, throwIfAborted } from '../../base/errors.ts';
import type { Example } from './example.ts';
import type { NoticeListener } from './notice.ts';
import { takeAcrossUsers } from './splits.ts';

/** Options of {@link readExamples}. */
export interface ReadOptions {
  /** Seed of choices and splits of `sotu` and `acl`; default 0. */
  readonly seed?: number;
  /** Examples at most: the first ones of a file, or spread over users and splits of `sotu` and `acl`. */
  readonly limit?: number;
  readonly onNotice?: NoticeListener | undefined;
  readonly signal?: AbortSignal;
}

interface ExampleSource {
  /** How it is typed. */
  readonly form: string;
  /** Whether a limit takes the first examples, in the order that somebody chose, or some of every user. */
  readonly isOrdered: boolean;
  /** What the reader gets, or undefined when the text does not name this source. */
  readonly match: (source: string) => string | undefined;
  /** Readers are loaded when they are used: a data set costs nothing to those who do not read it. */
  readonly read: (argument: string, options: ReadOptions) => Promise<Example[]>;
}

const SOURCES: readonly ExampleSource[] = [
  {
    form: 'sotu',
    isOrdered: false,
    match: (source) => (source === 'sotu' ? source : undefined),
    read: async (_, { seed = 0, limit = Number.POSITIVE_INFINITY, signal }) => {
      const { prepareSotuPassages } = await import('./sotu-passages.ts');
      await prepareSotuPassages(signal);
      const { sotuExamples } = await import('./sotu.ts');
      return takeAcrossUsers(sotuExamples({ seed }), limit);
    },
  },
  {
    form: 'acl:PATH',
    isOrdered: false,
    match: (source) => (/^acl:./.test(source) ? source.slice('acl:'.length) : undefined),
    read: async (path, { limit = Number.POSITIVE_INFINITY, ...options }) => {
      const { aclExamples } = await import('./acl.ts');
      return takeAcrossUsers(await aclExamples(path, options), limit);
    },
  },
  {
    form: 'FILE.jsonl or FILE.jsonl.gz',
    isOrdered: true,
    match: (source) => (/.\.jsonl(?:\.gz)?$/.test(source) ? source : undefined),
    read: async (path, { limit, onNotice, signal }) => {
      const { examplesFromJsonl } = await import('./jsonl.ts');
      return examplesFromJsonl(path, {
        ...(limit !== undefined && { limit }),
        onNotice,
        ...(signal !== undefined && { signal }),
      });
    },
  },
];

/**
 * The examples of a source, checked.
 * @param source `sotu`, `acl:PATH`, or the path of a `.jsonl` or `.jsonl.gz` file
 * @throws {ConfigError} for any other source, and for a limit that is not a whole number of at least 1
 * @throws {DataError} when the data are wrong, with file, line and key
 * @throws {AbortedError} when `signal` is aborted
 */
export async function readExamples(source: string, options: ReadOptions = {}): Promise<Example[]> {
  const { limit, signal } = options;
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1))
    throw new ConfigError(`limit: expected a whole number of examples of at least 1, got ${limit}`, {
      code: 'config/limit',
      hint: 'Leave the limit out to read all.',
    });
  throwIfAborted(signal);
  for (const { match, read } of SOURCES) {
    const argument = match(source);
    if (argument !== undefined) return read(argument, options);
  }
  const forms = SOURCES.map(({ form }) => form).join(', ');
  const near = nearestName(source, ['sotu']);
  throw new ConfigError(`data: expected one of ${forms}, got "${source}"`, {
    code: 'config/data-source',
    hint: near === undefined ? 'Name one of these sources.' : `Did you mean "${near}"? Name a known source.`,
  });
}

/** Whether a source is a file of somebody's own examples, and not a set that the package knows. */
export const isFileSource = (source: string): boolean =>
  SOURCES.find(({ match }) => match(source) !== undefined)?.isOrdered ?? false;

/** At most `limit` of the examples of a source: the first ones of a file, or spread over users of `sotu` and `acl`. */
export function takeOfSource(source: string, examples: readonly Example[], limit: number): Example[] {
  const isOrdered = SOURCES.find(({ match }) => match(source) !== undefined)?.isOrdered ?? true;
  return isOrdered ? examples.slice(0, limit) : takeAcrossUsers(examples, limit);
}
