/** @file Whether a process of this machine is alive, by its id. */

/** A process of another user is alive and refuses the question. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
