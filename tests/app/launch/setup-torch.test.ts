/** @file The environment of PyTorch: what is said first, and what is run, by stand-ins of uv and Python; nothing is downloaded. */
import { chmod, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPython, pythonOf, torchPython } from '../../../src/app/launch/python-env.ts';
import { planSetup, planText, setUpTorch } from '../../../src/app/launch/setup-torch.ts';
import { exists } from '../../../src/base/exists.ts';
import { fakePython, misbehaving } from '../../support/fake-torch.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-setup-'));
const { PATH, NEXTQUILL_CACHE, NEXTQUILL_PYTHON } = process.env;
const bin = join(home, 'bin');
await mkdir(bin);
const log = join(home, 'uv.log');

/** A program of the stand-in, by its lines in sh. */
async function program(name: string, text: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
  await chmod(join(bin, name), 0o755);
}

beforeEach(async () => {
  process.env.NEXTQUILL_CACHE = await mkdtemp(join(home, 'cache-'));
  process.env.PATH = `${bin}:/bin:/usr/bin`;
  delete process.env.NEXTQUILL_PYTHON;
  await program('uv', 'exit 1');
  await program('python3', 'exit 1');
});
afterEach(() => {
  Object.assign(process.env, { PATH, ...(NEXTQUILL_CACHE && { NEXTQUILL_CACHE }) });
  if (NEXTQUILL_CACHE === undefined) delete process.env.NEXTQUILL_CACHE;
  if (NEXTQUILL_PYTHON !== undefined) process.env.NEXTQUILL_PYTHON = NEXTQUILL_PYTHON;
});

const uvWorks = () =>
  program(
    'uv',
    `echo "$@" >> ${log}
if [ "$1" = venv ]; then for last; do :; done; mkdir -p "$last/bin"; ln -s ${fakePython} "$last/bin/python"; fi
echo resolved`,
  );

describe('setup torch', () => {
  it('says what it would do, and how large it is, and does nothing by that', async () => {
    await uvWorks();
    const plan = await planSetup({ backend: 'cpu' });
    expect(plan.tool).toBe('uv');
    expect(plan.steps.map(({ args }) => args[0])).toEqual(['venv', 'pip']);
    expect(plan.steps[1]!.args).toContain('--torch-backend=cpu');
    expect(planText(plan)).toContain('1.6 GB');
    expect(await exists(plan.folder)).toBe(false);
  });

  it('makes an environment by uv, which is then found and works', async () => {
    await uvWorks();
    const plan = await planSetup();
    const lines: string[] = [];
    await setUpTorch(plan, { onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['resolved', 'resolved']);
    expect(await readFile(log, 'utf8')).toContain(`pip install --python ${pythonOf(plan.folder)}`);
    expect(await findPython()).toEqual({ executable: pythonOf(plan.folder), place: 'setup' });
    expect((await torchPython()).report.versions.torch).toBe('0-fake');
    await expect(planSetup()).rejects.toMatchObject({ code: 'setup/exists' });
    expect((await planSetup({ force: true })).folder).toBe(plan.folder);
  });

  it('takes venv and pip where there is no uv, with the wheels of the backend', async () => {
    await program('python3', 'exit 0');
    const plan = await planSetup({ backend: 'cu130' });
    expect(plan.tool).toBe('venv');
    expect(plan.steps.map(({ args }) => args.at(-1))).toEqual([
      plan.folder,
      'https://download.pytorch.org/whl/cu130',
      expect.stringMatching(/python\[hf\]$/),
    ]);
    expect((await planSetup()).steps).toHaveLength(2);
  });

  it('leaves nothing of an environment whose packages could not be installed', async () => {
    await program('uv', 'if [ "$1" = pip ]; then echo "no network" >&2; exit 3; fi; exit 0');
    const plan = await planSetup();
    await expect(setUpTorch(plan, {})).rejects.toMatchObject({
      code: 'setup/failed',
      message: expect.stringContaining('no network'),
    });
    expect(await exists(plan.folder)).toBe(false);
  });

  it('refuses an unknown backend, and a machine without uv and without Python', async () => {
    await expect(planSetup({ backend: 'tpu' })).rejects.toMatchObject({ code: 'setup/backend' });
    await expect(planSetup()).rejects.toMatchObject({ code: 'setup/no-python' });
  });
});

describe('the Python that is used', () => {
  it('is the one that is named, then that of the environment; without one the command is said', async () => {
    expect(await findPython('/a', { NEXTQUILL_PYTHON: '/b' })).toEqual({
      executable: '/a',
      place: '--python',
    });
    expect(await findPython(undefined, { NEXTQUILL_PYTHON: '/b' })).toMatchObject({ executable: '/b' });
    expect(await findPython()).toBeUndefined();
    await expect(torchPython()).rejects.toMatchObject({
      code: 'engine/no-python',
      hint: expect.stringContaining('nextquill setup torch'),
    });
  });

  it('is refused where it does not start, lacks a package, or says something else', async () => {
    await expect(torchPython(join(home, 'none'))).rejects.toMatchObject({ code: 'engine/python' });
    await misbehaving({ noTorch: true }, async () => {
      await expect(torchPython(fakePython)).rejects.toMatchObject({
        code: 'engine/python',
        message: expect.stringContaining("No module named 'torch'"),
      });
    });
    await program('odd', 'echo "{}"');
    await expect(torchPython(join(bin, 'odd'))).rejects.toMatchObject({ code: 'engine/python' });
  });
});
