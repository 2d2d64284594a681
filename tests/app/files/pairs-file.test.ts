/** @file Pairs as Parquet: rows come back as they were, the first one's ids are checked, and Python reads them where there is one. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { idsHash, type PairRow, writePairs } from '../../../src/app/files/pairs-file.ts';
import { runCli } from '../../support/run-cli.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-pairs-'));
const python = process.env.NEXTQUILL_PYTHON;
if (python === undefined) console.warn('NOT RUN: pyarrow reads pairs. NEXTQUILL_PYTHON names no Python.');

const info = {
  formatVersion: 1,
  nextquill: '1',
  model: 'tiny',
  modelHash: 'm',
  tokenizerHash: 't',
  template: 'default',
  objective: 'sft',
  objectiveOptions: {},
} as const;
const row = (example: string, length: number): PairRow => ({
  example,
  user: 'abc',
  with: [3, 4, 5],
  without: [5],
  response: Array.from({ length }, (_, t) => 7 + t),
  hasHistory: example === 'a',
  weights: Array.from({ length }, () => Math.fround(1 / length)),
  effectLogRatio: Array.from({ length }, (_, t) => t / 2),
  copied: Array.from({ length }, (_, t) => t % 2 === 1),
});

async function contentOf(path: string) {
  const bytes = await readFile(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const { key_value_metadata: keys = [] } = parquetMetadata(file);
  const told = keys.find(({ key }) => key === 'nextquill')!.value!;
  return {
    rows: (await parquetReadObjects({ file })) as unknown as PairRow[],
    info: JSON.parse(told) as typeof info & { firstIdsHash: string },
  };
}

describe('a file of pairs', () => {
  const rows = [row('a', 2), row('b', 3)];

  it('has its rows, how they were made, and the hash of the first row’s ids', async () => {
    const path = join(home, 'pairs.parquet');
    await writePairs(path, rows, info);
    const content = await contentOf(path);
    expect(content.rows).toEqual(rows);
    expect(content.info).toEqual({ ...info, firstIdsHash: idsHash(rows[0]!) });
  });

  it.skipIf(python === undefined)('is read by pyarrow as lists of numbers', async () => {
    const path = join(home, 'python.parquet');
    await writePairs(path, rows, info);
    const program =
      'import json, sys, pyarrow.parquet as p; t = p.read_table(sys.argv[1]); print(json.dumps([t.to_pylist(), str(t.schema.field("with").type)]))';
    const [found, type] = JSON.parse(execFileSync(python!, ['-c', program, path], { encoding: 'utf8' })) as [
      PairRow[],
      string,
    ];
    expect(found).toEqual(rows);
    expect(type).toMatch(/^list<element: int32/);
  });

  it('is not written without rows, or under another name', async () => {
    await expect(writePairs(join(home, 'x.parquet'), [], info)).rejects.toMatchObject({
      code: 'data/no-examples',
    });
    await expect(writePairs(join(home, 'x.csv'), rows, info)).rejects.toMatchObject({ code: 'usage/out' });
  });
});

it('export-pairs writes one for the training rows, texts only when asked for', async () => {
  const words = ['export-pairs', '--model', 'embedded', '--data', 'sotu', '--max-examples', '2', '--json'];
  const plain = await runCli([...words, '--out', 'p.parquet', '--with-texts'], { cwd: home });
  expect([plain.code, JSON.parse(plain.stdout)]).toEqual([
    0,
    { out: 'p.parquet', rows: 2, data: 'sotu', objective: 'nextquill', otherLosses: ['calibration'] },
  ]);
  const { rows, info: told } = await contentOf(join(home, 'p.parquet'));
  expect(told).toMatchObject({ objective: 'sft', objectiveOptions: { calibrationWeight: 0.3 } });
  for (const { weights, response, query, effectLogRatio } of rows) {
    for (const weight of weights) expect(weight).toBeCloseTo(1 / response.length, 6);
    expect([weights.length, effectLogRatio.length]).toEqual([response.length, response.length]);
    expect(query!.length).toBeGreaterThan(0);
  }
});

it('export-pairs writes the weights of an objective with its options, and what is copied where it asks', async () => {
  const words = ['export-pairs', '--model', 'embedded', '--data', 'sotu', '--max-examples', '2', '--json'];
  const options = ['plainWeight=0.8', 'copyDiscount=1'].flatMap((option) => ['--objective-option', option]);
  const made = await runCli([...words, '--out', 'w.parquet', '--objective', 'perce', ...options], {
    cwd: home,
  });
  expect([made.code, JSON.parse(made.stdout).otherLosses]).toEqual([0, []]);
  const { rows, info: told } = await contentOf(join(home, 'w.parquet'));
  expect(told).toMatchObject({ objective: 'perce', objectiveOptions: { plainWeight: 0.8, copyDiscount: 1 } });
  for (const { weights, response, copied, query } of rows) {
    expect(copied!.length).toBe(response.length);
    // The plain share of the fit is in every weight.
    expect(Math.min(...weights)).toBeGreaterThan(0.8 / response.length);
    expect(weights.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    expect(query).toBeUndefined();
  }
  const wrong = await runCli([...words, '--out', 'x.parquet', '--objective-option', 'plainWeight=0.8'], {
    cwd: home,
  });
  const said = JSON.parse(wrong.stderr.trim().split('\n').at(-1)!);
  expect([wrong.code, said.error.code]).toEqual([2, 'objective/option']);
});
