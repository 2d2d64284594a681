/** @file What the words after `nextquill train` describe: flags, overrides, and both over a recipe file. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Session } from '../../../src/app/cli/command.ts';
import { helpText, parseArguments } from '../../../src/app/cli/program.ts';
import { specOf, type TrainFlags } from '../../../src/app/cli/train-flags.ts';

const session = { options: {} } as Session;
const base: TrainFlags = { model: 'embedded', data: 'sotu', out: 'runs/a' };
const recipe = join(await mkdtemp(join(tmpdir(), 'nextquill-flags-')), 'r.yaml');
await writeFile(recipe, 'model: embedded\ndata: sotu\nobjective: sft\nout: runs/a\nfull: true\n');

it('flags stand for keys of the recipe', async () => {
  const spec = await specOf(
    [],
    {
      ...base,
      learningRate: 1e-3,
      epochs: 2,
      batchSize: 8,
      maxSteps: 9,
      checkpointEvery: 5,
      evalEvery: 3,
      keepBest: true,
      loraRank: 4,
      loraAlpha: 16,
      loraTargets: ['q_proj', 'v_proj'],
    },
    session,
  );
  expect(spec.settings).toEqual({
    learningRate: 1e-3,
    epochs: 2,
    batchSize: 8,
    maxSteps: 9,
    checkpointEvery: 5,
    evalEvery: 3,
    keepBest: true,
    lora: { rank: 4, loraAlpha: 16, targetModules: ['q_proj', 'v_proj'] },
  });
});

it('without an objective the default one is trained, and without LoRA all weights', async () => {
  const { settings } = await specOf([], base, session);
  expect(settings).toEqual({});
});

it('overrides work without a recipe file, alone too', async () => {
  const words = ['model=embedded', 'data=sotu', 'out=runs/a', 'training.learningRate=1e-4', 'lora.rank=2'];
  const { model, settings } = await specOf(words, {}, session);
  expect(model).toBe('embedded');
  expect(settings).toEqual({ learningRate: 1e-4, lora: { rank: 2, loraAlpha: 4 } });
});

it('overrides go before flags, and flags before the recipe; a LoRA flag takes the place of full', async () => {
  const flags = { epochs: 2, batchSize: 2, loraTargets: ['q_proj'] };
  const { settings } = await specOf([recipe, 'training.epochs=3'], flags, session);
  expect(settings).toEqual({
    objective: 'sft',
    epochs: 3,
    batchSize: 2,
    lora: { rank: 16, loraAlpha: 32, targetModules: ['q_proj'] },
  });
});

it('what is missing or wrong is named as it was typed', async () => {
  await expect(specOf([], { model: 'embedded' }, session)).rejects.toMatchObject({
    code: 'usage/missing-flag',
  });
  await expect(specOf([], { ...base, learningRate: 0 }, session)).rejects.toMatchObject({
    code: 'recipe/value',
    message: expect.stringMatching(/^--learning-rate: training\.learningRate: /),
  });
  await expect(specOf(['threads=1000000'], base, session)).rejects.toMatchObject({ code: 'config/threads' });
  await expect(parseArguments(['train', '--threads', '1000000'], '0')).rejects.toMatchObject({
    code: 'config/threads',
  });
});

it('help lists every objective and every option of one', async () => {
  const text = await helpText('train', '0');
  for (const word of ['nextquill-paper', 'perce', 'plainWeight', '--lora-targets', '--learning-rate'])
    expect(text).toContain(word);
});

it('the device is a key of the recipe, under the flag', async () => {
  expect((await specOf([recipe], {}, session)).device).toBeUndefined();
  expect((await specOf([recipe, 'compute.device=auto'], {}, session)).device).toBe('auto');
  const flagged = { options: { device: 'webgpu' } } as Session;
  expect((await specOf([recipe], {}, flagged)).device).toBe('webgpu');
  await expect(specOf([recipe, 'compute.device=gpu'], {}, session)).rejects.toMatchObject({
    name: 'ConfigError',
  });
});
