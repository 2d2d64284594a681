/** @file How PyTorch is started and computes where nobody says otherwise, and its choices by name. Flags show them: nothing is loaded for that. */

/** What the blocks are computed in; head, softmax, effects and all that is trained are f32 whatever this says. */
export const torchDtypes = ['f32', 'bf16'] as const;
export type TorchDtype = (typeof torchDtypes)[number];

/** How processes share the work: each with all weights, or with its part of them. */
export const parallelModes = ['auto', 'replicate', 'shard'] as const;
export type ParallelMode = (typeof parallelModes)[number];

/** Who starts the worker: this process, a job of Slurm, or whoever gets the command. */
export const launchNames = ['torchrun', 'slurm', 'print'] as const;
export type LaunchName = (typeof launchNames)[number];

/** How often a worker is started again after one of its processes has died. */
export const DEFAULT_RESTARTS = 3;

/** How long a worker may take to stop before it is ended. */
export const DEFAULT_GRACE_SECONDS = 120;
