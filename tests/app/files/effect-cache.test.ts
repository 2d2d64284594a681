/** @file Effects kept as Parquet: found again to the bit, refused under another tokenizer, computed again when damaged. */
import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { beforeEach, describe, expect, it } from 'vitest';
import { effectCache } from '../../../src/app/files/effect-cache.ts';
import { randomStream } from '../../../src/base/random.ts';
import type { Model } from '../../../src/engine/models/model.ts';
import { promptOf } from '../../../src/method/prompts/collate.ts';
import { bookKeeper } from '../../../src/method/scoring/effect-cache.ts';
import { pairKey, promptKey } from '../../../src/method/scoring/score-keeper.ts';
import { createScorer, keptScorer } from '../../../src/method/scoring/scorer.ts';
import { mutateBytes } from '../../support/mutations.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';

const model = await tinyModel();
const pairs = randomPairs(4, 5);
const prompts = pairs.map(({ withHistoryIds, responseIds }) => ({ promptIds: withHistoryIds, responseIds }));
let folder: string;
let warnings: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-effects-'));
  warnings = [];
});

async function scores(of: Model = model, some = pairs) {
  const cache = effectCache({ folder, onWarning: (message) => warnings.push(message) });
  await using scorer = createScorer({ model: of }, { threads: 1, cache });
  return { effects: await scorer.effects(some), single: await scorer.logProbabilities(prompts) };
}

const book = async () => join(folder, (await readdir(folder))[0]!);

/** Runs that must not be asked for. */
const asleep = {
  effects: () => {
    throw new Error('asked');
  },
  logProbabilities: () => {
    throw new Error('asked');
  },
  [Symbol.asyncDispose]: async () => {},
};

describe('the cache of effects', () => {
  it('gives back every number to the bit, without a pass', async () => {
    const first = await scores();
    const [file] = await readdir(folder);
    const system = { key: file!.split('.')[0]!, tokenizerHash: model.tokenizer.hash };
    await using scorer = keptScorer(asleep, bookKeeper(effectCache({ folder }), system));
    expect({ effects: await scorer.effects(pairs), single: await scorer.logProbabilities(prompts) }).toEqual(
      first,
    );
  });

  it('computes what is missing only, and keeps both', async () => {
    await scores(model, pairs.slice(0, 2));
    const all = await scores();
    await using plain = createScorer({ model }, { threads: 1 });
    const expected = await plain.effects(pairs.slice(2));
    expect(all.effects.slice(2)).toEqual(expected);
    const rows = await rowsOf(await book());
    const told = pairs.flatMap((pair) => [promptOf(pair), promptOf(pair, 'withoutHistoryIds')]);
    expect(new Set(rows.map(({ key }) => key))).toEqual(
      new Set([...pairs.map(pairKey), ...[...told, ...prompts].map(promptKey)]),
    );
  });

  // Was written for everybody to read.
  it.skipIf(process.platform === 'win32')('is readable for its user alone', async () => {
    await scores(model, pairs.slice(0, 1));
    expect((await stat(await book())).mode & 0o777).toBe(0o600);
  });

  it('holds token ids, and no text', async () => {
    await scores();
    const rows = await rowsOf(await book());
    const [first] = rows;
    expect(Object.keys(first!).slice(0, 3)).toEqual(['key', 'position', 'tokenId']);
    expect(rows.map(({ tokenId }) => tokenId)).toEqual(
      expect.arrayContaining(pairs.flatMap(({ responseIds }) => responseIds)),
    );
  });

  it('has a book for each model', async () => {
    await scores();
    await scores(await tinyModel('tiny-llama-tied'));
    expect(await readdir(folder)).toHaveLength(2);
  });

  it.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
    ['empty', () => Buffer.alloc(0)],
    ['of other numbers', (bytes: Buffer) => flipped(bytes)],
  ])('says that a book is damaged when it is %s, and computes it again', async (_, damage) => {
    const first = await scores();
    const path = await book();
    await writeFile(path, damage(await readFile(path)));
    expect(await scores()).toEqual(first);
    expect(warnings.join()).toMatch(/damaged .* computed again/);
    warnings = [];
    await scores();
    expect(warnings).toEqual([]);
  });

  // One changed byte ended the process, or was parsed for ever.
  it('parses no byte of a damaged book, whatever was changed', async () => {
    const first = await scores(model, pairs.slice(0, 1));
    const path = await book();
    const bytes = await readFile(path);
    const [key = ''] = path.slice(folder.length + 1).split('.');
    const system = { key, tokenizerHash: model.tokenizer.hash };
    for (let mutant = 0; mutant < 100; mutant++) {
      const changed = mutateBytes(bytes, randomStream(mutant, 'effect-cache'));
      await writeFile(path, changed);
      warnings = [];
      const known = await effectCache({ folder, onWarning: (message) => warnings.push(message) }).read(
        system,
      );
      const isChanged = !bytes.equals(changed);
      expect([known.size > 0, warnings.length]).toEqual(isChanged ? [false, 1] : [true, 0]);
    }
    expect(await scores(model, pairs.slice(0, 1))).toEqual(first);
    expect(await readdir(folder)).toHaveLength(1);
  });

  // The last of two that wrote at once took the other's away.
  it('keeps what several add at the same time', async () => {
    const system = { key: 'one', tokenizerHash: 'ids-only' };
    const entry = (id: number) => ({ tokenIds: [id], values: { weight: Float32Array.of(id) } });
    const keys = ['a', 'b', 'c', 'd'];
    await Promise.all(
      keys.map((key, id) => effectCache({ folder }).add(system, new Map([[key, entry(id)]]))),
    );
    const known = await effectCache({ folder }).read(system);
    expect([...known.keys()].sort()).toEqual(keys);
    await effectCache({ folder }).add(system, new Map([['e', entry(4)]]));
    expect(await readdir(folder)).toHaveLength(1);
    expect((await effectCache({ folder }).read(system)).size).toBe(5);
  });

  it('refuses a book of another tokenizer', async () => {
    await scores();
    const system = { key: (await readdir(folder))[0]!.split('.')[0]!, tokenizerHash: 'another' };
    await expect(effectCache({ folder }).read(system)).rejects.toMatchObject({
      code: 'cache/tokenizer',
      message: expect.stringContaining('another'),
    });
  });

  it('refuses scores of other tokens than those asked for', async () => {
    await scores();
    const system = { key: (await readdir(folder))[0]!.split('.')[0]!, tokenizerHash: 'ids-only' };
    const known = await effectCache({ folder }).read(system);
    const shifted = new Map(
      [...known].map(([key, { tokenIds, values }]) => [
        key,
        { tokenIds: tokenIds.map((id) => id + 1), values },
      ]),
    );
    const cache = { read: async () => shifted, add: async () => {} };
    await using scorer = keptScorer(asleep, bookKeeper(cache, system));
    await expect(scorer.effects(pairs)).rejects.toMatchObject({ code: 'cache/tokens' });
  });
});

async function rowsOf(path: string): Promise<Record<string, unknown>[]> {
  const bytes = await readFile(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  return parquetReadObjects({ file });
}

/** One bit of the first column's data changed: still Parquet, no longer what was written. */
function flipped(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  changed[Math.floor(changed.length / 3)]! ^= 1;
  return changed;
}
