/** @file Each distinct prompt is scored once, what is known is counted first, and every run is kept before the next. */
import { expect, it } from 'vitest';
import {
  type KeptScores,
  keepersInTurn,
  promptKey,
  type ScoredRun,
  type ScoreKeeper,
  scoresThroughKeeper,
} from '../../../src/method/scoring/score-keeper.ts';

interface Item {
  readonly promptIds: readonly number[];
  readonly responseIds: readonly number[];
  readonly targetIds?: readonly number[];
}

const item = (id: number): Item => ({ promptIds: [id], responseIds: [1] });

/** Scores items two at a time, by their first token; `asked` is told of every one that is computed. */
function scoring(asked: number[] = []) {
  return {
    keyOf: promptKey,
    compute: async function* (items: readonly Item[], isWanted: (place: number) => boolean) {
      for (let start = 0; start < items.length; start += 2) {
        const places = [start, start + 1].filter((place) => place < items.length && isWanted(place));
        asked.push(...places.map((place) => items[place]!.promptIds[0]!));
        yield places.map((place) => [
          place,
          { logProbability: Float32Array.of(-items[place]!.promptIds[0]!) },
        ]) satisfies ScoredRun;
      }
    },
  };
}

function openKeeper(known = new Map<string, KeptScores>()): ScoreKeeper & { readonly known: typeof known } {
  return {
    known,
    get: async (key) => known.get(key),
    put: async (entries) => {
      for (const [key, scores] of entries) known.set(key, scores);
    },
  };
}

it('equal prompts are scored once, and each has its scores', async () => {
  const asked: number[] = [];
  const scores = await scoresThroughKeeper([7, 8, 7, 9, 8, 7].map(item), scoring(asked), undefined);
  expect(asked).toEqual([7, 8, 9]);
  expect(scores.map(({ logProbability }) => logProbability![0])).toEqual([-7, -8, -7, -9, -8, -7]);
});

it('shifted labels are another prompt', async () => {
  const asked: number[] = [];
  await scoresThroughKeeper([item(7), { ...item(7), targetIds: [2] }], scoring(asked), undefined);
  expect(asked).toEqual([7, 7]);
});

it('what is known is counted first, then what each run gave, equal prompts together', async () => {
  // A bar once stood at nothing, and jumped to its end.
  const keeper = openKeeper();
  await scoresThroughKeeper([7, 8].map(item), scoring(), keeper);
  const asked: number[] = [];
  const done: number[] = [];
  await scoresThroughKeeper([7, 9, 8, 9, 10, 11].map(item), scoring(asked), keeper, (count) =>
    done.push(count),
  );
  expect(asked).toEqual([9, 10, 11]);
  expect(done).toEqual([2, 4, 5, 6]);
});

it('work that breaks off has kept every run that was over', async () => {
  const keeper = openKeeper();
  const broken = {
    ...scoring(),
    compute: async function* (items: readonly Item[], isWanted: (place: number) => boolean) {
      let runs = 0;
      for await (const run of scoring().compute(items, isWanted)) {
        if (++runs === 3) throw new Error('stopped');
        yield run;
      }
    },
  };
  const items = [1, 2, 3, 4, 5, 6].map(item);
  await expect(scoresThroughKeeper(items, broken, keeper)).rejects.toThrow('stopped');
  expect([...keeper.known.keys()]).toEqual(items.slice(0, 4).map(promptKey));
});

it('scores of other tokens are refused, and those of other lengths computed again', async () => {
  const tokenIds = [2];
  const known = new Map([
    [promptKey(item(7)), { tokenIds, values: { logProbability: Float32Array.of(-1) } }],
  ]);
  const asked = scoresThroughKeeper([item(7)], scoring(), openKeeper(known));
  await expect(asked).rejects.toMatchObject({ code: 'cache/tokens' });
  const long = new Map([[promptKey(item(7)), { values: { logProbability: new Float32Array(2) } }]]);
  const keeper = openKeeper(long);
  expect(await scoresThroughKeeper([item(7)], scoring(), keeper)).toEqual([
    { logProbability: Float32Array.of(-7) },
  ]);
  expect(keeper.known.get(promptKey(item(7)))!.values.logProbability).toHaveLength(1);
});

it('what an item tells of others is kept beside its own scores', async () => {
  const keeper = openKeeper();
  const asked: number[] = [];
  const toldOf = ({ promptIds: [id] }: Item) =>
    [[promptKey(item(id! + 100)), { logProbability: Float32Array.of(id!) }]] as const;
  await scoresThroughKeeper([7, 8].map(item), { ...scoring(asked), toldOf }, keeper);
  const told = await scoresThroughKeeper([item(107), item(9)], scoring(asked), keeper);
  expect(told.map(({ logProbability }) => logProbability![0])).toEqual([7, -9]);
  expect(asked).toEqual([7, 8, 9]);
});

it('of several keepers the first that knows a score gives it, and all are given what is new', async () => {
  const [first, second] = [openKeeper(), openKeeper()];
  await scoresThroughKeeper([item(7)], scoring(), second);
  const asked: number[] = [];
  await scoresThroughKeeper([item(7), item(8)], scoring(asked), keepersInTurn([first, second]));
  expect(asked).toEqual([8]);
  expect([first.known.size, second.known.size]).toEqual([1, 2]);
});
