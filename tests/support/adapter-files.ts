/** @file Adapters of random values for tests of serving: large enough to change what a model writes. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomStream } from '../../src/base/random.ts';
import type { Adapter } from '../../src/engine/lora/adapter.ts';
import { saveAdapter } from '../../src/engine/lora/adapter-folder.ts';
import { adapterShapes } from '../../src/engine/lora/layers.ts';
import type { Model } from '../../src/engine/models/model.ts';

/** An adapter of the embedded model's query and value projections, by its seed. */
export function randomAdapter(model: Model, seed: number, rank = 4): Adapter {
  const lora = { rank, loraAlpha: 8, targetModules: ['q_proj', 'v_proj'] };
  const random = randomStream(seed, 'tests/adapter');
  const tensors = Object.fromEntries(
    adapterShapes(model, lora).map(({ name, shape }) => [
      name,
      { shape, data: Float32Array.from({ length: shape[0]! * shape[1]! }, () => 0.15 * random.normal()) },
    ]),
  );
  return { lora, tensors };
}

/** The files of an adapter, by name. */
export async function filesOf(adapter: Adapter): Promise<Record<string, Uint8Array>> {
  const folder = await mkdtemp(join(tmpdir(), 'nextquill-adapter-'));
  try {
    const place = join(folder, 'adapter');
    await saveAdapter(place, adapter, { baseModel: 'embedded' });
    const names = ['adapter_config.json', 'adapter_model.safetensors'];
    const files = await Promise.all(
      names.map(async (name) => [name, await readFile(join(place, name))] as const),
    );
    return Object.fromEntries(files);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Those files as a form to be put. */
export function formOf(
  files: Readonly<Record<string, Uint8Array>>,
  more: Readonly<Record<string, string>> = {},
): FormData {
  const form = new FormData();
  for (const [name, bytes] of Object.entries(files))
    form.append(name, new Blob([new Uint8Array(bytes)]), name);
  for (const [name, text] of Object.entries(more)) form.append(name, text);
  return form;
}
