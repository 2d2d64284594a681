/** @file `--engine torch` on the command line: by a stand-in of Python, and on a machine that has none. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { fakePython } from '../../support/fake-torch.ts';
import { runCli } from '../../support/run-cli.ts';

const cwd = await mkdtemp(join(tmpdir(), 'nextquill-engine-'));
const node = process.execPath;
// Only Node is found there.
const noPython = { PATH: join(node, '..'), NEXTQUILL_PYTHON: '' };
const withFake = { NEXTQUILL_PYTHON: fakePython };
const torch = ['--engine', 'torch'];
const train = (out: string, ...more: string[]) => [
  ...[
    'train',
    '--model',
    'embedded',
    '--data',
    'sotu',
    '--lora-rank',
    '2',
    '--max-steps',
    '40',
    '--out',
    out,
  ],
  ...['training.batchSize=1', 'training.gradientAccumulation=1', ...more],
];
const effects = ['effects', '--model', 'embedded', '--data', 'sotu', '--max-examples', '1', '--json'];

describe('--engine torch', () => {
  it('without Python says the one command, writes nothing, and everything else works', async () => {
    const refused = await runCli([...train('run-none'), ...torch], { cwd, env: noPython });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('nextquill setup torch');
    expect(existsSync(join(cwd, 'run-none'))).toBe(false);
    expect((await runCli(effects, { cwd, env: noPython })).code).toBe(0);
  });

  it('scores rows as the engine here does, by what the worker says', async () => {
    const { code, stdout } = await runCli([...effects, ...torch], { cwd, env: withFake });
    expect(code).toBe(0);
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { effectLogRatio: number });
    expect(rows.length).toBeGreaterThan(20);
    expect(rows[0]!.effectLogRatio).toBeCloseTo(0.5, 5);
  });

  it('stops by Ctrl-C with a checkpoint and exit code 130, and continues on the same engine', async () => {
    const words = [...train('run-a'), ...torch, '--json'];
    const env = { ...withFake, FAKE_WORKER: JSON.stringify({ stepMilliseconds: 150 }) };
    const stopped = await runCli(words, {
      cwd,
      env,
      onStart: async (child) => {
        while (!existsSync(join(cwd, 'run-a/steps.jsonl'))) await sleep(50);
        while ((await readFile(join(cwd, 'run-a/steps.jsonl'), 'utf8')) === '') await sleep(50);
        child.kill('SIGINT');
      },
    });
    expect([stopped.code, stopped.stderr]).toEqual([130, expect.stringContaining('train --resume')]);
    const resumed = await runCli(['train', '--resume', 'run-a', '--json'], { cwd, env: withFake });
    expect(resumed.code).toBe(0);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ steps: 40 });
    const manifest = JSON.parse(await readFile(join(cwd, 'run-a/manifest.json'), 'utf8')) as {
      machine: { engine: string };
    };
    expect(manifest.machine.engine).toBe('torch');
  });

  it('has flags that mean nothing without it, and a device that only it has', async () => {
    for (const words of [
      ['--processes', '2'],
      ['--device', 'mps'],
    ]) {
      const { code, stderr } = await runCli([...effects, ...words], { cwd, env: withFake });
      expect([code, stderr]).toEqual([2, expect.stringMatching(/usage\/engine|config\/device/)]);
    }
    const webgpu = await runCli([...effects, ...torch, '--device', 'webgpu'], { cwd, env: withFake });
    expect([webgpu.code, webgpu.stderr]).toEqual([2, expect.stringContaining('config/device')]);
  });

  it('is told of by doctor, and setup says what it would do', async () => {
    const { stdout } = await runCli(['doctor', '--json'], { cwd, env: withFake });
    expect(JSON.parse(stdout)).toMatchObject({
      torch: { executable: fakePython, place: 'NEXTQUILL_PYTHON', versions: { torch: '0-fake' } },
    });
    const none = JSON.parse((await runCli(['doctor', '--json'], { cwd, env: noPython })).stdout) as object;
    expect('torch' in none).toBe(false);
    const setup = await runCli(['setup', 'torch', '--backend', 'tpu', '--json'], { cwd, env: noPython });
    expect([setup.code, setup.stderr]).toEqual([2, expect.stringContaining('setup/backend')]);
  });
});
