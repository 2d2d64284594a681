/**
 * @file Kills every command that writes, at random moments, and reports results that are neither whole nor absent.
 *
 * Run: npm run build && npx tsx scripts/kill-commands.ts [COUNT] [SEED] [COMMAND]
 * COUNT kills each, 10 by default. Training has tests of its own (tests/method/runs/kill.test.ts).
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeExamples } from '../src/method/data/jsonl.ts';
import { simulate } from '../src/method/simulation/simulate.ts';
import { type KilledCommand, killReport } from '../tests/support/kill-commands.ts';

const [count = '10', seed = '1', only] = process.argv.slice(2);

const home = await mkdtemp(join(tmpdir(), 'nextquill-kill-'));
const data = join(home, 'users.jsonl');
const examples = simulate({ users: 6, seed: 5, historyItems: 2 });
await writeExamples(data, examples);
const given = ['--model', 'embedded', '--data', data, '--threads', '1'];

const commands: readonly KilledCommand[] = [
  {
    name: 'simulate',
    words: (out) => ['simulate', '--users', '2000', '--out', join(out, 'users.jsonl.gz')],
  },
  { name: 'effects', words: (out) => ['effects', ...given, '--out', join(out, 'rows.jsonl')] },
  { name: 'effects-parquet', words: (out) => ['effects', ...given, '--out', join(out, 'rows.parquet')] },
  {
    name: 'explain',
    words: (out) => ['explain', ...given, '--example', examples[0]!.id, '--out', join(out, 'map.html')],
  },
  {
    name: 'audit',
    words: (out) => ['audit', ...given, '--maps', '0', '--out', join(out, 'audit')],
    mayBeTorn: ['audit/scores.jsonl'],
  },
  {
    name: 'export',
    words: (out) => ['export', '--model', 'embedded', '--dtype', 'f16', '--out', join(out, 'merged')],
  },
];

for (const command of commands) {
  if (only !== undefined && command.name !== only) continue;
  const { kills, whole, absent, faults } = await killReport(command, home, Number(count), Number(seed));
  console.log(`${command.name}: ${kills} kills, ${whole} whole, ${absent} absent, ${faults.length} faults`);
  for (const fault of faults) console.log(`  ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
}
