/** @file Embeddings that another program made, for the retrieval `dense`: each text of the examples finds its own, or it is refused. */
import { DataError } from '../../base/errors.ts';
import { sha256 } from '../../base/hash.ts';
import type { Example, HistoryItem } from '../data/example.ts';

/** One embedding, and what it is of: a text, the SHA-256 of one as UTF-8, or an id of an example (its query) or of a history item. */
export interface GivenEmbedding {
  readonly key: { readonly hash: string } | { readonly id: string };
  readonly embedding: Float32Array;
  /** Where it stands, such as `FILE:LINE`. */
  readonly where: string;
}

/** What an item is embedded as. */
export const embeddedText = ({ query, text }: Pick<HistoryItem, 'query' | 'text'>): string =>
  `${query} ${text}`.trim();

/** Texts without an embedding that an error counts; more are not looked for. */
const MOST_MISSING = 1000;

/**
 * The examples with the embedding of their query and of each item. An embedding by text goes before one by id. Texts of nothing
 * have none.
 * @param source of the embeddings, in errors
 * @throws {DataError} for embeddings of different lengths, numbers that are not finite, two different ones of one text, an id that
 *   stands for different texts, and texts without an embedding
 */
export function withGivenEmbeddings(
  examples: readonly Example[],
  given: readonly GivenEmbedding[],
  source: string,
): Example[] {
  checkEmbeddings(given, source);
  const byHash = new Map<string, GivenEmbedding>();
  const byId = new Map<string, GivenEmbedding>();
  for (const each of given) {
    const [map, key] = 'hash' in each.key ? [byHash, each.key.hash] : [byId, each.key.id];
    const twin = map.get(key);
    if (twin !== undefined && !isSame(twin.embedding, each.embedding))
      throw new DataError(
        `${each.where}: expected one embedding of ${key}, got another than ${twin.where} has`,
        {
          code: 'embeddings/twice',
          hint: 'Keep one of the two.',
        },
      );
    map.set(key, each);
  }
  const textOfId = new Map<string, string>();
  const missing: string[] = [];
  const hashes = new Map<string, string>();
  const hashOf = (text: string) => {
    const hash = hashes.get(text) ?? sha256(text);
    hashes.set(text, hash);
    return hash;
  };
  const find = (text: string, id: string, name: () => string): Float32Array | undefined => {
    if (text === '') return undefined;
    const ofText = byHash.get(hashOf(text));
    if (ofText !== undefined) return ofText.embedding;
    const ofId = byId.get(id);
    if (ofId === undefined) {
      if (missing.length < MOST_MISSING) missing.push(name());
      return undefined;
    }
    const other = textOfId.get(id);
    if (other !== undefined && other !== text)
      throw new DataError(
        `${ofId.where}: id: expected an id of one text, got "${id}", which stands for ${name()} and for another text`,
        { code: 'embeddings/ambiguous-id', hint: 'Give the embedding by "text" or "hash" in place of "id".' },
      );
    textOfId.set(id, text);
    return ofId.embedding;
  };
  const result = examples.map((example): Example => {
    const queryEmbedding = find(example.query.trim(), example.id, () => `the query of example ${example.id}`);
    return {
      ...example,
      ...(queryEmbedding && { queryEmbedding }),
      history: example.history.map((item) => {
        const name = () => `item ${item.id} of example ${example.id}`;
        const embedding = find(embeddedText(item), item.id, name);
        return embedding === undefined ? item : { ...item, embedding };
      }),
    };
  });
  if (missing.length === 0) return result;
  const count = missing.length < MOST_MISSING ? `${missing.length}` : `${MOST_MISSING} and more`;
  throw new DataError(
    `${source}: expected an embedding of every query and item, got none of ${count} texts, such as ${missing[0]}`,
    {
      code: 'embeddings/missing',
      hint: 'Embed these texts too: an item is its query, a space and its text.',
    },
  );
}

function checkEmbeddings(given: readonly GivenEmbedding[], source: string): void {
  const [first] = given;
  if (first === undefined)
    throw new DataError(`${source}: expected embeddings, got none`, {
      code: 'embeddings/empty',
      hint: 'Write one embedding a row.',
    });
  for (const { embedding, where } of given) {
    if (embedding.length !== first.embedding.length || embedding.length === 0)
      throw new DataError(
        `${where}: embedding: expected ${Math.max(first.embedding.length, 1)} numbers, as ${first.where} has, got ${embedding.length}`,
        { code: 'embeddings/length', hint: 'Make all embeddings by one model.' },
      );
    const bad = embedding.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0)
      throw new DataError(`${where}: embedding[${bad}]: expected a finite number, got ${embedding[bad]}`, {
        code: 'embeddings/number',
        hint: 'Look for texts that the model could not embed.',
      });
  }
}

const isSame = (a: Float32Array, b: Float32Array) => a.every((value, d) => value === b[d]);
