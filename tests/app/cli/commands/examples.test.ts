/** @file The commands that look and change nothing: ids of examples, and what the machine can do. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MachineReport } from '../../../../src/app/doctor/machine-report.ts';
import { runtimeProviders } from '../../../../src/engine/runtime/version.ts';
import { runInProcess } from '../../../support/run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'nextquill-look-'));
const data = join(folder, 'data.jsonl');
const example = (id: string, user: string) => ({
  id,
  user,
  query: 'q',
  response: `A response of ${user}`,
  history: [{ text: 'earlier' }],
});
const examples = Array.from({ length: 30 }, (_, i) => example(`e${i}`, i % 2 === 0 ? 'ann' : 'bob'));
writeFileSync(data, examples.map((each) => JSON.stringify(each)).join('\n'));

describe('nextquill examples', () => {
  it('prints an object a line with --json, all of them', async () => {
    const { stdout } = await runInProcess(`examples --data ${data} --json`);
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows).toHaveLength(30);
    expect(rows[1]).toEqual({ id: 'e1', user: 'bob', items: 1, query: 'q', response: 'A response of bob' });
  });

  it('takes one user, and a limit', async () => {
    const { stdout } = await runInProcess(`examples --data ${data} --user bob --limit 2 --json`);
    expect(stdout.match(/"id":"e\d+"/g)).toEqual(['"id":"e1"', '"id":"e3"']);
    await expect(runInProcess(`examples --data ${data} --user bo`)).rejects.toMatchObject({
      code: 'data/no-user',
      hint: expect.stringContaining('bob'),
    });
  });

  it('draws a table that says how many more there are', async () => {
    const { stdout } = await runInProcess(`examples --data ${data}`);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1 + 20 + 1);
    expect(stdout).toContain('10 more');
  });
});

describe('nextquill doctor --device', () => {
  it('runs a step there and on the processor', async () => {
    const { selfCheck } = JSON.parse((await runInProcess('doctor --device cpu --json')).stdout);
    expect(selfCheck).toMatchObject({ device: 'cpu', passed: true, loss: selfCheck.cpuLoss });
    expect(selfCheck.gradientNorm).toBe(selfCheck.cpuGradientNorm);
  });

  it.skipIf(runtimeProviders().bundled.includes('cuda'))('refuses one that is not there', async () => {
    await expect(runInProcess('doctor --device cuda')).rejects.toMatchObject({ code: 'engine/device' });
  });

  it('refuses an unknown name, in every command', async () => {
    for (const command of ['doctor', 'train', 'effects'])
      await expect(runInProcess(`${command} --device gpu`)).rejects.toMatchObject({ code: 'usage/name' });
  });
});

describe('nextquill doctor', () => {
  const env = {
    HF_TOKEN: 'hf_secretsecret',
    HTTPS_PROXY: 'http://me:pass@proxy.test:3128',
    NEXTQUILL_PYTHON: '/no/python',
  };

  it('tells what is here, and no secret', async () => {
    const before = { ...process.env };
    Object.assign(process.env, env);
    try {
      const { stdout } = await runInProcess('doctor --json');
      const report = JSON.parse(stdout) as MachineReport;
      expect(report.node).toBe(process.version);
      expect(report.onnxRuntime.providers).toContain('cpu');
      expect(report.embeddedModel.isPresent).toBe(true);
      expect(report.memory.availableBytes).toBeGreaterThan(0);
      expect(report.hub.token).toBe('present');
      expect(report.proxies).toMatchObject({ HTTPS_PROXY: 'http://proxy.test:3128' });
      expect(report.python).toMatchObject({ executable: '/no/python', error: expect.any(String) });
      expect(stdout).not.toMatch(/secretsecret|pass/);
      expect((await runInProcess('doctor')).stdout).toMatch(/^hub token +present$/m);
    } finally {
      for (const name of Object.keys(env)) delete process.env[name];
      Object.assign(process.env, before);
    }
  });
});
