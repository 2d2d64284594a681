/** @file `--embeddings`: a file decides which items `dense` shows, and has no effect beside another retrieval. */
import { writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { simulate } from '../../../../src/method/simulation/simulate.ts';
import { runCli } from '../../../support/run-cli.ts';

const cwd = await mkdtemp(join(tmpdir(), 'nextquill-evaluate-embeddings-'));
const rows = simulate({ users: 3, seed: 31, historyItems: 2 });
const lines = (values: readonly unknown[]) => `${values.map((value) => JSON.stringify(value)).join('\n')}\n`;
writeFileSync(join(cwd, 'users.jsonl'), lines(rows));
// The latest item is the nearest one, so that dense shows what latest does.
const embeddings = rows.flatMap(({ query, history }) => [
  { text: query, embedding: [1, 0] },
  ...history.map((item, i) => ({ text: `${item.query} ${item.text}`, embedding: [i, 1] })),
]);
writeFileSync(join(cwd, 'latest.jsonl'), lines(embeddings));
const words = [
  'evaluate',
  '--model',
  'embedded',
  '--data',
  'users.jsonl',
  '--others',
  '1',
  '--max-history',
  '1',
];
const run = (...more: string[]) => runCli([...words, '--json', '--quiet', ...more], { cwd });

it('--embeddings decides what dense shows', async () => {
  const dense = await run('--retrieval', 'dense', '--embeddings', 'latest.jsonl');
  expect(dense.code, dense.stderr).toBe(0);
  const latest = await run();
  expect(JSON.parse(dense.stdout)).toEqual(JSON.parse(latest.stdout));
  const idle = await run('--embeddings', 'latest.jsonl');
  expect(idle.code).toBe(2);
  expect(idle.stderr).toContain('--retrieval dense');
});
