/** @file PyTorch as tests of the launcher have it: a stand-in that trains nothing (fake-python.mjs), and how it misbehaves. */
import { resolve } from 'node:path';
import { defaultCompute } from '../../src/app/launch/spec.ts';
import type { TorchOptions } from '../../src/app/launch/torch-train.ts';

/** An executable that speaks the worker's protocol. */
export const fakePython = resolve(import.meta.dirname, 'fake-python.mjs');

/** Options of the launcher with it. */
export const fakeTorch: TorchOptions = {
  python: {
    executable: fakePython,
    place: '--python',
    report: { versions: { torch: '0-fake' }, devices: ['cpu'], hardware: [{ device: 'cpu', name: 'fake' }] },
  },
  compute: { ...defaultCompute, device: 'cpu' },
  processes: 1,
};

/** Runs `work` while the stand-in misbehaves in a way that it describes. */
export async function misbehaving<T>(how: object, work: () => Promise<T>): Promise<T> {
  process.env.FAKE_WORKER = JSON.stringify(how);
  try {
    return await work();
  } finally {
    delete process.env.FAKE_WORKER;
  }
}
