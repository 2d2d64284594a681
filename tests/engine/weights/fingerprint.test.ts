/** @file The fingerprint of weights changes with names, shapes and values, and with nothing else. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { weightsFingerprint } from '../../../src/engine/weights/fingerprint.ts';
import { openSafetensors, writeSafetensors } from '../../../src/engine/weights/safetensors.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-fingerprint-'));
let count = 0;
const values = Float32Array.from({ length: 3000 }, (_, i) => i / 7);

async function fingerprint(changes: {
  name?: string;
  shape?: number[];
  data?: Float32Array;
  metadata?: Record<string, string>;
}) {
  const { name = 'a', shape = [30, 100], data = values, metadata = {} } = changes;
  const path = join(home, `${count++}.safetensors`);
  const other = { name: 'z', dtype: 'F32' as const, shape: [2], data: Float32Array.of(1, 2) };
  await writeSafetensors(path, [{ name, dtype: 'F32', shape, data }, other], metadata);
  return weightsFingerprint(await openSafetensors(path), home);
}

it('is the same for the same tensors in another file with other metadata', async () => {
  expect(await fingerprint({ metadata: { made: 'later' } })).toBe(await fingerprint({}));
});

// A change between the ends of a tensor was not seen: the cache gave the numbers of the model before.
it('differs by name, by shape, and by any value of a tensor', async () => {
  const first = values.slice();
  first[0] = 99;
  const last = values.slice();
  last[2999] = 99;
  const middle = values.slice();
  middle[1500] = 99;
  const all = await Promise.all([
    fingerprint({}),
    fingerprint({ name: 'b' }),
    fingerprint({ shape: [100, 30] }),
    fingerprint({ data: first }),
    fingerprint({ data: last }),
    fingerprint({ data: middle }),
  ]);
  expect(new Set(all).size).toBe(6);
});
