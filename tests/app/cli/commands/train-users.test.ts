/** @file `nextquill train --per-user`: killed, resumed, and the adapter of a user scored by the user's name. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { UsersSummary } from '../../../../src/method/runs/train-users.ts';
import { runCli } from '../../../support/run-cli.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-train-users-'));
const cli = (...words: string[]) => runCli(words, { cwd: home });
await cli('simulate', '--users', '3', '--history-items', '3', '--out', 'u.jsonl');
const words = [
  ...['train', '--model', 'embedded', '--data', 'u.jsonl', '--per-user', 'history'],
  ...['--objective', 'sft-no-history', '--lora-rank', '1', '--batch-size', '1', '--out', 'runs/each'],
  ...['--epochs', '2', 'training.gradientAccumulation=1', '--threads', '1', '--json'],
];
const users = ['s1u000000', 's1u000001', 's1u000002'];
const weightsOf = (user: string) => join(home, 'runs/each/users', user, 'adapter/adapter_model.safetensors');

describe('one adapter for each user', () => {
  it('is resumed after a kill without another look at finished users, and scored by the user’s name', async () => {
    let watch: NodeJS.Timeout | undefined;
    const killed = await runCli(words, {
      cwd: home,
      onStart: (child) => {
        watch = setInterval(() => {
          // The second user begins when the first one's run has ended.
          if (existsSync(join(home, 'runs/each/users', users[1]!))) child.kill('SIGKILL');
        }, 5);
      },
    });
    clearInterval(watch);
    expect(killed.code).toBeNull();
    expect(existsSync(weightsOf(users[2]!))).toBe(false);
    const { mtimeMs } = statSync(weightsOf(users[0]!));

    const early = await cli(
      'evaluate',
      '--model',
      'embedded',
      '--data',
      'u.jsonl',
      '--adapter',
      `runs/each/users/${users[2]}`,
    );
    expect([early.code, early.stderr]).toEqual([2, expect.stringContaining('--resume')]);
    const part = await cli('train', '--resume', `runs/each/users/${users[0]}`);
    expect([part.code, part.stderr]).toEqual([2, expect.stringContaining('share one base')]);

    const resumed = await cli('train', '--resume', 'runs/each', '--threads', '1', '--json');
    expect(resumed.stderr).toContain('3 users');
    expect(resumed.code).toBe(0);
    const summary = JSON.parse(resumed.stdout) as UsersSummary;
    expect(summary.adapters.map(({ user, steps }) => [user, steps])).toEqual(users.map((user) => [user, 6]));
    expect(statSync(weightsOf(users[0]!)).mtimeMs).toBe(mtimeMs);
    expect((await readdir(join(home, 'runs/each/users'))).sort()).toEqual(users);
    expect(new Set(users.map((user) => readFileSync(weightsOf(user), 'base64'))).size).toBe(3);

    const scored = await cli(
      ...['evaluate', '--model', 'embedded', '--data', 'u.jsonl', '--adapter', `runs/each/users/${users[1]}`],
      ...['--others', '1', '--json'],
    );
    expect(scored.code).toBe(0);
    const which = await cli('evaluate', '--model', 'embedded', '--data', 'u.jsonl', '--adapter', 'runs/each');
    expect([which.code, which.stderr]).toEqual([2, expect.stringContaining(join('users', 'USER'))]);
  });
});
