/** @file A small file system for a test: a private mount, as root or in a user namespace of its own; gone with the process. */
import { execFileSync, spawnSync } from 'node:child_process';

/**
 * Runs shell commands that may mount; undefined where this machine permits no mounts, which is said aloud.
 * @param what was not run then, such as `a store on a full tmpfs`
 */
export function privateMount(what: string): ((shell: string) => void) | undefined {
  const own = ['-m', '-rm'].find(
    (flags) =>
      spawnSync('unshare', [flags, 'sh', '-c', 'mount -t tmpfs none /mnt'], { stdio: 'ignore' }).status === 0,
  );
  if (own === undefined) {
    console.warn(`NOT RUN: ${what}. This machine permits no mounts.`);
    return undefined;
  }
  return (shell) => {
    execFileSync('unshare', [own, 'sh', '-c', shell], { stdio: ['ignore', 'inherit', 'inherit'] });
  };
}
