/** @file Audits of a tiny model: the numbers of evaluate and effects, a stop and a second start, and what must be refused. */
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, ConfigError, DataError } from '../../../src/base/errors.ts';
import { loadModel } from '../../../src/engine/models/model.ts';
import { type AuditOptions, audit } from '../../../src/method/audit/audit.ts';
import type { AuditResult } from '../../../src/method/audit/results.ts';
import type { Example } from '../../../src/method/data/example.ts';
import { evaluate } from '../../../src/method/evaluation/evaluate.ts';
import { defaultPromptSettings } from '../../../src/method/prompts/pair.ts';
import type { ScoredModel } from '../../../src/method/scoring/scored-model.ts';
import { writeModelFolder } from '../../support/model-folder.ts';
import { newUser, writtenUsers } from '../../support/written-users.ts';

/** f32 sums over rows of other lengths. */
const DIGITS = 5;

const prompt = defaultPromptSettings(1024);
const options: AuditOptions = { prompt, modelName: 'tiny', threads: 1, maps: 0, resamples: 100 };
/** Six texts of the first user and two of the second. */
const examples: readonly Example[] = [
  ...writtenUsers,
  ...[0, 0, 0, 0, 0, 1].map((u, i) => ({
    ...writtenUsers[u]!,
    id: `later-${i}`,
    time: '2021-05-06',
    response: `${writtenUsers[u]!.response}${' Again.'.repeat(i + 1)}`,
    domain: 'mugs',
  })),
];
let folder: string;
let scored: ScoredModel;
/** The audit of all examples that most tests look at. */
let result: AuditResult;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nextquill-audit-'));
  await writeModelFolder(folder);
  scored = { model: await loadModel(folder, join(folder, 'cache')) };
  result = await audit(scored, examples, options);
}, 60_000);
afterAll(() => rm(folder, { recursive: true }));

describe('an audit', () => {
  it('has the A, B and C of evaluate, and the intervals', async () => {
    const { historyEffect } = await evaluate('tiny', scored, examples, {
      prompt,
      threads: 1,
      others: 3,
      bootstrap: { resamples: 100 },
    });
    for (const name of ['total', 'generic', 'userSpecific'] as const)
      for (const end of ['value', 'low', 'high'] as const)
        expect(result.effects[name][end]).toBeCloseTo(historyEffect[name][end], DIGITS);
    expect(result).toMatchObject({ users: 4, texts: 10, others: 3, leftOut: { withoutHistory: 0 } });
  });

  it('lists every user by C, with an interval only where there are enough texts', () => {
    const { byUser } = result;
    const sizes = byUser.map(({ userSpecific }) => userSpecific.value);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    for (const { name, texts, userSpecific } of byUser) {
      expect(texts).toBe(name === 'u0' ? 6 : name === 'u1' ? 2 : 1);
      expect(userSpecific.low < userSpecific.high).toBe(texts >= 5);
    }
  });

  it('splits by domain what names one', () => {
    const { byDomain } = result;
    expect(byDomain.map(({ name, texts, users }) => ({ name, texts, users }))).toEqual([
      { name: 'mugs', texts: 6, users: 2 },
    ]);
  });

  it('has a dose curve that begins at 0, ends at A, and adds up', () => {
    const { dose, effects } = result;
    expect(dose.map(({ items, texts }) => [items, texts])).toEqual([
      [0, 10],
      [1, 10],
      [2, 10],
    ]);
    expect(dose[0]!.effect).toEqual({ value: 0, low: 0, high: 0 });
    expect(dose.at(-1)!.effect.value).toBeCloseTo(effects.total.value, DIGITS);
    const added = dose.reduce((sum, point) => sum + (point.added?.value ?? 0), 0);
    expect(added).toBeCloseTo(effects.total.value, DIGITS);
  });

  it('tests every token against others’ histories, unless there is only one', async () => {
    const { where, tokens } = result;
    expect(where.personal).toMatchObject({ tokens, nullSize: 3 * tokens, level: 0.05 });
    expect(where.thirds.map(({ name }) => name)).toEqual(['first third', 'middle third', 'last third']);
    const one = await audit(scored, examples, { ...options, others: 1 });
    expect(one.where.personal).toBeUndefined();
  });

  it('draws the most and the least personal texts with their items', async () => {
    const { maps, byUser } = await audit(scored, writtenUsers, { ...options, maps: 2, subsets: 2 });
    expect(maps.most.map(({ user }) => user)).toEqual([byUser[0]!.name]);
    expect(maps.least.map(({ user }) => user)).toEqual([byUser.at(-1)!.name]);
    expect(maps.most[0]!.items).toHaveLength(2);
  });

  it('counts what it leaves out', async () => {
    const long = { ...writtenUsers[1]!, id: 'long', response: 'x '.repeat(2000) };
    const { leftOut, texts } = await audit(scored, [newUser, ...writtenUsers, long], options);
    expect({ leftOut, texts }).toEqual({
      leftOut: {
        withoutHistory: 1,
        historyDoesNotFit: 0,
        othersDoNotFit: 0,
        tooLong: 1,
        first: { withoutHistory: newUser.id, tooLong: 'long' },
      },
      texts: 4,
    });
    const kettles = [{ id: 'l', query: '', text: 'kettle '.repeat(1100) }];
    const pool = writtenUsers.map((example) => ({ ...example, history: kettles }));
    const alone = audit(scored, writtenUsers, { ...options, pool });
    await expect(alone).rejects.toThrow('expected another user’s history of which an item fits');
    const beside = { ...writtenUsers[0]!, id: 'beside', query: 'so '.repeat(700) };
    const lamps = [{ id: 'w', query: '', text: 'lamp '.repeat(150) }];
    const wide = writtenUsers.slice(1).map((example) => ({ ...example, history: lamps }));
    const some = await audit(scored, [writtenUsers[0]!, beside], { ...options, pool: wide, maps: 0 });
    expect(some).toMatchObject({ texts: 1, leftOut: { historyDoesNotFit: 0, othersDoNotFit: 1 } });
  });

  it('is the same document for the same seed, and survives JSON', async () => {
    const again = await audit(scored, examples, options);
    expect(JSON.parse(JSON.stringify(result))).toEqual(again);
  });
});

describe('a stopped audit', () => {
  it('goes on where it was, past a line that a kill cut off, and ends with the same numbers', async () => {
    const store = join(folder, 'scores.jsonl');
    const first = await audit(scored, examples, { ...options, store });
    expect(first).toEqual(result);
    const lines = (await readFile(store, 'utf8')).split('\n');
    await writeFile(store, lines.slice(0, 9).join('\n'));
    await appendFile(store, '\n["0123');
    expect(await audit(scored, examples, { ...options, store })).toEqual(result);
    expect((await readFile(store, 'utf8')).split('\n').length).toBeLessThanOrEqual(lines.length + 1);
  });

  it('computes nothing twice for one model, and everything for another', async () => {
    const store = join(folder, 'again.jsonl');
    await audit(scored, examples, { ...options, store });
    const kept = await readFile(store, 'utf8');
    await audit(scored, examples, { ...options, store });
    expect(await readFile(store, 'utf8')).toBe(kept);
    const other = { model: { ...scored.model, hash: 'other' } };
    await audit(other, examples, { ...options, store });
    expect((await readFile(store, 'utf8')).length).toBeGreaterThan(1.9 * kept.length);
    // Scores are base64, which may hold "u0" by chance: a user would stand in quotes of its own.
    expect(kept).not.toMatch(/mug|kettle|"u0"/);
  });

  it('stops when told to', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(audit(scored, examples, { ...options, signal })).rejects.toThrow(AbortedError);
  });
});

describe('what an audit refuses', () => {
  it('is the reference value placebo, no history at all, and a single user', async () => {
    const placebo = { ...options, prompt: { ...prompt, reference: 'placebo' as const } };
    await expect(audit(scored, examples, placebo)).rejects.toThrow(ConfigError);
    await expect(audit(scored, [newUser], options)).rejects.toThrow('1 without a history');
    await expect(audit(scored, writtenUsers.slice(0, 1), options)).rejects.toThrow(DataError);
  });
});
