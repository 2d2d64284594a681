/** @file Progress events: what long work reports, and every surface (bar, log line, page) draws. */

/** One report of progress; `done` and `total` count `unit`s. */
export interface Progress {
  /** What is going on, such as `training sft`. */
  readonly stage: string;
  readonly done: number;
  /** Absent when the end is not known. */
  readonly total?: number;
  readonly unit: string;
  /** A short addition, such as `loss 2.31`. */
  readonly detail?: string;
}

/** Receives progress; must not throw. */
export type ProgressListener = (progress: Progress) => void;
