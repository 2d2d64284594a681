/** @file GGUF adapters: what llama.cpp reads of them, read back; the rows of queries and keys in its order. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type GgufFile, tensorPieces } from '../../../src/engine/gguf/gguf-file.ts';
import { openGguf } from '../../../src/engine/gguf/open-gguf.ts';
import { interleavedHalves, interleaveHalves } from '../../../src/engine/gguf/tensor-layout.ts';
import { loadAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { saveGgufAdapter } from '../../../src/engine/lora/gguf-adapter.ts';
import { loraScaling } from '../../../src/engine/models/parameters.ts';
import { tinyModel } from '../../support/tiny-model.ts';

const model = await tinyModel();
/** All values of a tensor. */
async function readGgufTensor(file: GgufFile, name: string): Promise<Float32Array> {
  const values: number[] = [];
  for await (const piece of tensorPieces(file.tensors.get(name)!)) values.push(...piece);
  return Float32Array.from(values);
}

const written = async (folder: string) => {
  const adapter = await loadAdapter(folder, model);
  const path = join(await mkdtemp(join(tmpdir(), 'nextquill-gguf-')), 'adapter.gguf');
  await saveGgufAdapter(path, model, adapter);
  return { adapter, file: await openGguf(path) };
};

describe('a GGUF adapter', () => {
  it('says what it is, and has A and B of every layer by GGUF’s names', async () => {
    const { adapter, file } = await written('tests/golden/tiny-llama/adapter');
    expect(Object.fromEntries(file.metadata)).toEqual({
      'general.type': 'adapter',
      'general.architecture': 'llama',
      'adapter.type': 'lora',
      'adapter.lora.alpha': 8,
    });
    expect(file.tensors.size).toBe(Object.keys(adapter.tensors).length);
    const down = 'base_model.model.model.layers.1.mlp.down_proj';
    for (const part of ['A', 'B'] as const) {
      const { data, shape } = adapter.tensors[`${down}.lora_${part}.weight`]!;
      const name = `blk.1.ffn_down.weight.lora_${part.toLowerCase()}`;
      expect(file.tensors.get(name)!.shape).toEqual(shape);
      expect(await readGgufTensor(file, name)).toEqual(data);
    }
  });

  it('has the rows of queries and keys interleaved, values and A as they are', async () => {
    const { adapter, file } = await written('tests/golden/tiny-llama/adapter');
    const name = 'base_model.model.model.layers.0.self_attn';
    const { rank } = adapter.lora;
    const b = adapter.tensors[`${name}.q_proj.lora_B.weight`]!.data;
    const found = await readGgufTensor(file, 'blk.0.attn_q.weight.lora_b');
    // Heads of 8 rows: llama.cpp rotates rows 2i and 2i + 1 together, Hugging Face i and i + 4.
    const row = (values: Float32Array, r: number) => [...values.slice(r * rank, (r + 1) * rank)];
    for (const [theirs, ours] of [
      [0, 0],
      [1, 4],
      [2, 1],
      [7, 7],
      [8, 8],
      [9, 12],
    ] as const)
      expect(row(found, theirs)).toEqual(row(b, ours));
    const same = [
      ['attn_q.weight.lora_a', 'q_proj.lora_A'],
      ['attn_v.weight.lora_b', 'v_proj.lora_B'],
      ['attn_output.weight.lora_b', 'o_proj.lora_B'],
    ] as const;
    for (const [theirs, ours] of same)
      expect(await readGgufTensor(file, `blk.0.${theirs}`)).toEqual(
        adapter.tensors[`${name}.${ours}.weight`]!.data,
      );
  });

  it('holds rank-stabilised scaling and adapters of several ranks in alpha', async () => {
    for (const name of ['ranks', 'head']) {
      const { adapter, file } = await written(`tests/golden/peft-patterns/${name}`);
      const { rank } = adapter.lora;
      expect(file.metadata.get('adapter.lora.alpha')).toBeCloseTo(loraScaling(adapter.lora) * rank, 6);
      expect(file.tensors.get('blk.0.attn_q.weight.lora_a')!.shape[0]).toBe(rank);
    }
    const { file } = await written('tests/golden/peft-patterns/head');
    expect(file.tensors.get('output.weight.lora_b')!.shape).toEqual([61, 2]);
  });

  it('is refused for an architecture that GGUF has no name for', async () => {
    const adapter = await loadAdapter('tests/golden/tiny-llama/adapter', model);
    const other = { ...model, config: { ...model.config, modelType: 'mamba' } };
    await expect(saveGgufAdapter('never.gguf', other, adapter)).rejects.toThrow('got mamba');
  });
});

it('interleaving rows is what reading a GGUF file undoes', () => {
  const values = Float32Array.from({ length: 24 * 3 }, (_, i) => i);
  const interleaved = interleaveHalves(values, 24, 3);
  expect(interleaved).not.toEqual(values);
  const { rowsPerGroup, apply } = interleavedHalves([24, 3], 3);
  const heads = [0, 1, 2].map((head) =>
    apply(interleaved.slice(head * rowsPerGroup * 3, (head + 1) * rowsPerGroup * 3)),
  );
  expect(heads.flatMap((rows) => [...rows])).toEqual([...values]);
});
