/** @file Kills commands at random moments: what they were writing must be whole or absent, and a second try gives the same. */
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sha256 } from '../../src/base/hash.ts';
import { randomStream } from '../../src/base/random.ts';

const program = resolve(import.meta.dirname, '../../dist/app/cli/main.js');

/** A command that writes below `out`, in words; the words are the same every time. */
export interface KilledCommand {
  readonly name: string;
  readonly words: (out: string) => readonly string[];
  /** Names below `out` of which a kill may leave a part: logs that later runs read up to the first torn line. */
  readonly mayBeTorn?: readonly string[];
}

/** What the kills did. */
export interface KillReport {
  /** Kills that fell while the command ran. */
  readonly kills: number;
  /** Of these, after the result was in place, or before. */
  readonly whole: number;
  readonly absent: number;
  /** One line for each result that was neither, or that a second try made differently. */
  readonly faults: readonly string[];
}

/** Runs to the end, or to a kill. @returns whether it ended by itself, and how long it took */
async function run(
  words: readonly string[],
  cwd: string,
  killAfterMs?: number,
): Promise<{ ended: boolean; ms: number }> {
  const start = performance.now();
  const env = { ...process.env, NEXTQUILL_CACHE: join(cwd, 'cache') };
  const child = spawn(process.execPath, [program, ...words], {
    cwd,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => {
    stderr += data;
  });
  const end = new Promise<{ code: number | null; signal: string | null }>((done) =>
    child.on('close', (code, signal) => done({ code, signal })),
  );
  const stop = new AbortController();
  if (killAfterMs !== undefined)
    sleep(killAfterMs, undefined, { signal: stop.signal }).then(
      () => child.kill('SIGKILL'),
      () => {},
    );
  const { code, signal } = await end;
  stop.abort();
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`${words.join(' ')}: exit ${code}\n${stderr}`);
  return { ended: signal !== 'SIGKILL', ms: performance.now() - start };
}

/** Hashes of the files below a folder by name, without temporary ones. */
async function contentsOf(folder: string, left: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  for (const name of names.sort()) {
    if (name.split('/').some((part) => part.endsWith('.tmp')) || left.includes(name)) continue;
    const path = join(folder, name);
    if ((await stat(path)).isFile()) found.set(name, sha256(await readFile(path)));
  }
  return found;
}

/**
 * Runs a command once to its end, then kills it `count` times, each at a random moment of that time, and lets it finish.
 * @param home a folder of its own; data that the words name lie there
 */
export async function killReport(
  command: KilledCommand,
  home: string,
  count: number,
  seed: number,
): Promise<KillReport> {
  const random = randomStream(seed, `kill/${command.name}`);
  const torn = command.mayBeTorn ?? [];
  const out = join(home, 'out');
  const fresh = async () => {
    await rm(out, { recursive: true, force: true });
    await mkdir(out);
  };
  await fresh();
  const { ms } = await run(command.words(out), home);
  const expected = await contentsOf(out, torn);
  const faults: string[] = [];
  let [kills, whole, absent] = [0, 0, 0];
  for (let kill = 0; kill < count; kill++) {
    await fresh();
    const after = Math.round(ms * (0.2 + 0.9 * random.next()));
    if (!(await run(command.words(out), home, after)).ended) kills++;
    const left = await contentsOf(out, torn);
    for (const [name, hash] of left)
      if (expected.get(name) !== hash)
        faults.push(`${command.name}, kill ${kill} after ${after} ms: ${name} is a part`);
    if (left.size === expected.size) whole++;
    else absent++;
    await run([...command.words(out), '--force'], home);
    const again = await contentsOf(out, torn);
    for (const [name, hash] of expected)
      if (again.get(name) !== hash)
        faults.push(`${command.name}, kill ${kill} after ${after} ms: ${name} differs after`);
  }
  return { kills, whole, absent, faults };
}
