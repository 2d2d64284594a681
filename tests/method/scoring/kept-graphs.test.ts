/** @file Graphs that scorers share: compiled once for each shape, whatever adapter they score, and no more of them kept than asked for. */
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { createSession, type Session } from '../../../src/engine/runtime/session.ts';
import { keptGraphs } from '../../../src/method/scoring/kept-graphs.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { createScorer, type ScorerOptions } from '../../../src/method/scoring/scorer.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';

const plain = await tinyModel('tiny-llama');
const { lora, tensors } = await loadAdapter(resolve('tests/golden/tiny-llama/adapter'), plain);
const weaker = Object.fromEntries(
  Object.entries(tensors).map(([name, { data, shape }]) => [
    name,
    { data: data.map((each) => each / 2), shape },
  ]),
);
const pairs = randomPairs(2, 5);

/** The model, and the sessions that were opened for it and closed. */
function counted() {
  const counts = { opened: 0, closed: 0 };
  const opened = async (...args: Parameters<typeof createSession>): Promise<Session> => {
    const session = await createSession(...args);
    counts.opened += 1;
    return {
      ...session,
      [Symbol.asyncDispose]: () => {
        counts.closed += 1;
        return session[Symbol.asyncDispose]();
      },
    };
  };
  const thread = {
    createSession: opened,
    allocate: () => Promise.reject(),
    keep: () => () => {},
    isAlive: () => true,
  };
  return { counts, model: { ...plain, thread } };
}

const effects = async (scored: ScoredModel, options: ScorerOptions = {}) => {
  await using scorer = createScorer(scored, { threads: 1, ...options });
  return (await scorer.effects(pairs)).map(({ logRatio, weight }) => [...logRatio, ...weight]);
};

describe('kept graphs', () => {
  it('serve every adapter of a shape, and the base by one of its own', async () => {
    const { counts, model } = counted();
    await using graphs = keptGraphs(4);
    for (const adapter of [{ lora, tensors }, { lora, tensors: weaker }, undefined]) {
      const scored = { model: plain, ...(adapter && { adapter }) };
      expect(await effects({ ...scored, model, graphs })).toEqual(await effects(scored));
    }
    const both = [
      { lora, tensors },
      { lora, tensors: weaker },
    ];
    await Promise.all(both.map((adapter) => effects({ model, adapter, graphs })));
    expect([counts, graphs.count()]).toEqual([{ opened: 2, closed: 0 }, 2]);
  });

  it('tell apart what computes something else', async () => {
    const { counts, model } = counted();
    await using graphs = keptGraphs(8);
    const scored = { model, graphs };
    for (const options of [{}, { objective: 'nextquill-code' }, { threads: 2 }] as const)
      expect(await effects(scored, options)).toEqual(await effects({ model: plain }, options));
    await using scorer = createScorer(scored, { threads: 1 });
    await scorer.logProbabilities([{ promptIds: [3, 4], responseIds: [5] }]);
    await effects({ ...scored, adapter: { lora: { ...lora, loraAlpha: 3 * lora.loraAlpha }, tensors } });
    expect(counts).toEqual({ opened: 5, closed: 0 });
  });

  it('are bounded: the least recently used goes, and none that is in use', async () => {
    const { counts, model } = counted();
    const graphs = keptGraphs(1);
    await using busy = createScorer({ model, graphs }, { threads: 1 });
    await busy.effects(pairs);
    await effects({ model, graphs, adapter: { lora, tensors } });
    await effects({ model, graphs }, { objective: 'nextquill-code' });
    expect([counts, graphs.count()]).toEqual([{ opened: 3, closed: 1 }, 2]);
    await busy[Symbol.asyncDispose]();
    expect([counts, graphs.count()]).toEqual([{ opened: 3, closed: 2 }, 1]);
    await graphs[Symbol.asyncDispose]();
    expect(counts).toEqual({ opened: 3, closed: 3 });
  });

  it('that do not compile are tried again', async () => {
    const graphs = keptGraphs(1);
    const refused = {
      ...plain,
      thread: { ...counted().model.thread, createSession: () => Promise.reject(new Error('refused')) },
    };
    await expect(effects({ model: refused, graphs })).rejects.toThrow('refused');
    expect(await effects({ model: counted().model, graphs })).toEqual(await effects({ model: plain }));
    await graphs[Symbol.asyncDispose]();
  });
});
