/** @file Every architecture over the key/value cache: step by step and in chunks as in whole passes. */
import { describe, expect, it } from 'vitest';
import { openCachedPass } from '../../../src/engine/generate/cached-pass.ts';
import { createCache } from '../../../src/engine/generate/kv-cache.ts';
import { largestDifference } from '../../support/engine.ts';
import { logitsOf } from '../../support/logits.ts';
import { tinyModel } from '../../support/tiny-model.ts';

/** Sums in another order. */
const TOLERANCE = 1e-4;

/** Longer than the windows of sliding layers (4), at most as long as GPT-2 has positions (16). */
const ids = [5, 17, 32, 3, 40, 8, 8, 21, 13, 30, 7, 25, 9, 11];

describe('a cached pass', () => {
  it.each(['tiny-llama3', 'tiny-qwen2', 'tiny-qwen3', 'tiny-gemma3', 'tiny-gpt2'])(
    'of %s has the logits of whole passes',
    async (name) => {
      const model = await tinyModel(name);
      const whole = await logitsOf(model, ids);
      const vocabulary = model.config.vocabularySize;
      await using pass = await openCachedPass(model, {}, { threads: 1, chunk: 3 });
      const cache = createCache(model.config, 1, ids.length);
      const compare = (data: Float32Array, t: number) => {
        const expected = (whole.data as Float32Array).slice(t * vocabulary, (t + 1) * vocabulary);
        const shape = [vocabulary];
        expect(largestDifference({ data, shape }, { data: expected, shape }), `token ${t}`).toBeLessThan(
          TOLERANCE,
        );
      };
      compare(await pass.prefill(cache, 0, ids.slice(0, 7)), 6);
      for (let t = 7; t < ids.length; t++) compare(await pass.step(cache, [ids[t]!]), t);
    },
  );
});
