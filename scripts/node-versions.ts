/**
 * @file Runs the tests on every supported line of Node; the npm package `node` brings the binaries.
 *
 * Run: npm run build && npx tsx scripts/node-versions.ts [--all] [VERSION …]
 * By default a fast part on the oldest Node that is supported, 22 and 24: base, sessions, tokenizers, the command line in
 * process, and the embedded model scored by the built program. `--all` runs every test.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

const root = resolve(import.meta.dirname, '..');
const words = process.argv.slice(2);
const versions = words.filter((word) => !word.startsWith('-'));
const FAST = [
  ...[
    'tests/base',
    'tests/engine/runtime',
    'tests/engine/tokenizer/tokenizer.test.ts',
    'tests/method/scoring',
  ],
  ...['tests/app/cli/output-places.test.ts', 'tests/app/cli/commands/examples.test.ts', 'tests/app/files'],
];

/** The program of a version of Node, installed into a folder of its own. */
function nodeOf(version: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'nextquill-node-'));
  const words = ['install', '--prefix', folder, `node@${version}`, '--no-audit', '--no-fund'];
  // The package links its binary by an install script.
  execFileSync('npm', [...words, '--ignore-scripts=false', '--dangerously-allow-all-scripts'], {
    stdio: 'ignore',
  });
  return join(folder, 'node_modules/node/bin/node');
}

for (const version of versions.length > 0 ? versions : ['20.19.0', '22', '24']) {
  const node = nodeOf(version);
  const name = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const tests = words.includes('--all') ? [] : FAST;
  const tested = spawnSync(node, [vitest, 'run', ...tests, '--reporter=dot'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const summary = /Tests .*/.exec(stripVTControlCharacters(tested.stdout))?.[0] ?? tested.stderr.slice(-500);
  const program = join(root, 'dist/app/cli/main.js');
  const effects = [
    'effects',
    '--model',
    'embedded',
    '--data',
    'sotu',
    '--max-examples',
    '1',
    '--json',
    '--quiet',
  ];
  const scored = spawnSync(node, [program, ...effects, '--threads', '1'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const rows = scored.stdout.trimEnd().split('\n').length;
  console.log(`${name}: ${summary.trim()}; nextquill effects: exit ${scored.status}, ${rows} rows`);
  if (tested.status !== 0 || scored.status !== 0) process.exitCode = 1;
}
