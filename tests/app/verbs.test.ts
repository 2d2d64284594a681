/** @file One way in: what `open` gives is all that the verbs need, and a run opens as it was trained. */
import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Opened, open } from '../../src/app/open/open.ts';
import {
  audit,
  effects,
  evaluate,
  explain,
  generate,
  itemEffects,
  refute,
  train,
} from '../../src/app/verbs.ts';
import { writeExamples } from '../../src/method/data/jsonl.ts';
import { simulate } from '../../src/method/simulation/simulate.ts';
import { writeModelFolder } from '../support/model-folder.ts';
import { writtenUsers } from '../support/written-users.ts';

let home: string;
let model: Opened;
const settings = { threads: 1, seed: 3 };

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'nextquill-verbs-'));
  await writeModelFolder(join(home, 'model'));
  model = await open(join(home, 'model'), { cacheFolder: join(home, 'cache') });
});

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('the verbs', () => {
  it('take what open gives, and nothing else', async () => {
    const [first] = writtenUsers;
    const rows = await listOf(effects(model, [first!], settings));
    expect(rows.at(-1)!.example).toBe(first!.id);
    expect((await listOf(itemEffects(model, [first!], { ...settings, subsets: 2 })))[0]!.items.length).toBe(
      first!.history.length,
    );
    const map = await explain(model, first!, settings);
    expect([map.model, map.tokens.length]).toEqual([model.name, rows.length]);
    const { system } = await evaluate(model, writtenUsers, { ...settings, modelName: 'mine' });
    expect(system.name).toBe('mine');
    const result = await audit(model, writtenUsers, { ...settings, maps: 0 });
    expect(result.effects.userSpecific.value).toEqual(expect.any(Number));
    const { tests } = await refute(model, writtenUsers, { ...settings, others: 2 });
    expect(tests.length).toBeGreaterThan(0);
    const texts = await listOf(generate(model, writtenUsers.slice(0, 2), { ...settings, maxNewTokens: 2 }));
    expect(new Set(texts.map(({ example }) => example))).toEqual(new Set([0, 1]));
  });

  it('let given settings of the prompt override the model’s, one by one', async () => {
    const [first] = writtenUsers;
    const [row] = await listOf(effects(model, [first!], { ...settings, prompt: { maxHistory: 0 } }));
    expect(row!.effectLogRatio).toBe(0);
  });

  it('train, and a run opens as its model with its adapter and prompt settings', async () => {
    const out = join(home, 'run');
    const events = train(model, writtenUsers, {
      objective: 'sft',
      lora: { rank: 2, loraAlpha: 4 },
      maxSteps: 1,
      prompt: { maxHistory: 2 },
      out,
      threads: 1,
    });
    let next = await events.next();
    while (next.done !== true) next = await events.next();
    expect(next.value.adapter).toBe(join(out, 'adapter'));
    const cacheFolder = join(home, 'cache');
    const run = await open(out, { cacheFolder });
    expect(run.prompt.maxHistory).toBe(2);
    const adapter = await open(join(out, 'adapter'), { cacheFolder });
    const beside = await open(join(home, 'model'), { adapter: join(out, 'adapter'), cacheFolder });
    for (const other of [adapter, beside]) {
      expect(other.prompt).toEqual(run.prompt);
      expect(other.adapter).toEqual(run.adapter);
      expect(other.source).toBe(join(home, 'model'));
    }
    await expect(
      train(run, writtenUsers, { objective: 'sft', out: join(home, 'again') }).next(),
    ).rejects.toMatchObject({ code: 'training/adapter' });
  });

  it('score over a base of 4 bits', async () => {
    const quantised = await open(join(home, 'model'), { baseBits: 4, cacheFolder: join(home, 'cache') });
    const rowsOf = async (subject: Opened) => listOf(effects(subject, writtenUsers.slice(0, 1), settings));
    const [coarse, exact] = [await rowsOf(quantised), await rowsOf(model)];
    expect(coarse).toHaveLength(exact.length);
    expect(coarse[0]!.logProbWithHistory).not.toBe(exact[0]!.logProbWithHistory);
  });

  it('write and score with integer products, over 8 bits, say so, and do not train with them', async () => {
    const cacheFolder = join(home, 'cache');
    const integer = await open(join(home, 'model'), { products: 'int8', cacheFolder });
    expect([integer.baseBits, integer.model.quantised?.products]).toEqual([8, 'int8']);
    const tokens = await listOf(generate(integer, writtenUsers[0]!, { ...settings, maxNewTokens: 3 }));
    expect(tokens.length).toBeGreaterThan(0);
    const mapOf = (subject: Opened) => explain(subject, writtenUsers[0]!, settings);
    expect((await mapOf(integer)).meta?.products).toBe('int8');
    expect((await mapOf(model)).meta).not.toHaveProperty('products');
    await expect(
      train(integer, writtenUsers, { objective: 'sft', out: join(home, 'integer') }).next(),
    ).rejects.toMatchObject({ code: 'config/products' });
    await expect(
      open(join(home, 'model'), { products: 'int9' as 'int8', cacheFolder }),
    ).rejects.toMatchObject({
      code: 'config/products',
    });
    await expect(
      open(join(home, 'model'), { products: 'int8', device: 'webgpu', cacheFolder }),
    ).rejects.toMatchObject({ code: 'config/products' });
  });
});

describe('examples/audit.ts', () => {
  it('audits a file of examples and prints C with its interval', async () => {
    const data = join(home, 'users.jsonl');
    await writeExamples(data, simulate({ users: 8, seed: 77, historyItems: 2 }));
    const script = resolve(import.meta.dirname, '../../examples/audit.ts');
    const words = ['--import', import.meta.resolve('tsx'), script, data];
    const { stdout } = await promisify(execFile)(process.execPath, words, { cwd: home });
    expect(stdout).toMatch(/^8 texts of 8 users$/m);
    const [, value, low, high] = /C = (-?[\d.]+) \[(-?[\d.]+), (-?[\d.]+)\]/.exec(stdout)!.map(Number);
    expect(low!).toBeLessThanOrEqual(value!);
    expect(value!).toBeLessThanOrEqual(high!);
    expect(low!).toBeLessThan(high!);
  });
});
