/** @file Learning-rate schedules as plain functions of the step. */

export const schedules = ['constant', 'linear', 'cosine', 'stable-decay'] as const;

export type Schedule = (typeof schedules)[number];

/** Share of all steps in which `stable-decay` goes down. */
const DECAY_SHARE = 0.2;

export interface ScheduleOptions {
  readonly learningRate: number;
  /** Share of all steps over which the rate rises from 0; 0.01 in the reference code. */
  readonly warmupRatio: number;
  readonly schedule: Schedule;
  readonly totalSteps: number;
}

/**
 * The learning rate of a step: linear warm-up, then constant, linear to 0, half a cosine to 0
 * (transformers' get_*_schedule_with_warmup, whose first step after warm-up has the full rate), or `stable-decay`:
 * constant until the last fifth of all steps, then linear to 0, so that a run can be prolonged before its decay.
 * @param step 1 for the first update
 */
export function learningRateAt(step: number, options: ScheduleOptions): number {
  const { learningRate, warmupRatio, schedule, totalSteps } = options;
  const warmup = Math.ceil(warmupRatio * totalSteps);
  // The first update of a warm-up moves a little too: rate 0 would waste it.
  if (step <= warmup) return (learningRate * step) / (warmup + 1);
  const progress = (step - 1 - warmup) / Math.max(1, totalSteps - warmup);
  if (schedule === 'constant') return learningRate;
  if (schedule === 'stable-decay')
    return learningRate * Math.min(1, (1 - (step - 1) / totalSteps) / DECAY_SHARE);
  if (schedule === 'linear') return learningRate * Math.max(0, 1 - progress);
  return learningRate * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
}
