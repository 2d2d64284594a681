/**
 * @file Opens a model in one GGUF file, or in several as llama-gguf-split writes them: `NAME-00001-of-00003.gguf` holds the
 * metadata, each part tensors of its own.
 */
import { basename, dirname, join } from 'node:path';
import { WeightsError } from '../../base/errors.ts';
import { type GgufFile, openGgufFile, optionalValue } from './gguf-file.ts';

/** Which part of how many a file is; `no` counts from 0. */
interface Part {
  readonly no: number;
  readonly count: number;
}

/** As many as the five digits of a name can count. */
const MAX_PARTS = 99_999;

/**
 * Opens a GGUF file, or all parts of a model by the first of them; the others are beside it.
 * @throws {WeightsError} when a file is missing, truncated or not what the format allows, and for parts of other models,
 *   in another order or under other names
 */
export async function openGguf(path: string): Promise<GgufFile> {
  let model = await openGgufFile(path);
  const { no, count } = partOf(model);
  if (count === 1 && no === 0) return model;
  const stem = stemOf(path, { no, count });
  if (no > 0)
    throw problem(
      path,
      'the first part of a model',
      place({ no, count }),
      `Name ${stem}${ending({ no: 0, count })}.`,
    );
  for (let next = 1; next < count; next++) {
    const part = { no: next, count };
    model = withPart(model, await openGgufFile(join(dirname(path), stem + ending(part))), part);
  }
  const total = optionalValue(model, 'split.tensors.count', 'number') ?? model.tensors.size;
  if (model.tensors.size === total) return model;
  throw problem(path, `${total} tensors in all parts`, `${model.tensors.size}`);
}

/** The model with one more part, which must say that it is this one. */
function withPart(model: GgufFile, next: GgufFile, expected: Part): GgufFile {
  const got = partOf(next);
  if (got.no !== expected.no || got.count !== expected.count)
    throw problem(next.path, place(expected), place(got));
  const again = [...next.tensors.keys()].find((name) => model.tensors.has(name));
  if (again !== undefined)
    throw problem(next.path, 'tensors that no earlier part has', JSON.stringify(again));
  return {
    ...model,
    files: [...model.files, ...next.files],
    tensors: new Map([...model.tensors, ...next.tensors]),
  };
}

/** What the metadata say; a whole model is the first of one. */
function partOf(file: GgufFile): Part {
  const part = {
    no: optionalValue(file, 'split.no', 'number') ?? 0,
    count: Math.max(1, optionalValue(file, 'split.count', 'number') ?? 1),
  };
  if (
    Number.isInteger(part.no) &&
    Number.isInteger(part.count) &&
    part.no >= 0 &&
    part.no < part.count &&
    part.count <= MAX_PARTS
  )
    return part;
  throw problem(
    file.path,
    `metadata of a part of at most ${MAX_PARTS}`,
    `split.no ${part.no}, split.count ${part.count}`,
  );
}

/** What stands before the number of the part in the name of its file. */
function stemOf(path: string, part: Part): string {
  const name = basename(path);
  if (name.endsWith(ending(part))) return name.slice(0, -ending(part).length);
  throw problem(
    path,
    `a name that ends in ${ending(part)}, as its metadata say`,
    name,
    'Give the parts their names back, or merge them with llama-gguf-split --merge.',
  );
}

function ending({ no, count }: Part): string {
  const digits = (value: number) => String(value).padStart(5, '0');
  return `-${digits(no + 1)}-of-${digits(count)}.gguf`;
}

const place = ({ no, count }: Part) => (count === 1 ? 'a whole model' : `part ${no + 1} of ${count}`);

function problem(
  path: string,
  expected: string,
  got: string,
  hint = 'Put all parts of one model beside each other, under the names that they came with.',
): WeightsError {
  return new WeightsError(`${path}: expected ${expected}, got ${got}`, { code: 'gguf/split', hint });
}
