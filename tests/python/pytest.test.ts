/** @file The tests of python/ run where NEXTQUILL_PYTHON names a Python that has them (python/pyproject.toml, extra `test`). */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const python = process.env.NEXTQUILL_PYTHON;
if (!python)
  console.warn(
    'NOT RUN: the tests of the worker on PyTorch. Set NEXTQUILL_PYTHON to a Python with torch, transformers, peft, trl and pytest.',
  );

describe.skipIf(!python)('the worker on PyTorch', () => {
  it('passes its own tests', { timeout: 900_000 }, () => {
    const { status, stdout, stderr } = spawnSync(python!, ['-m', 'pytest', '-q', '-p', 'no:cacheprovider'], {
      cwd: resolve(import.meta.dirname, '../../python'),
      encoding: 'utf8',
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    });
    expect(`${stdout}\n${stderr}`).toContain(' passed');
    expect([status, stdout.slice(-3000)]).toEqual([0, expect.stringContaining(' passed')]);
  });
});
