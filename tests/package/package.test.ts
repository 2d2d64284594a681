/**
 * @file The package as others get it: its types under strict settings, and a fresh project that installs the tarball.
 * The second needs the registry: it runs when NEXTQUILL_PACK=1, and says so when it does not.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const tsc = join(root, 'node_modules/typescript/bin/tsc');

/** Runs a program; what it says is in the error when it fails. */
async function run(program: string, words: readonly string[], cwd: string): Promise<string> {
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip', NEXTQUILL_CACHE: join(cwd, 'cache') };
  try {
    return (await promisify(execFile)(program, words, { cwd, env, maxBuffer: 1 << 26 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${program} ${words.join(' ')}\n${stdout}\n${stderr}`);
  }
}

const settings = {
  compilerOptions: {
    strict: true,
    module: 'nodenext',
    moduleResolution: 'nodenext',
    target: 'es2022',
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  },
  include: ['main.ts'],
};
// Without @types/node: the entry named types of node:http and of pino, and had no AsyncDisposable for an older target.
const servingSettings = { extends: './tsconfig.json', include: ['serving.ts'] };

const program = `
import { audit, effects, open, readExamples, type Example } from 'nextquill';
const model = await open('embedded');
const examples: Example[] = await readExamples('sotu');
for await (const row of effects(model, examples)) row.effectLogRatio satisfies number;
const low: number = (await audit(model, examples)).effects.userSpecific.low;
// @ts-expect-error a name is a text: types that did not resolve would be any
const name: number = model.name;
console.log(low, name);
`;

const serving = `
import { createServer, nextquill, open, openStore, type NextQuillAnswer } from 'nextquill/server';
const store = await openStore();
store.putUser('u1', {});
store.addItems('u1', [{ query: 'One', text: 'Two three' }]);
const server = await createServer({ model: await open('embedded'), store, port: 0, auth: false });
const response = await fetch(server.url + '/chat/completions', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    model: 'embedded',
    messages: [{ role: 'user', content: 'One' }],
    max_tokens: 4,
    ...nextquill({ user: 'u1', strength: 1.5 }),
  }),
});
const answer: { nextquill: NextQuillAnswer } = await response.json();
// @ts-expect-error a text: types that did not resolve would be any
const items: string = answer.nextquill.historyItems;
console.log(items.length, answer.nextquill.strength);
await server.close();
`;

async function project(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nextquill-package-'));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true }));
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(settings));
  await writeFile(join(folder, 'main.ts'), program);
  await writeFile(join(folder, 'serving.ts'), serving);
  await writeFile(join(folder, 'serving.json'), JSON.stringify(servingSettings));
  return folder;
}

// "Cannot find name 'AsyncDisposable'" in every project whose target has no such library.
it('compiles for a strict project of an older target that checks libraries too', async () => {
  const folder = await project();
  await mkdir(join(folder, 'node_modules'));
  await symlink(root, join(folder, 'node_modules/nextquill'));
  await run(process.execPath, [tsc, '-p', folder], folder);
  await run(process.execPath, [tsc, '-p', join(folder, 'serving.json')], folder);
});

const isAsked = process.env.NEXTQUILL_PACK === '1';
if (!isAsked)
  process.stderr.write(
    'skipped: installing the tarball, publint, types for every resolver: NEXTQUILL_PACK=1\n',
  );

describe.runIf(isAsked)('the tarball', () => {
  it('installs in a fresh project, compiles there, and runs the quickstart', {
    timeout: 1_800_000,
  }, async () => {
    const folder = await project();
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], root);
    const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
    await run('npm', ['install', `./${tarball}`, '@types/node@20.19.0', '--no-audit', '--no-fund'], folder);
    await run(process.execPath, [tsc, '-p', folder], folder);
    expect(await run('npx', ['nextquill', '--version'], folder)).toMatch(/^\d+\.\d+\.\d+\n$/);
    const emit = ['--noEmit', 'false', '--outDir', 'out'];
    await run(process.execPath, [tsc, '-p', 'serving.json', ...emit], folder);
    expect(await run(process.execPath, ['out/serving.js'], folder)).toBe('1 1.5\n');
    const words = ['nextquill', 'quickstart', '--json', '--quiet', '--offline', '--out', 'quick'];
    const { systems, report } = JSON.parse(await run('npx', words, folder)) as {
      systems: { name: string }[];
      report: string;
    };
    expect(systems.map(({ name }) => name)).toEqual(['base', 'sft', 'nextquill']);
    expect(await readdir(join(folder, 'quick'))).toContain(report.split('/').at(-1));
    await run('npx', ['-y', 'publint@0.3.25', `./${tarball}`, '--strict'], folder);
    await run('npx', ['-y', '@arethetypeswrong/cli@0.18', '--profile', 'esm-only', `./${tarball}`], folder);
  });
});
