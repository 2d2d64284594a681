/** @file Commands as text for a shell: what somebody else starts, such as a cluster. */
import type { WorkerCommand } from './worker-process.ts';

/** A word as sh reads it again. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** A command on one line, its variables before it. */
export function shellLine({ file, args, env }: WorkerCommand): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${shellWord(value)}`);
  return [...variables, ...[file, ...args].map(shellWord)].join(' ');
}
