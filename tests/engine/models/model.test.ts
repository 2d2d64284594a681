/** @file Opening model folders of other architectures, with names as their files have them. */
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { blockModules } from '../../../src/engine/lora/layers.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import { openSafetensors, readTensor, writeSafetensors } from '../../../src/engine/weights/safetensors.ts';
import { logitsOf } from '../../support/logits.ts';
import { writeModelFolder } from '../../support/model-folder.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-architectures-'));
const gpt2 = { model_type: 'gpt2', n_embd: 16, n_layer: 2, n_head: 2, n_positions: 32 };
const ids = [5, 17, 32, 3, 40];

it('a GPT-2 whose names lack "transformer." is the same model', async () => {
  const [whole, short] = [join(home, 'whole'), join(home, 'short')];
  for (const folder of [whole, short]) await writeModelFolder(folder, 0, gpt2);
  const file = await openSafetensors(join(short, 'model.safetensors'));
  const tensors = await Promise.all(
    [...file.tensors.values()].map(async ({ name, shape }) => ({
      name: name.replace(/^transformer\./, ''),
      dtype: 'F32' as const,
      shape,
      data: await readTensor(file, name),
    })),
  );
  // OpenAI's files hold the causal mask too, which is no parameter.
  tensors.push({ name: 'h.0.attn.bias', dtype: 'F32', shape: [1], data: new Float32Array(1) });
  await writeSafetensors(join(short, 'model.safetensors'), tensors, { format: 'pt' });
  expect(await readFile(join(short, 'model.safetensors'))).not.toEqual(
    await readFile(join(whole, 'model.safetensors')),
  );

  const [theirs, ours] = [await loadModel(whole, home), await loadModel(short, home)];
  expect((await logitsOf(ours, ids)).data).toEqual((await logitsOf(theirs, ids)).data);
});

it('an adapter changes the linear layers of the blocks by default, whatever they are called', async () => {
  const folder = join(home, 'default');
  await writeModelFolder(folder, 0, { ...gpt2, tie_word_embeddings: false });
  expect(blockModules(await loadModel(folder, home))).toEqual(['c_attn', 'c_proj', 'c_fc']);
});
