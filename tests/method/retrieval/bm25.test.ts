/** @file BM25 against rank_bm25. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { splitOnSpace } from '../../../src/base/python-text.ts';
import { bm25, bm25Scores } from '../../../src/method/retrieval/bm25.ts';
import { itemChooser } from '../../../src/method/retrieval/choose.ts';

interface Golden {
  readonly cases: readonly {
    readonly query: string;
    readonly documents: readonly string[];
    readonly scores: readonly number[];
    readonly order: readonly number[];
  }[];
}

const golden = JSON.parse(readFileSync(new URL('../../golden/bm25.json', import.meta.url), 'utf8')) as Golden;

describe('BM25', () => {
  it('scores as rank_bm25 does', () => {
    expect(golden.cases.length).toBeGreaterThan(40);
    for (const { query, documents, scores } of golden.cases) {
      const ours = bm25Scores(splitOnSpace(query), documents.map(splitOnSpace));
      scores.forEach((score, d) => {
        expect(Math.abs(ours[d]! - score)).toBeLessThan(1e-9 * Math.max(1, Math.abs(score)));
      });
    }
  });

  it('shows the same items as rank_bm25 for every number of them, of equal ones the later', () => {
    for (const { query, documents, order } of golden.cases) {
      const history = documents.map((text, place) => ({ id: String(place), query: '', text }));
      const choose = itemChooser({ id: 'e', query }, 'bm25');
      for (let count = 0; count <= history.length; count++) {
        const chosen = choose(history, count).map(({ id }) => Number(id));
        expect(chosen).toEqual(order.slice(0, count).toSorted((a, b) => a - b));
      }
    }
  });

  it('scores 0 where no document has a word, for which rank_bm25 divides by 0', () => {
    expect([...bm25Scores(['a'], [[], []])]).toEqual([0, 0]);
    expect([...bm25Scores(['a'], [])]).toEqual([]);
  });

  it('reads what an item answered, too', () => {
    const history = [
      { id: 'a', query: 'violin', text: 'x' },
      { id: 'b', query: '', text: 'y' },
      { id: 'c', query: '', text: 'z' },
    ];
    const scores = bm25.scores(history, { id: 'e', query: 'violin' });
    expect(scores[0]).toBeGreaterThan(scores[1]!);
  });
});
