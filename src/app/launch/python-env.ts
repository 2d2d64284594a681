/** @file The Python that PyTorch runs in: which one it is, what it can do, and what to say where there is none. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { defaultCacheFolder } from '../../base/cache-folder.ts';
import { ConfigError } from '../../base/errors.ts';
import { exists } from '../../base/exists.ts';
import { workerEnvironment } from './torchrun.ts';

/** The environment that `nextquill setup torch` makes, and its Python. */
export const torchEnvironmentFolder = (): string => join(defaultCacheFolder(), 'torch');
export const pythonOf = (environment: string): string =>
  process.platform === 'win32'
    ? join(environment, 'Scripts', 'python.exe')
    : join(environment, 'bin', 'python');

/** Where a Python was named. */
export type PythonPlace = '--python' | 'NEXTQUILL_PYTHON' | 'setup' | 'PATH';

/** A Python, before it is asked what it has. */
export interface FoundPython {
  readonly executable: string;
  readonly place: PythonPlace;
}

/** What `python -m nextquill_torch doctor` says. */
export interface TorchReport {
  /** Of what is installed, `python`, `torch` and `nextquillTorch` among them. */
  readonly versions: Readonly<Record<string, string>>;
  /** Names of devices, the best first; cpu is always one. */
  readonly devices: readonly string[];
  /** What the devices are. */
  readonly hardware: readonly { readonly device: string; readonly name: string }[];
  readonly [more: string]: unknown;
}

/** Versions of what computes, as manifests record them. */
export function torchVersions({ versions }: TorchReport): Record<string, string> {
  const names = ['torch', 'transformers', 'peft', 'nextquillTorch'];
  return Object.fromEntries(Object.entries(versions).filter(([name]) => names.includes(name)));
}

/** A Python with what it said of itself. */
export interface TorchPython extends FoundPython {
  readonly report: TorchReport;
}

/** Importing torch and transformers takes long on a slow disk. */
const DOCTOR_MILLISECONDS = 120_000;

const run = promisify(execFile);

/**
 * The Python that is used: the one that is named, else that of `setup`, else `python3` where it has torch.
 * @returns undefined where there is none
 */
export async function findPython(
  named?: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<FoundPython | undefined> {
  if (named !== undefined) return { executable: named, place: '--python' };
  if (env.NEXTQUILL_PYTHON) return { executable: env.NEXTQUILL_PYTHON, place: 'NEXTQUILL_PYTHON' };
  const made = pythonOf(torchEnvironmentFolder());
  if (await exists(made)) return { executable: made, place: 'setup' };
  const program =
    'import importlib.util as u, sys; sys.exit(not all(u.find_spec(n) for n in ("torch", "safetensors", "transformers", "peft")))';
  return run('python3', ['-c', program]).then(
    () => ({ executable: 'python3', place: 'PATH' }) as const,
    () => undefined,
  );
}

/**
 * The Python for `--engine torch`, asked what it has.
 * @param named by `--python`
 * @throws {ConfigError} `engine/no-python` where there is none, `engine/python` where it does not work
 */
export async function torchPython(named?: string, signal?: AbortSignal): Promise<TorchPython> {
  const found = await findPython(named);
  if (found === undefined)
    throw new ConfigError('engine torch: expected a Python with PyTorch, got none', {
      code: 'engine/no-python',
      hint: 'Run "nextquill setup torch", which says first what it would install; or name a Python that has it by --python or NEXTQUILL_PYTHON.',
    });
  return { ...found, report: await torchReport(found, signal) };
}

/** The Python of somebody else's machine, which cannot be asked: `python3` where none is named. */
export async function otherPython(named?: string): Promise<TorchPython> {
  const found = (await findPython(named)) ?? ({ executable: 'python3', place: 'PATH' } as const);
  return {
    ...found,
    report: { versions: {}, devices: ['cuda'], hardware: [] },
  };
}

/** What a Python says of PyTorch. @throws {ConfigError} `engine/python` when it does not start, or lacks a package */
export async function torchReport(
  { executable, place }: FoundPython,
  signal?: AbortSignal,
): Promise<TorchReport> {
  const fail = (got: string, cause: unknown) =>
    new ConfigError(`${place}: ${executable}: expected a Python with torch and safetensors, got ${got}`, {
      code: 'engine/python',
      hint:
        place === 'setup'
          ? 'Run "nextquill setup torch --force" to make the environment anew.'
          : 'Install torch, safetensors, transformers and peft in it, or run "nextquill setup torch" and name none.',
      cause,
    });
  const options = {
    timeout: DOCTOR_MILLISECONDS,
    env: { ...process.env, ...workerEnvironment() },
    ...(signal && { signal }),
  };
  const { stdout } = await run(executable, ['-m', 'nextquill_torch', 'doctor'], options).catch(
    (cause: NodeJS.ErrnoException & { stderr?: string }) => {
      if (signal?.aborted) signal.throwIfAborted();
      const last = (cause.stderr ?? '').trim().split('\n').at(-1);
      throw fail(cause.code === 'ENOENT' ? 'no such program' : last || cause.message.split('\n')[0]!, cause);
    },
  );
  try {
    const report = JSON.parse(stdout.slice(stdout.indexOf('{'))) as TorchReport;
    if (typeof report.versions?.torch !== 'string' || typeof report.devices?.[0] !== 'string')
      throw new Error('expected a version of torch and a device');
    return report;
  } catch (cause) {
    throw fail(`an answer that is none: ${stdout.slice(0, 80).trim()}`, cause);
  }
}
