/** @file Which rows of the data a command works on: the split that was asked for, the number that was asked for, one by its id. */
import { DataError, nearestName } from '../../base/errors.ts';
import { textNotices } from '../../method/corpus/text-notices.ts';
import type { Example } from '../../method/data/example.ts';
import { checkLeakageWithPauses } from '../../method/data/leakage.ts';
import { isFileSource, type ReadOptions, readExamples, takeOfSource } from '../../method/data/source.ts';
import { forEvaluation, forTraining, forValidation } from '../../method/data/splits.ts';

export type SplitChoice = 'train' | 'validation' | 'test' | 'all';

const select: Readonly<Record<SplitChoice, (examples: readonly Example[]) => readonly Example[]>> = {
  train: forTraining,
  validation: forValidation,
  test: forEvaluation,
  all: (examples) => examples,
};

/**
 * The rows of a split, and all examples, which other users' histories are taken from.
 * @param options.limit rows of the split at most: the first ones of a file, or spread over the users of `sotu` and `acl`
 * @throws {ConfigError} for a source that is none
 * @throws {DataError} when the data are wrong or the split is empty
 */
export async function readRows(
  source: string,
  split: SplitChoice,
  { limit, ...options }: ReadOptions = {},
): Promise<{ readonly rows: readonly Example[]; readonly all: readonly Example[] }> {
  const all = await readExamples(source, options);
  // The sources of the package are known; a file's texts are people's own.
  if (options.onNotice !== undefined && isFileSource(source))
    for (const notice of textNotices(all)) options.onNotice(notice);
  const rows = select[split](all);
  return { rows: limit === undefined ? rows : takeOfSource(source, rows, limit), all };
}

/** The example of an id. @throws {DataError} with the nearest id when there is none */
export function exampleById(examples: readonly Example[], id: string, source: string): Example {
  const found = examples.find((example) => example.id === id);
  if (found !== undefined) return found;
  const ids = examples.map((example) => example.id);
  const near = nearestName(id, ids.slice(0, 2000));
  throw new DataError(`${source}: expected an example with the id "${id}", got none among ${ids.length}`, {
    code: 'data/no-example',
    hint: `${near === undefined ? `The first id is "${ids[0]}".` : `Did you mean "${near}"?`} "nextquill examples --data ${source}" lists them.`,
  });
}

/**
 * Tells of responses that a history, another split or the training rows give away. A warning and no error: users do
 * write the same short text twice.
 */
export async function warnOfLeakage(
  examples: readonly Example[],
  onWarning: (message: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  try {
    await checkLeakageWithPauses(examples, { signal });
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    onWarning(`${error.message}. Numbers on these examples are too good. ${error.hint ?? ''}`.trim());
  }
}
