/** @file Ids and positions beyond a model's tables are refused before any device reads there. */
import { describe, expect, it } from 'vitest';
import { openCachedPass } from '../../../src/engine/generate/cached-pass.ts';
import { createCache } from '../../../src/engine/generate/kv-cache.ts';
import { frozenParameters } from '../../../src/engine/models/parameters.ts';
import { createPasses } from '../../../src/engine/models/pass.ts';
import { checkTokens } from '../../../src/engine/models/token-inputs.ts';
import { wholeSequence } from '../../support/logits.ts';
import { tinyModel } from '../../support/tiny-model.ts';

const int64 = (values: readonly number[]) => BigInt64Array.from(values, BigInt);

// On a graphics card they were read from whatever lay behind the table, in silence.
describe('tokens beyond a table', () => {
  it.each([
    ['an id of another vocabulary', [0, 41], [0, 1], 'shape/token-id'],
    ['a negative id', [-1], [0], 'shape/token-id'],
    ['a position behind the last', [0, 40], [15, 16], 'shape/position'],
  ])('are refused: %s', async (_, ids, positions, code) => {
    const { config } = await tinyModel('tiny-gpt2');
    expect(config).toMatchObject({ vocabularySize: 41, maxPositions: 16 });
    expect(() => checkTokens(config, int64(ids), int64(positions))).toThrow(
      expect.objectContaining({ code }),
    );
  });

  it('are none where positions are rotated, and the last row of a table is one of it', async () => {
    const [rotated, learnt] = [await tinyModel(), await tinyModel('tiny-gpt2')];
    expect(() => checkTokens(rotated.config, int64([60]), int64([1_000_000]))).not.toThrow();
    expect(() => checkTokens(learnt.config, int64([40]), int64([15]))).not.toThrow();
  });

  it('are refused by passes and by cached passes', async () => {
    const model = await tinyModel();
    const passes = createPasses(model, frozenParameters());
    passes.logits('x', 'T');
    expect(() => passes.feeds({ x: wholeSequence([5, 61]) })).toThrow(
      expect.objectContaining({ code: 'shape/token-id' }),
    );
    await using pass = await openCachedPass(model, {}, { threads: 1 });
    const cache = createCache(model.config, 1, 4);
    await expect(pass.prefill(cache, 0, [5, 61])).rejects.toMatchObject({ code: 'shape/token-id' });
  });
});
