/** @file Computes expressions once: compile, run, dispose. For tests, gradient checks and small jobs. */
import type { Device } from '../../base/device.ts';
import { compile } from '../onnx/program.ts';
import type { Value } from '../ops/value.ts';
import { createSession, type HostTensor } from './session.ts';

/** The values of `outputs` where the inputs have `feeds`. */
export async function evaluate(
  outputs: Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, HostTensor>> = {},
  device: Device = 'cpu',
): Promise<Record<string, HostTensor>> {
  await using session = await createSession(compile(outputs, undefined, device), { threads: 1 });
  return await session.run(feeds);
}
