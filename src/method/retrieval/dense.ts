/** @file Items of a history by meaning: cosine between the mean hidden state of the query and of each item (scoring/embeddings.ts). */
import { DataError } from '../../base/errors.ts';
import type { RetrievalRule } from './rule.ts';

/** What has no embedding, such as a note that a control adds, is shown last. */
export const dense: RetrievalRule = {
  name: 'dense',
  what: 'the items whose mean hidden state is nearest to the query’s (cosine)',
  scores: (history, { id, queryEmbedding }) => {
    if (queryEmbedding === undefined || history.every(({ embedding }) => embedding === undefined))
      throw new DataError(
        `example ${id}: retrieval dense: expected embeddings of query and items, got none`,
        {
          code: 'retrieval/unmeasured',
          hint: 'Measure the examples with measuredFor first, or use another retrieval.',
        },
      );
    return history.map(({ embedding }) =>
      embedding === undefined ? Number.NEGATIVE_INFINITY : cosine(queryEmbedding, embedding),
    );
  },
};

function cosine(a: Float32Array, b: Float32Array): number {
  let product = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let d = 0; d < a.length; d++) {
    product += a[d]! * b[d]!;
    squaresA += a[d]! ** 2;
    squaresB += b[d]! ** 2;
  }
  return product / (Math.sqrt(squaresA * squaresB) || 1);
}
