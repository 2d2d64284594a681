/** @file Makes the Python environment of `--engine torch`: what it would do is said first, and nothing is installed unasked. */
import { execFile } from 'node:child_process';
import { readFile, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { topmostMissing } from '../../base/atomic-folder.ts';
import { makeCacheFolder } from '../../base/cache-folder.ts';
import { ConfigError, EngineError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import { pythonOf, torchEnvironmentFolder } from './python-env.ts';
import { pythonFolder } from './torchrun.ts';
import { watchProcess } from './worker-process.ts';

/** What is asked for. */
export interface SetupOptions {
  /** `auto`, `cpu`, or a name of PyTorch's wheels such as `cu130` or `rocm6.4`. */
  readonly backend?: string;
  /** A version such as 3.12, or the path of a Python. */
  readonly python?: string;
  /** Makes an environment that is there anew. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

/** One program to run. */
export interface SetupStep {
  readonly file: string;
  readonly args: readonly string[];
}

/** What a setup would do. */
export interface SetupPlan {
  readonly folder: string;
  readonly backend: string;
  /** What makes the environment. */
  readonly tool: 'uv' | 'venv';
  readonly steps: readonly SetupStep[];
  /** Of all that is installed, roughly. */
  readonly downloadBytes: number;
  readonly diskBytes: number;
}

/** Rough, for Linux; the libraries of the graphics card are most of it. */
const sizes = {
  cpu: { downloadBytes: 0.4e9, diskBytes: 1.6e9 },
  cuda: { downloadBytes: 3e9, diskBytes: 6e9 },
  rocm: { downloadBytes: 5e9, diskBytes: 16e9 },
} as const;

const DEFAULT_PYTHON = '3.12';

/**
 * What a setup would do on this machine; nothing is changed.
 * @throws {ConfigError} without uv and without a Python, for an environment that is there, and without the room for it
 */
export async function planSetup({ backend = 'auto', python, force }: SetupOptions = {}): Promise<SetupPlan> {
  if (!/^(auto|cpu|xpu|cu\d{3}|rocm\d+(\.\d+)*)$/.test(backend))
    throw new ConfigError(
      `--backend: expected auto, cpu, xpu, cu130, rocm6.4 or the like, got "${backend}"`,
      {
        code: 'setup/backend',
        hint: 'Leave --backend out: the graphics driver of this machine says which one fits.',
      },
    );
  const folder = torchEnvironmentFolder();
  if (force !== true && (await exists(pythonOf(folder))))
    throw new ConfigError(`${folder}: expected no environment yet, got one`, {
      code: 'setup/exists',
      hint: 'Use it by --engine torch, or add --force to make it anew.',
    });
  const size = sizes[backend === 'cpu' ? 'cpu' : backend.startsWith('rocm') ? 'rocm' : 'cuda'];
  const free = await freeBytes(folder);
  if (free < size.diskBytes)
    throw new ConfigError(
      `${folder}: expected about ${gigabytes(size.diskBytes)} of room, got ${gigabytes(free)}`,
      {
        code: 'setup/disk',
        hint: 'Free some space, name another place by NEXTQUILL_CACHE, or take --backend cpu.',
      },
    );
  const made = { folder, backend, ...size };
  const environment = pythonOf(folder);
  if (await runs('uv', ['--version']))
    return {
      ...made,
      tool: 'uv',
      steps: [
        { file: 'uv', args: ['venv', '--python', python ?? DEFAULT_PYTHON, folder] },
        {
          file: 'uv',
          args: [
            ...['pip', 'install', '--python', environment, `--torch-backend=${backend}`],
            ...['-r', join(pythonFolder, 'pyproject.toml'), '--extra', 'hf'],
          ],
        },
      ],
    };
  const base = python ?? 'python3';
  if (!(await runs(base, ['-c', 'import venv, sys; sys.exit(sys.version_info < (3, 10))'])))
    throw new ConfigError(`setup torch: expected uv, or a Python of 3.10 or newer with venv, got neither`, {
      code: 'setup/no-python',
      hint: 'Install uv (https://docs.astral.sh/uv), which brings a Python of its own, or name one by --python.',
    });
  const wheels = `https://download.pytorch.org/whl/${backend}`;
  const pip = ['-m', 'pip', 'install'];
  return {
    ...made,
    tool: 'venv',
    steps: [
      { file: base, args: ['-m', 'venv', folder] },
      ...(backend === 'auto'
        ? []
        : [{ file: environment, args: [...pip, await torchRequirement(), '--index-url', wheels] }]),
      { file: environment, args: [...pip, `${pythonFolder}[hf]`] },
    ],
  };
}

/**
 * Makes the environment.
 * @param onLine told what the programs print
 * @throws {EngineError} `setup/failed` when a program fails; what was made is removed
 * @throws {AbortedError} stopped by the signal
 */
export async function setUpTorch(
  { folder, steps }: SetupPlan,
  { signal, onLine = () => {} }: Pick<SetupOptions, 'signal'> & { readonly onLine?: (line: string) => void },
): Promise<void> {
  await makeCacheFolder(dirname(folder));
  await rm(folder, { recursive: true, force: true });
  try {
    for (const { file, args } of steps) {
      const lines = watchProcess({ file, args, env: {} }, { signal, graceSeconds: 0, lastSeconds: 5 });
      let next = await lines.next();
      for (; !next.done; next = await lines.next()) onLine(next.value);
      signal?.throwIfAborted();
      const { code, stderr } = next.value;
      if (code !== 0)
        throw new EngineError(
          `${file} ${args.join(' ')}: expected it to work, got exit code ${code}:\n${stderr.trim().split('\n').slice(-12).join('\n')}`,
          { code: 'setup/failed', hint: 'Put right what it says, then run "nextquill setup torch" again.' },
        );
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** A plan in words, before anything is done. */
export function planText({ folder, backend, tool, downloadBytes, diskBytes, steps }: SetupPlan): string {
  return [
    `environment  ${folder}`,
    `PyTorch for  ${backend === 'auto' ? 'what the graphics driver says' : backend}`,
    `made by      ${tool}`,
    `download     about ${gigabytes(downloadBytes)}, on disk about ${gigabytes(diskBytes)}`,
    ...steps.map(({ file, args }) => `  ${file} ${args.join(' ')}`),
  ].join('\n');
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;

/** Room where a folder is, or will be; all the room of the world where the system does not say. */
async function freeBytes(folder: string): Promise<number> {
  const there = dirname(await topmostMissing(folder));
  return statfs(there).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => Number.POSITIVE_INFINITY,
  );
}

const runs = (file: string, args: readonly string[]): Promise<boolean> =>
  promisify(execFile)(file, args).then(
    () => true,
    () => false,
  );

/** The version of torch that the package asks for. */
async function torchRequirement(): Promise<string> {
  const project = await readFile(join(pythonFolder, 'pyproject.toml'), 'utf8');
  return /"(torch>=[^"]+)"/.exec(project)?.[1] ?? 'torch';
}
