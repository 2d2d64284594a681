/** @file Runs the built command line as users do: a process of its own, its streams and its exit code. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const program = resolve(import.meta.dirname, '../../dist/app/cli/main.js');

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called once with the process, to signal it or close its streams. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** Runs `nextquill` with some words to its end. */
export async function runCli(
  words: readonly string[],
  { cwd, env, onStart }: CliOptions,
): Promise<CliResult> {
  if (!existsSync(program)) throw new Error(`${program} is not built: run npm run build`);
  const child = spawn(process.execPath, [program, ...words], {
    cwd,
    env: { ...process.env, NEXTQUILL_CACHE: resolve(cwd, 'cache'), FORCE_COLOR: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => {
    stdout += data;
  });
  child.stderr.on('data', (data: Buffer) => {
    stderr += data;
  });
  onStart?.(child);
  const code = await new Promise<number | null>((done) => child.on('close', done));
  return { code, stdout, stderr };
}
