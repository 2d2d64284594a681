/** @file Runs that others start: the job of Slurm run by stand-ins of its programs, the printed command, and the shipped files. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { shellWord } from '../../../src/app/launch/shell.ts';
import { slurmScript } from '../../../src/app/launch/slurm.ts';
import { type TorchOptions, torchEngine } from '../../../src/app/launch/torch-train.ts';
import { readManifest } from '../../../src/method/runs/manifest.ts';
import type { TrainEvent } from '../../../src/method/runs/run.ts';
import { resumePairs, trainPairs } from '../../../src/method/runs/train.ts';
import { fakeTorch } from '../../support/fake-torch.ts';
import { randomPairs, tinyModel } from '../../support/tiny-model.ts';
import { allEvents, randomRun } from '../../support/train-runs.ts';

const home = await mkdtemp(join(tmpdir(), 'nextquill-hand-over-'));
const bin = join(home, 'bin');
const model = await tinyModel();
const pairs = randomPairs(24);
const { PATH } = process.env;

/** Programs of Slurm as one machine may play them. */
const programs = {
  sbatch: `[ "$1" = --parsable ] || exit 9
echo "$2" > ${home}/submitted
SLURM_JOB_ID=77 SLURM_NNODES=1 SLURM_JOB_NODELIST=here bash "$2" > ${home}/job.log 2>&1 &
echo "77;cluster"`,
  scontrol: `if [ "$1" = show ]; then echo here; else echo "$@" >> ${home}/requeued; fi`,
  srun: 'shift; exec "$@"',
};

beforeAll(async () => {
  await mkdir(bin);
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, name), 0o755);
  }
  process.env.PATH = `${bin}:${PATH}`;
});
afterAll(() => {
  process.env.PATH = PATH;
});

const fresh = (out: string, options: Partial<TorchOptions>) =>
  trainPairs({
    ...randomRun,
    model,
    pairs,
    lora: { rank: 2, loraAlpha: 4, targetModules: ['q_proj'] },
    checkpointEvery: 3,
    out,
    engine: torchEngine({ ...fakeTorch, ...options }),
  });
const again = (run: string, options: Partial<TorchOptions> = {}) =>
  resumePairs(run, { model, pairs, engine: torchEngine({ ...fakeTorch, ...options }) });
const stepsOf = (events: readonly TrainEvent[]) =>
  events.flatMap((event) => (event.type === 'step' ? event.step : []));
const all = Array.from({ length: 12 }, (_, i) => i + 1);

describe('a job of Slurm', () => {
  it('is submitted and followed to its end', async () => {
    const run = join(home, 'slurm');
    const events = await allEvents(fresh(run, { launch: 'slurm', slurm: ['partition=gpu'] }));
    expect(stepsOf(events)).toEqual(all);
    expect((await readManifest(run)).status).toBe('done');
    const script = await readFile(join(run, 'spec/job.sbatch'), 'utf8');
    expect(script).toContain('#SBATCH --partition=gpu\n');
    expect(script).toContain('#SBATCH --requeue\n');
    expect(script).toContain('#SBATCH --signal=B:USR1@120\n');
  });

  it('submitted again does nothing when it is done, and begins again when it was stopped', async () => {
    const run = join(home, 'slurm');
    const script = join(run, 'spec/job.sbatch');
    const env = { ...process.env, SLURM_JOB_ID: '78', SLURM_NNODES: '1', SLURM_JOB_NODELIST: 'here' };
    execFileSync('bash', [script], { env });
    await writeFile(join(run, 'spec/end.json'), JSON.stringify({ status: 'stopped' }));
    await writeFile(join(run, 'spec/stop'), '');
    await rm(join(run, 'checkpoints'), { recursive: true });
    await mkdir(join(run, 'checkpoints'));
    execFileSync('bash', [script], { env });
    expect(JSON.parse(await readFile(join(run, 'spec/end.json'), 'utf8'))).toMatchObject({ status: 'done' });
  });

  it('has settings that are words, and a name that is one', () => {
    const options = { python: 'py', run: "/a b/c'd", nodes: 2, processes: 8, usesGpu: true, maxRestarts: 3 };
    expect(() => slurmScript({ ...options, settings: ['x; rm -rf /'] })).toThrow(
      expect.objectContaining({ code: 'launch/slurm' }),
    );
    const script = slurmScript({ ...options, settings: ['exclusive'] });
    execFileSync('bash', ['-n'], { input: script });
    expect(script).toContain('#SBATCH --job-name=nextquill-c-d\n');
    expect(script).toContain('#SBATCH --gpus-per-node=8\n');
  });
});

describe('a printed command', () => {
  it('begins the run when somebody starts it, and resuming follows it and finishes its manifest', async () => {
    const run = join(home, 'print');
    const failure = await allEvents(fresh(run, { launch: 'print', processes: 2 })).catch((error) => error);
    expect(failure).toMatchObject({ code: 'run/handed-over' });
    expect((await readManifest(run)).status).toBe('running');
    const { hint: command } = failure as { hint: string };
    expect(command).toContain(`work ${shellWord(run)}`);
    const following = allEvents(again(run));
    execFileSync('sh', ['-c', command]);
    expect(stepsOf(await following)).toEqual(all);
    expect(await readManifest(run)).toMatchObject({ status: 'done', machine: { processes: 2 } });
  });

  it('is not needed by those who take the run back', async () => {
    const run = join(home, 'taken');
    await allEvents(fresh(run, { launch: 'print' })).catch(() => undefined);
    expect(stepsOf(await allEvents(again(run, { takesOver: true })))).toEqual(all);
  });
});

it('words of a shell are read as they were written', () => {
  const words = ['plain', 'a b', "it's", '$HOME `x` "q" \\', '', 'ü', '*'];
  const out = execFileSync('sh', ['-c', `printf '%s\\n' ${words.map(shellWord).join(' ')}`], {
    encoding: 'utf8',
  });
  expect(out.slice(0, -1).split('\n')).toEqual(words);
});

/**
 * The keys that our files use, out of the schemas of SkyPilot (sky/utils/schemas.py) and of Kubeflow's PyTorchJob (kubeflow.org/v1):
 * the schemas themselves are not part of this repository.
 */
const text = z.string().min(1);
const skypilot = z.strictObject({
  name: text,
  num_nodes: z.int().min(1),
  resources: z.strictObject({ accelerators: text, use_spot: z.boolean() }),
  envs: z.record(z.string().regex(/^[A-Z_]+$/), text),
  file_mounts: z.record(
    text,
    z.strictObject({ source: text, mode: z.enum(['MOUNT', 'COPY', 'MOUNT_CACHED']) }),
  ),
  setup: text,
  run: text,
});
const container = z.strictObject({
  name: z.literal('pytorch'),
  image: text,
  command: z.array(text),
  env: z.array(z.strictObject({ name: text, value: text })),
  resources: z.strictObject({ limits: z.record(text, z.int()) }),
  volumeMounts: z.array(z.strictObject({ name: text, mountPath: text })),
});
const pytorchJob = z.strictObject({
  apiVersion: z.literal('kubeflow.org/v1'),
  kind: z.literal('PyTorchJob'),
  metadata: z.strictObject({ name: z.string().regex(/^[a-z0-9-]+$/) }),
  spec: z.strictObject({
    nprocPerNode: z.string(),
    runPolicy: z.strictObject({ cleanPodPolicy: z.enum(['None', 'All', 'Running']), backoffLimit: z.int() }),
    pytorchReplicaSpecs: z.strictObject({
      Master: z.strictObject({
        replicas: z.int().min(1),
        restartPolicy: z.enum(['Always', 'OnFailure', 'Never', 'ExitCode']),
        template: z.strictObject({
          spec: z.strictObject({
            terminationGracePeriodSeconds: z.int(),
            containers: z.array(container),
            volumes: z.array(
              z.strictObject({ name: text, persistentVolumeClaim: z.strictObject({ claimName: text }) }),
            ),
          }),
        }),
      }),
    }),
  }),
});

it.each([
  ['skypilot.yaml', skypilot],
  ['pytorchjob.yaml', pytorchJob],
] as const)('recipes/launch/%s is of its schema', async (name, schema) => {
  const folder = resolve(import.meta.dirname, '../../../recipes/launch');
  const content = await readFile(join(folder, name), 'utf8');
  expect(schema.safeParse(parse(content)).error).toBeUndefined();
  expect(content).toContain('nextquill_torch');
  const { run, setup } = parse(content) as { run?: string; setup?: string };
  for (const script of [run, setup])
    if (script !== undefined) execFileSync('bash', ['-n'], { input: script });
});
