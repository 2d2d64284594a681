/** @file What a source of examples holds: a file is streamed, twice where splits must be compared. */
import { DataError, throwIfAborted } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { type DataDescription, describer } from '../../method/corpus/describe.ts';
import type { Example } from '../../method/data/example.ts';
import { readLines } from '../../method/data/lines.ts';
import { parseExample } from '../../method/data/parse-example.ts';
import { readExamples } from '../../method/data/source.ts';

/** How a set of examples is described. */
export interface DescribeDataOptions {
  /** `FILE.jsonl`, `FILE.jsonl.gz`, `sotu` or `acl:PATH`. */
  readonly data: string;
  readonly seed?: number;
  readonly onProgress?: ProgressListener;
  readonly signal?: AbortSignal;
}

/**
 * Users, items, lengths, times, repeated texts, texts that name their author, and leaks, with the first rows of each by name.
 * @throws {DataError} when the data are wrong, with file, line and key
 * @throws {ConfigError} for a source that is none
 * @throws {AbortedError} when `signal` is aborted
 */
export async function describeData(options: DescribeDataOptions): Promise<DataDescription> {
  const description = describer();
  const pass = async (stage: string, add: (example: Example) => void) => {
    let done = 0;
    for await (const example of examplesOf(options)) {
      throwIfAborted(options.signal);
      add(example);
      if (++done % 2000 === 0) options.onProgress?.({ stage, done, unit: 'examples' });
    }
    if (done === 0)
      throw new DataError(`${options.data}: expected at least one example, got an empty file`, {
        code: 'data/empty-file',
        hint: 'Write one JSON object a line.',
      });
  };
  await pass('describing', description.add);
  if (description.needsSecondPass()) await pass('comparing splits', description.addAgain);
  return description.result();
}

/** A file line by line; other sources, which are small, at once. */
async function* examplesOf({ data, seed, signal }: DescribeDataOptions): AsyncGenerator<Example> {
  if (!/.\.jsonl(?:\.gz)?$/.test(data)) {
    yield* await readExamples(data, { ...(seed !== undefined && { seed }), ...(signal && { signal }) });
    return;
  }
  for await (const { number, text } of readLines(data, signal)) {
    const where = `${data}:${number}`;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new DataError(
        `${where}: expected one JSON object, got malformed JSON (${(cause as Error).message})`,
        {
          code: 'data/malformed-json',
          hint: 'Correct the line; any command that reads the file names all such lines.',
          cause,
        },
      );
    }
    yield parseExample(value, where, { fallbackId: String(number) });
  }
}
