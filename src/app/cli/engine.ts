/** @file Which engine computes: the flags of it, and PyTorch opened as they say. */
import type { Command } from 'commander';
import { torchDeviceChoices } from '../../base/device.ts';
import { ConfigError } from '../../base/errors.ts';
import type { ModelWorker } from '../../engine/models/model-worker.ts';
import { currentVersions } from '../../method/runs/manifest.ts';
import type { StepEngine } from '../../method/runs/step-engine.ts';
import {
  DEFAULT_GRACE_SECONDS,
  DEFAULT_RESTARTS,
  type LaunchName,
  launchNames,
  type ParallelMode,
  parallelModes,
  type TorchDtype,
  torchDtypes,
} from '../launch/torch-choices.ts';
import type { TorchOptions } from '../launch/torch-train.ts';
import type { Session } from './command.ts';
import { addFlag, oneOf, repeated, wholeNumber } from './flags.ts';

/** What computes models: this package on ONNX Runtime, or PyTorch in processes of its own. */
const engineNames = ['onnx', 'torch'] as const;
export type EngineName = (typeof engineNames)[number];

/** The flags of every command that takes `--engine`. */
export interface EngineFlags {
  readonly engine?: EngineName;
  readonly python?: string;
  readonly processes?: number;
  readonly dtype?: TorchDtype;
}

/** The flags of training beside them. */
export interface TrainingEngineFlags extends EngineFlags {
  readonly parallel?: ParallelMode;
  readonly maxRestarts?: number;
  readonly grace?: number;
  readonly launch?: LaunchName;
  readonly nodes?: number;
  readonly slurm?: readonly string[];
}

/** Names of all flags of {@link TrainingEngineFlags}. */
export const engineFlagNames = [
  ...[
    'engine',
    'python',
    'processes',
    'dtype',
    'parallel',
    'maxRestarts',
    'grace',
    'launch',
    'nodes',
    'slurm',
  ],
] as readonly (keyof TrainingEngineFlags)[];

/** Adds `--engine` and what goes with it. */
export function addEngineFlags(command: Command): void {
  addFlag(
    command,
    '--engine <name>',
    'what computes the model: onnx, or torch for PyTorch on graphics cards (default: onnx); see docs/guide/gpu-and-clusters.md',
    (flag) => oneOf(flag, engineNames),
  );
  addFlag(
    command,
    '--python <path>',
    'Python of --engine torch (default: NEXTQUILL_PYTHON, or that of setup torch)',
  );
  addFlag(
    command,
    '--processes <n>',
    'processes of --engine torch, one a graphics card (default: 1)',
    (flag) => wholeNumber(flag, 1),
  );
  addFlag(
    command,
    '--dtype <name>',
    `what --engine torch computes blocks in: ${torchDtypes.join(', ')} (default: f32); head and effects are f32`,
    (flag) => oneOf(flag, torchDtypes),
  );
}

/** Adds what training takes beside {@link addEngineFlags}. */
export function addTrainingEngineFlags(command: Command): void {
  addEngineFlags(command);
  addFlag(
    command,
    '--parallel <mode>',
    `how processes of --engine torch share the work: ${parallelModes.join(', ')} (default: auto)`,
    (flag) => oneOf(flag, parallelModes),
  );
  addFlag(
    command,
    '--max-restarts <n>',
    `how often --engine torch starts again after a process has died (default: ${DEFAULT_RESTARTS})`,
    (flag) => wholeNumber(flag, 0),
  );
  addFlag(
    command,
    '--grace <seconds>',
    `how long --engine torch may take to stop before it is ended (default: ${DEFAULT_GRACE_SECONDS})`,
    (flag) => wholeNumber(flag, 0),
  );
  addLaunchFlags(command);
}

/** Adds who starts the processes, and with what. */
function addLaunchFlags(command: Command): void {
  addFlag(
    command,
    '--launch <name>',
    'who starts --engine torch: torchrun on this machine, slurm (a job, submitted and followed), or print (the command, for anything else) (default: torchrun)',
    (flag) => oneOf(flag, launchNames),
  );
  addFlag(command, '--nodes <n>', 'machines of --launch slurm (default: 1)', (flag) => wholeNumber(flag, 1));
  addFlag(
    command,
    '--slurm <setting>',
    'a setting of the job, such as partition=gpu; may be given several times',
    repeated,
  );
}

/** What computes a model to be scored; undefined for this package. @throws {ConfigError} as {@link torchOf} */
export async function scoringEngine(flags: EngineFlags, session: Session): Promise<ModelWorker | undefined> {
  const torch = await torchOf(flags, session);
  return torch && workerOf(torch, session);
}

/** What takes the steps of a run, and what computes models for it. */
export interface TrainingEngine {
  readonly engine?: StepEngine;
  readonly worker?: ModelWorker;
}

/** What trains; nothing for this package. @throws {ConfigError} as {@link torchOf} */
export async function trainingEngine(
  flags: TrainingEngineFlags,
  session: Session,
  device?: string,
): Promise<TrainingEngine> {
  const torch = await torchOf(flags, session, device);
  if (torch === undefined) return {};
  const { torchEngine } = await import('../launch/torch-train.ts');
  // What is computed beside the steps of others' machines, this package computes.
  const worker = torch.launch === 'torchrun' ? await workerOf(torch, session) : undefined;
  return { engine: torchEngine(torch), ...(worker && { worker }) };
}

/**
 * PyTorch as the flags say; undefined where they do not ask for it.
 * @param device that of `--device` by default
 * @throws {ConfigError} without Python, for a device that PyTorch has not, and for flags of it without `--engine torch`
 */
async function torchOf(
  flags: TrainingEngineFlags,
  { options, signal, note, progress }: Session,
  device: string = options.device ?? 'auto',
): Promise<TorchOptions | undefined> {
  const { engine = 'onnx', python: named, processes = 1, parallel = 'auto', dtype = 'f32' } = flags;
  if (engine === 'onnx') {
    const extra = engineFlagNames.filter((name) => name !== 'engine' && flags[name] !== undefined);
    if (extra.length === 0) return undefined;
    throw new ConfigError(`--${extra[0]}: expected --engine torch beside it, got engine onnx`, {
      code: 'usage/engine',
      hint: `Add --engine torch, or leave --${extra[0]} out.`,
    });
  }
  const known = torchDeviceChoices.find((name) => name === device);
  if (known === undefined)
    throw new ConfigError(
      `--device: expected one of ${torchDeviceChoices.join(', ')} with engine torch, got ${device}`,
      { code: 'config/device', hint: 'Leave --device out: the best one is taken.' },
    );
  const { launch = 'torchrun', nodes, slurm } = flags;
  const other = (['nodes', 'slurm'] as const).find((name) => flags[name] !== undefined);
  if (launch !== 'slurm' && other !== undefined)
    throw new ConfigError(`--${other}: expected --launch slurm beside it, got ${launch}`, {
      code: 'usage/launch',
      hint: `Add --launch slurm, or leave --${other} out.`,
    });
  const [{ otherPython, torchPython }, { defaultCompute }] = await Promise.all([
    import('../launch/python-env.ts'),
    import('../launch/spec.ts'),
  ]);
  // Where others start it, the Python and the devices are theirs.
  const python = launch === 'torchrun' ? await torchPython(named, signal) : await otherPython(named);
  const { versions, devices } = python.report;
  if (launch === 'torchrun' && known !== 'auto' && !devices.includes(known))
    throw new ConfigError(`--device: expected one of ${devices.join(', ')} of this machine, got ${known}`, {
      code: 'config/device',
      hint: 'Leave --device out: the best one is taken. "nextquill doctor" shows what PyTorch finds.',
    });
  if (launch === 'torchrun')
    note(
      `engine: torch ${versions.torch}, ${known === 'auto' ? devices[0] : known}, ${dtype} (${python.executable})`,
    );
  const { maxRestarts, grace } = flags;
  return {
    python,
    processes,
    compute: { ...defaultCompute, device: known, dtype, parallel },
    onProgress: progress,
    launch,
    takesOver: flags.launch !== undefined,
    ...(nodes !== undefined && { nodes }),
    ...(slurm !== undefined && { slurm }),
    ...(maxRestarts !== undefined && { maxRestarts }),
    ...(grace !== undefined && { graceSeconds: grace }),
  };
}

async function workerOf(torch: TorchOptions, { options: { threads }, atEnd }: Session): Promise<ModelWorker> {
  const [{ torchWorker }, { nextquill: version }] = await Promise.all([
    import('../launch/torch-scorer.ts'),
    currentVersions(),
  ]);
  const worker = torchWorker({ ...torch, version, ...(threads !== undefined && { threads }) });
  atEnd(() => worker[Symbol.asyncDispose]());
  return worker;
}
