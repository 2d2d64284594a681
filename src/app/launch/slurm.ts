/** @file A training as a job of Slurm: the script, and its submission where Slurm is there. */
import { execFile } from 'node:child_process';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { ConfigError, EngineError } from '../../base/errors.ts';
import { shellWord } from './shell.ts';
import { END_FILE, SPEC, STOP_FILE } from './spec-folder.ts';
import { LOGS, workerEnvironment } from './torchrun.ts';

/** What a job is made of. */
export interface SlurmOptions {
  readonly python: string;
  /** Absolute; every node must see it, and the model's folder. */
  readonly run: string;
  readonly nodes: number;
  /** Of each node. */
  readonly processes: number;
  readonly usesGpu: boolean;
  readonly maxRestarts: number;
  /** Further lines of `#SBATCH`, such as `partition=gpu`. */
  readonly settings: readonly string[];
}

/** In `spec/`. */
export const JOB_FILE = 'job.sbatch';

/** Seconds before the end of its time that a job is warned. */
const WARNING_SECONDS = 120;

/**
 * The script of a job. Warned, it asks the worker to stop with a checkpoint and puts itself into the queue again; started again, it
 * resumes.
 * @throws {ConfigError} for a setting that is none
 */
export function slurmScript({
  python,
  run,
  nodes,
  processes,
  usesGpu,
  maxRestarts,
  settings,
}: SlurmOptions): string {
  for (const setting of settings)
    if (!/^[a-z][a-z-]*(=[^\s'"\\$`]+)?$/.test(setting))
      throw new ConfigError(`--slurm: expected a setting such as partition=gpu, got "${setting}"`, {
        code: 'launch/slurm',
        hint: 'Write a long option of sbatch without its dashes.',
      });
  const place = (name: string) => shellWord(join(run, SPEC, name));
  const environment = Object.entries(workerEnvironment()).map(
    ([name, value]) => `export ${name}=${shellWord(value)}`,
  );
  const directives = [
    `job-name=nextquill-${basename(run).replace(/[^\w.-]/g, '-')}`,
    `nodes=${nodes}`,
    'ntasks-per-node=1',
    ...(usesGpu ? [`gpus-per-node=${processes}`] : []),
    'requeue',
    'open-mode=append',
    `output=${join(run, LOGS, 'slurm-%j.log')}`,
    `signal=B:USR1@${WARNING_SECONDS}`,
    ...settings,
  ];
  return `#!/bin/bash
${directives.map((each) => `#SBATCH --${each}`).join('\n')}
# Written by nextquill train --launch slurm; submit it again at any time: it resumes from the newest checkpoint.
${environment.join('\n')}
grep -qs '"done"' ${place(END_FILE)} && exit 0
rm -f ${place(END_FILE)} ${place(STOP_FILE)}
warned=no
# USR1 comes ${WARNING_SECONDS} seconds before the end of the job's time, TERM when it is preempted.
trap 'warned=yes; touch ${place(STOP_FILE)}' USR1 TERM
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun --kill-on-bad-exit=1 ${shellWord(python)} -m torch.distributed.run \\
  --nnodes "$SLURM_NNODES" --nproc-per-node ${processes} --max-restarts ${maxRestarts} \\
  --rdzv-backend c10d --rdzv-endpoint "$head:29500" --rdzv-id "$SLURM_JOB_ID-\${SLURM_RESTART_COUNT:-0}" \\
  --log-dir ${shellWord(join(run, LOGS))} --redirects 3 --tee 0:3 \\
  -m nextquill_torch work ${shellWord(run)} &
job=$!
# A signal ends a wait, not the job.
while kill -0 "$job" 2>/dev/null; do wait "$job"; code=$?; done
grep -qs '"done"' ${place(END_FILE)} && exit 0
[ "$warned" = yes ] && scontrol requeue "$SLURM_JOB_ID"
exit "$code"
`;
}

/**
 * Submits a script.
 * @returns the job's id; undefined where there is no sbatch
 * @throws {EngineError} when Slurm refuses it
 */
export async function submit(script: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('sbatch', ['--parsable', script]);
    return stdout.trim().split(';')[0]!;
  } catch (cause) {
    const { code, stderr } = cause as NodeJS.ErrnoException & { stderr?: string };
    if (code === 'ENOENT') return undefined;
    throw new EngineError(`sbatch ${script}: expected a job, got: ${(stderr ?? '').trim()}`, {
      code: 'launch/sbatch',
      hint: 'Put right what it says, such as by --slurm partition=NAME, and resume the run.',
      cause,
    });
  }
}
