/** @file What names a scored model, and what its scores. */
import { expect, it } from 'vitest';
import { scoredHash, scoresHash } from '../../../src/method/scoring/scored-hash.ts';
import { tinyModel } from '../../support/tiny-model.ts';

it('a model is the same on every device, and its scores are kept apart by device', async () => {
  const model = await tinyModel();
  const there = { ...model, device: 'webgpu' as const };
  expect(scoredHash({ model: there })).toBe(scoredHash({ model }));
  expect(scoresHash({ model: there })).not.toBe(scoresHash({ model }));
  // As in caches of before.
  expect(scoresHash({ model: { ...model, device: 'cpu' } })).toBe(scoredHash({ model }));
});
