/** @file Exports: a merged model loads and computes what base and adapter did, and places that are taken stay as they are. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportModel } from '../../../src/app/files/export-model.ts';
import { ConfigError } from '../../../src/base/errors.ts';
import { openGguf } from '../../../src/engine/gguf/open-gguf.ts';
import { loadAdapter, saveAdapter } from '../../../src/engine/lora/adapter-folder.ts';
import { adapterShapes } from '../../../src/engine/lora/layers.ts';
import { loadModel, type Model } from '../../../src/engine/models/model.ts';
import { loraParameters } from '../../../src/engine/models/parameters.ts';
import { largestDifference } from '../../support/engine.ts';
import { logitsOf } from '../../support/logits.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { runCli } from '../../support/run-cli.ts';

/** W + scaling·B·A rounded once, against two products added in f32; logits of this model reach 10. */
const TOLERANCE = 1e-4;
const ids = [5, 17, 42, 3, 60, 8, 8, 21];
const lora = { rank: 2, loraAlpha: 4, targetModules: ['q_proj', 'down_proj'] };
let home: string;
let source: string;
let adapter: string;
let model: Model;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'nextquill-export-'));
  source = join(home, 'model');
  adapter = join(home, 'adapter');
  await writeModelFolder(source);
  model = await loadModel(source);
  const tensors = adapterShapes(model, lora).map(({ name, shape }, n) => {
    const data = Float32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => Math.sin(n + i) / 8);
    return [name, { shape, data }] as const;
  });
  const info = { modelHash: model.hash, tokenizerHash: model.tokenizer.hash, note: 'kept' };
  await saveAdapter(adapter, { lora, tensors: Object.fromEntries(tensors) }, { baseModel: 'x', info });
});
afterAll(() => rm(home, { recursive: true }));

describe('export', () => {
  it('merges an adapter into weights that load and compute the same, with what was known of it', async () => {
    const out = join(home, 'merged');
    const result = await exportModel(source, { adapter, out, format: 'merged' });
    expect(result.files).toContain(join(out, 'model.safetensors'));
    expect(result.bytes).toBeGreaterThan(200_000);
    const { tensors } = await loadAdapter(adapter, model);
    const unmerged = await logitsOf(model, ids, loraParameters(lora), tensors);
    const merged = await logitsOf(await loadModel(out), ids);
    expect(largestDifference(merged, unmerged)).toBeLessThan(TOLERANCE);
    expect(largestDifference(await logitsOf(model, ids), unmerged)).toBeGreaterThan(100 * TOLERANCE);
    expect(JSON.parse(await readFile(join(out, 'nextquill.json'), 'utf8'))).toMatchObject({ note: 'kept' });
  });

  it('writes a PEFT folder and a GGUF adapter of the same matrices', async () => {
    const peft = join(home, 'peft');
    const gguf = join(home, 'adapter.gguf');
    await exportModel(source, { adapter, out: peft, format: 'peft' });
    const [ours, again] = [await loadAdapter(adapter, model), await loadAdapter(peft, model)];
    expect({ ...again, warnings: [] }).toEqual({ ...ours, warnings: [] });
    await exportModel(source, { adapter, out: gguf, format: 'gguf-lora' });
    expect((await openGguf(gguf)).tensors.size).toBe(2 * 2 * 2);
  });

  it('needs an adapter where one is to be written, and leaves a place that is taken', async () => {
    const out = join(home, 'never.gguf');
    await expect(exportModel(source, { out, format: 'gguf-lora' })).rejects.toThrow(ConfigError);
    await expect(exportModel(source, { out: source, format: 'merged' })).rejects.toMatchObject({
      code: 'file/exists',
    });
    expect(await readdir(source)).toContain('tokenizer.json');
  });
});

describe('nextquill export', () => {
  it('writes shards of the size and dtype asked for, and refuses a size that is none', async () => {
    const run = (words: string) => runCli(words.split(' '), { cwd: home });
    const done = await run(
      'export --model model --adapter adapter --out b --dtype bf16 --max-shard-size 50KB --json',
    );
    expect(done.code).toBe(0);
    const { files } = JSON.parse(done.stdout) as { files: string[] };
    expect(files.filter((file) => /model-0000\d-of-0000\d\.safetensors$/.test(file)).length).toBeGreaterThan(
      1,
    );
    const { parameters, weights } = await loadModel(join(home, 'b'));
    expect(parameters.map(({ name }) => name)).toEqual(model.parameters.map(({ name }) => name));
    expect(weights.tensors.size).toBeGreaterThanOrEqual(parameters.length);
    const refused = await run('export --model model --out c --max-shard-size big');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('--max-shard-size: expected a size such as 500MB');
  });
});
