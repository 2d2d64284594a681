/** @file Options of a conversion; those that would have no effect with a format are refused, so that nobody believes in them. */
import { ConfigError } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { SplitRule, TargetCounts } from '../../method/corpus/target-splits.ts';
import type { SplitShares } from '../../method/data/splits.ts';
import type { Reader, ReaderOptions } from './reader.ts';

/** Options of a conversion. */
export interface ConvertDataOptions extends ReaderOptions {
  /** Name of a reader, such as `csv` or `amazon`. */
  readonly format: string;
  readonly sources: readonly string[];
  /** Where the examples go: `FILE.jsonl` or `FILE.jsonl.gz`. */
  readonly out: string;
  /** How responses are split; default `time`, and for benchmarks their own splits. */
  readonly split?: SplitRule;
  /** How many of a user's latest texts are responses; default 8 to train, 1 to validate, 1 to test. */
  readonly targets?: TargetCounts;
  /** Shares of users that `user` and `both` hold out. */
  readonly shares?: SplitShares;
  readonly seed?: number;
  /** Strictly earlier texts that a response needs; default 1. */
  readonly minHistory?: number;
  /** Latest earlier texts that are kept; default 32. */
  readonly maxHistory?: number;
  /** Longer texts are left out; default 100,000 characters. */
  readonly maxTextLength?: number;
  /** Mask the author's own names in texts and queries. */
  readonly maskNames?: boolean;
  /** Repeats of at least eight words are left out across users too (`all`, the default), or within a user alone. */
  readonly repeats?: 'all' | 'user';
  /** Refuse the source at the first row that would be left out for a fault of its own. */
  readonly strict?: boolean;
  /** Bytes for texts before they go to DuckDB, and for DuckDB; default 512 MiB. */
  readonly maxMemory?: number;
  readonly threads?: number;
  readonly onProgress?: ProgressListener;
  /** Hears what is left out, and of files that were found. */
  readonly onNote?: (message: string) => void;
  readonly signal?: AbortSignal;
}

const FLAGS: Readonly<Partial<Record<keyof ReaderOptions, string>>> = {
  ...{ dateOrder: '--date-order', maxItemLength: '--max-item-length', keepHtml: '--keep-html' },
};

/** @throws {ConfigError} for an option that the reader does not take: it would have no effect */
export function checkOptions(reader: Reader, options: ConvertDataOptions): void {
  const all = [
    'user',
    'time',
    'text',
    'domain',
    'id',
    'name',
    'keep',
    'query',
    'items',
    'author',
    'role',
  ] as const;
  for (const key of [...all, 'dateOrder', 'maxItemLength', 'keepHtml'] as const)
    if (options[key] !== undefined && !reader.takes.includes(key))
      throw new ConfigError(
        `${FLAGS[key] ?? `--${key}`}: expected a flag that ${reader.name} takes, got one without effect`,
        {
          code: 'config/no-effect',
          hint: `Leave it out; ${reader.name} takes ${reader.takes.length === 0 ? 'none of these flags' : reader.takes.map((name) => FLAGS[name] ?? `--${name}`).join(', ')}.`,
        },
      );
  if (options.sources.length === 0)
    throw new ConfigError(`${reader.name}: expected ${reader.sources}, got no source`, {
      code: 'usage/source',
      hint: 'Name the files after the format.',
    });
  const { split, targets, repeats, maxTextLength, shares } = options;
  const ofTexts = { '--targets': targets, '--repeats': repeats, '--max-text-length': maxTextLength };
  const idle = Object.entries(ofTexts).find(
    ([, value]) => reader.examples !== undefined && value !== undefined,
  );
  if (idle !== undefined) throw noEffect(idle[0], `${reader.name} has histories and responses of its own`);
  if (shares !== undefined && split !== 'user' && split !== 'both')
    throw noEffect('--split-shares', 'only --split user and both hold users out');
  if (reader.examples !== undefined && (options.split === 'time' || options.split === 'both'))
    throw new ConfigError(`--split: expected user or none for ${reader.name}, got ${options.split}`, {
      code: 'config/no-effect',
      hint: 'Leave it out to keep the splits of the benchmark.',
    });
}

function noEffect(flag: string, why: string): ConfigError {
  return new ConfigError(`${flag}: expected it left out, got a flag without effect: ${why}`, {
    code: 'config/no-effect',
    hint: `Leave ${flag} out.`,
  });
}
