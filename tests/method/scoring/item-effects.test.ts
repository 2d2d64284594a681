/** @file Effects of single items against passes made one by one, and what each kind of item means. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../../src/engine/models/model.ts';
import type { Example } from '../../../src/method/data/example.ts';
import { promptPair } from '../../../src/method/prompts/pair.ts';
import {
  type ExampleItemEffects,
  type ItemEffectsOptions,
  itemEffects,
} from '../../../src/method/scoring/item-effects.ts';
import { itemKind } from '../../../src/method/scoring/item-kinds.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { newUser, writtenUsers } from '../../support/written-users.ts';

/** f32 sums over rows of other lengths. */
const TOLERANCE = 1e-5;

const prompt = { template: 'default', reference: 'removed', maxTokens: 1024, maxHistory: 8 } as const;
const [user] = writtenUsers as [Example];
const threeItems: Example = {
  ...user,
  id: 'three',
  history: [...user.history, { ...user.history[0]!, id: 'copy' }],
};
let scored: ScoredModel;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'item-effects-'));
  await writeModelFolder(folder);
  scored = { model: await loadModel(folder, join(folder, 'cache')) };
});

async function effectsOf(example: Example, options: Partial<ItemEffectsOptions> = {}) {
  const results: ExampleItemEffects[] = [];
  for await (const result of itemEffects(scored, [example], { prompt, threads: 1, ...options }))
    results.push(result);
  return results[0]!;
}

/** s(h) for some items of an example, from a pass of its own. */
async function scoreOf(example: Example, shown: readonly number[]): Promise<number> {
  await using scorer = createScorer(scored, { threads: 1 });
  const history = example.history.filter((_, i) => shown.includes(i));
  const pair = promptPair(example, scored.model.tokenizer, prompt, { history });
  const [values] = await scorer.logProbabilities([
    { promptIds: pair.withHistoryIds, responseIds: pair.responseIds },
  ]);
  return values!.reduce((sum, value) => sum + value, 0) / values!.length;
}

describe('the effect of an item', () => {
  it('is what the response loses when the item alone is removed', async () => {
    const { items, total } = await effectsOf(threeItems);
    const whole = await scoreOf(threeItems, [0, 1, 2]);
    for (const [i, { effect, mean, index, tokenEffects, tokenMeans }] of items.entries()) {
      const rest = await scoreOf(
        threeItems,
        [0, 1, 2].filter((j) => j !== i),
      );
      expect(Math.abs(effect - (whole - rest))).toBeLessThan(TOLERANCE);
      expect(index).toBe(i);
      expect(tokenEffects.reduce((a, b) => a + b, 0) / tokenEffects.length).toBeCloseTo(effect, 5);
      expect(tokenMeans.reduce((a, b) => a + b, 0) / tokenMeans.length).toBeCloseTo(mean, 5);
    }
    expect(Math.abs(total - (whole - (await scoreOf(threeItems, []))))).toBeLessThan(TOLERANCE);
    expect(Math.max(...items.map(({ effect }) => Math.abs(effect)))).toBeGreaterThan(0.001);
  });

  it('has the mean of its differences over all subsets of few other items', async () => {
    const { items } = await effectsOf(threeItems);
    const differences = await Promise.all(
      [[], [1], [2], [1, 2]].map(
        async (others) => (await scoreOf(threeItems, [0, ...others])) - (await scoreOf(threeItems, others)),
      ),
    );
    const { mean, low, high } = items[0]!;
    expect(Math.abs(mean - differences.reduce((a, b) => a + b, 0) / 4)).toBeLessThan(TOLERANCE);
    expect(low).toBeGreaterThanOrEqual(Math.min(...differences) - TOLERANCE);
    expect(high).toBeLessThanOrEqual(Math.max(...differences) + TOLERANCE);
  });

  it('repeats for a seed when subsets are drawn', async () => {
    const drawn = { subsets: 2, seed: 3 };
    expect(await effectsOf(threeItems, drawn)).toEqual(await effectsOf(threeItems, drawn));
  });

  it('is that of the items which fit, when some do not', async () => {
    const { items } = await effectsOf(threeItems, { prompt: { ...prompt, maxHistory: 1 } });
    expect(items.map(({ item, index }) => [item.id, index])).toEqual([['copy', 2]]);
    expect(items[0]!.low).toBe(items[0]!.effect);
  });

  it('is asked of no item where there is no history', async () => {
    expect(await effectsOf(newUser)).toMatchObject({ items: [], total: 0 });
  });

  it('is refused for a number of subsets that is none', async () => {
    await expect(effectsOf(user, { subsets: 0 })).rejects.toMatchObject({ code: 'config/subsets' });
  });
});

describe('the kind of an item', () => {
  it('is told by its effect beside the others, and by its effect without its twin', () => {
    expect(itemKind(0.2, 0.2)).toBe('useful');
    expect(itemKind(-0.2, 0.3)).toBe('harmful');
    expect(itemKind(0.001, 0.2)).toBe('redundant');
    expect(itemKind(-0.001, 0.002)).toBe('idle');
    expect(itemKind(0.001, Number.NEGATIVE_INFINITY)).toBe('idle');
  });

  it('names the twin of a redundant item', async () => {
    // With a wide notion of "near 0" between the effect beside the twin and the effect without it.
    const { items } = await effectsOf(threeItems);
    const gains = await Promise.all(
      items.map(async ({ effect }, i) => {
        const alone = await Promise.all(
          items.map(async (_, j) => {
            if (j === i) return Number.NEGATIVE_INFINITY;
            const rest = [0, 1, 2].filter((k) => k !== j);
            return (
              (await scoreOf(threeItems, rest)) -
              (await scoreOf(
                threeItems,
                rest.filter((k) => k !== i),
              ))
            );
          }),
        );
        const twin = alone.indexOf(Math.max(...alone));
        return { i, twin, least: Math.abs(effect), most: alone[twin]! };
      }),
    );
    const found = gains.find(({ least, most }) => most > least + 1e-3)!;
    const nearZero = (found.least + found.most) / 2;
    const again = await effectsOf(threeItems, { nearZero });
    expect(again.items[found.i]).toMatchObject({
      kind: 'redundant',
      twin: threeItems.history[found.twin]!.id,
    });
  });
});
