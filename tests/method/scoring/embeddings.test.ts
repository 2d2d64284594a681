/** @file Mean hidden states: the same whatever stands beside a text in a batch, and none of the response. */
import { describe, expect, it } from 'vitest';
import { openModel } from '../../../src/app/open/model-source.ts';
import { dense } from '../../../src/method/retrieval/dense.ts';
import { withEmbeddings } from '../../../src/method/scoring/embeddings.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';

describe('embeddings', () => {
  it('do not depend on the batch or the response, and find a text that repeats the query', async () => {
    const model = await openModel('embedded');
    const options = { prompt: { maxTokens: 128 }, threads: 1 };
    const users = simulate({ users: 3, seed: 41, historyItems: 3 });
    const all = await withEmbeddings({ model }, users, options);
    const [example] = all;
    const changed = { ...users[0]!, response: 'something else' };
    const [alone] = await withEmbeddings({ model }, [changed], options);
    expect(alone!.queryEmbedding).toHaveLength(model.config.hiddenSize);
    alone!.history.forEach(({ embedding }, i) => {
      embedding!.forEach((value, d) => {
        expect(value).toBeCloseTo(example!.history[i]!.embedding![d]!, 3);
      });
    });
    const twin = { id: 'twin', query: '', text: users[0]!.query };
    const [found] = await withEmbeddings(
      { model },
      [{ ...changed, history: [...changed.history, twin] }],
      options,
    );
    const scores = Array.from(dense.scores(found!.history, found!));
    expect(scores[3]).toBeCloseTo(1, 5);
    expect(Math.max(...scores.slice(0, 3))).toBeLessThan(scores[3]!);
  });
});
