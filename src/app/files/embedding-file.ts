/** @file Files of embeddings: JSON lines, Parquet, or safetensors with one tensor a text. */
import { ConfigError, DataError } from '../../base/errors.ts';
import { sha256 } from '../../base/hash.ts';
import { openSafetensors, readTensor } from '../../engine/weights/safetensors.ts';
import { rowsFromJsonl } from '../../method/data/jsonl.ts';
import { isObject, problem } from '../../method/data/parse-example.ts';
import type { GivenEmbedding } from '../../method/scoring/given-embeddings.ts';
import { parquetRows } from '../data/parquet-rows.ts';

/** Embeddings of a file, and its name. */
export interface EmbeddingFile {
  readonly source: string;
  readonly embeddings: readonly GivenEmbedding[];
}

const isHash = (text: string) => /^[0-9a-f]{64}$/.test(text);

/**
 * Reads embeddings: rows of `embedding` beside `text`, `hash` or `id`; of safetensors, each tensor by its name, a hash or an id.
 * @throws {ConfigError} for another kind of file
 * @throws {DataError} for a row that is not one, with its line
 * @throws {WeightsError} for a damaged safetensors file
 */
export async function readEmbeddings(
  path: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<EmbeddingFile> {
  return { source: path, embeddings: await embeddingsOf(path, signal) };
}

/** Names what is in a file, whatever the file is named. */
export const hashOfEmbeddings = ({ embeddings }: EmbeddingFile): string =>
  sha256(embeddings.map(({ key, embedding }) => `${JSON.stringify(key)} ${embedding.join()}`).join('\n'));

async function embeddingsOf(path: string, signal?: AbortSignal): Promise<GivenEmbedding[]> {
  const stopping = signal === undefined ? {} : { signal };
  if (/\.jsonl(\.gz)?$/i.test(path))
    return rowsFromJsonl(path, 'embedding', stopping, (value, where) => embeddingOf(value, where));
  if (/\.parquet$/i.test(path)) {
    const embeddings: GivenEmbedding[] = [];
    for await (const { values, line } of parquetRows(path, signal))
      embeddings.push(embeddingOf(values, `${path}, row ${line}`));
    return embeddings;
  }
  if (/\.safetensors$/i.test(path)) {
    const file = await openSafetensors(path);
    const embeddings: GivenEmbedding[] = [];
    for (const name of file.tensors.keys())
      embeddings.push({
        key: isHash(name) ? { hash: name } : { id: name },
        embedding: await readTensor(file, name),
        where: `${path}, tensor ${name}`,
      });
    return embeddings;
  }
  throw new ConfigError(
    `${path}: expected a file that ends in .jsonl, .parquet or .safetensors, got another one`,
    {
      code: 'usage/embeddings',
      hint: 'Rename the file by what it holds.',
    },
  );
}

function embeddingOf(value: unknown, where: string): GivenEmbedding {
  const hint = 'Write {"text": …, "embedding": [numbers]}, or "hash" or "id" in place of "text".';
  if (!isObject(value)) throw problem(where, '', 'an object', value, hint);
  const { text, hash, id, embedding } = value;
  const numbers = ArrayBuffer.isView(embedding)
    ? Array.from(embedding as unknown as ArrayLike<number>)
    : embedding;
  if (!Array.isArray(numbers) || numbers.some((number) => typeof number !== 'number'))
    throw problem(where, 'embedding', 'an array of numbers', embedding, hint);
  const names = [text, hash, id].filter((name) => name !== undefined && name !== null);
  if (names.length !== 1 || typeof names[0] !== 'string')
    throw new DataError(
      `${where}: expected one of text, hash and id, got ${names.length === 1 ? 'no string' : names.length}`,
      {
        code: 'embeddings/key',
        hint,
      },
    );
  if (typeof hash === 'string' && !isHash(hash))
    throw problem(where, 'hash', 'a SHA-256 of 64 small hexadecimal digits', hash, hint);
  const key =
    typeof text === 'string'
      ? { hash: sha256(text.trim()) }
      : typeof hash === 'string'
        ? { hash }
        : { id: String(id) };
  return { key, embedding: Float32Array.from(numbers as number[]), where };
}
