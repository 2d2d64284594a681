/** @file Opening model folders of other architectures, with names as their files have them. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
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

// google/gemma-3-1b-it's own tokenizer has one token more than the model has rows, and was refused.
it('an added token without a row is no obstacle; a template that names an undefined token is told', async () => {
  const folder = join(home, 'more-tokens');
  await writeModelFolder(folder);
  const file = join(folder, 'tokenizer.json');
  const json = JSON.parse(await readFile(file, 'utf8'));
  json.added_tokens.push({ id: 1200, content: '<image_soft_token>', special: true, normalized: false });
  await writeFile(file, JSON.stringify(json));
  const template = '{% for m in messages %}{{ bos_token }}{{ m.content }}<|end|>{% endfor %}';
  await writeFile(join(folder, 'chat_template.jinja'), template);
  const warnings: string[] = [];
  const { tokenizer, config } = await loadModel(folder, home, { onWarning: (text) => warnings.push(text) });
  expect([tokenizer.vocabularySize, config.vocabularySize]).toEqual([1201, 1200]);
  expect(Math.max(...tokenizer.encode('<image_soft_token>').ids)).toBeLessThan(1200);
  expect(() => tokenizer.encodeTemplate('<image_soft_token>')).toThrow('id 1200');
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain('bos_token');
});
