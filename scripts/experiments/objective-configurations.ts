/** @file The objectives that experiments compare, by name: an objective, its options, and who estimates effects. */
import type { TrainingSettings } from '../../src/method/training/settings.ts';

/** What differs between two configurations; all else is the same. */
export type Configuration = Pick<
  TrainingSettings,
  'objective' | 'objectiveOptions' | 'estimator' | 'estimatorDecay'
>;

/** Weighted difference with a light α and no way to win by a worse pass without history: what most trials start from. */
const soft = { softWeights: true, effectWeight: 0.05, stopGradient: true } as const;

export const configurations: Readonly<Record<string, Configuration>> = {
  sft: { objective: 'sft' },
  'sft-no-history': { objective: 'sft-no-history' },
  cft: { objective: 'cft' },
  perce: { objective: 'perce' },
  'nextquill-data-side': { objective: 'nextquill-data-side' },
  'nextquill-js': { objective: 'nextquill-js' },
  'nextquill-paper': { objective: 'nextquill-paper' },
  'nextquill-code': { objective: 'nextquill-code' },
  'code-stop': { objective: 'nextquill-code', objectiveOptions: { stopGradient: true } },
  'code-anchor': { objective: 'nextquill-code', objectiveOptions: { anchorWeight: 0.1 } },
  'paper-stop': { objective: 'nextquill-paper', objectiveOptions: { stopGradient: true } },
  'paper-anchor': { objective: 'nextquill-paper', objectiveOptions: { anchorWeight: 0.1 } },
  'perce-anchor': { objective: 'perce', objectiveOptions: { anchorWeight: 0.1 } },
  'perce-plain': { objective: 'perce', objectiveOptions: { plainWeight: 0.5 } },
  'data-soft-plain': {
    objective: 'nextquill-data-side',
    objectiveOptions: { softWeights: true, plainWeight: 0.5 },
  },
  'sft-anchor': { objective: 'sft', objectiveOptions: { anchorWeight: 0.1 } },
  'plain-difference': {
    objective: 'nextquill-paper',
    objectiveOptions: { plainWeight: 1, effectWeight: 0.05, stopGradient: true },
  },
  soft: { objective: 'nextquill-paper', objectiveOptions: soft },
  'soft-data-side': { objective: 'nextquill-data-side', objectiveOptions: { softWeights: true } },
  'soft-specific': {
    objective: 'nextquill-paper',
    objectiveOptions: { ...soft, weightsFrom: 'userSpecific' },
  },
  'soft-plain': { objective: 'nextquill-paper', objectiveOptions: { ...soft, plainWeight: 0.5 } },
  'soft-growing': {
    objective: 'nextquill-paper',
    objectiveOptions: { ...soft, effectWeight: 0.1, effectWarmup: 0.5 },
  },
  'soft-anchor': { objective: 'nextquill-paper', objectiveOptions: { ...soft, anchorWeight: 0.1 } },
  'soft-light': { objective: 'nextquill-paper', objectiveOptions: { ...soft, effectWeight: 0.02 } },
  'soft-fixed': { objective: 'nextquill-paper', objectiveOptions: soft, estimator: 'fixed' },
  'soft-average': {
    objective: 'nextquill-paper',
    objectiveOptions: soft,
    estimator: 'moving-average',
    estimatorDecay: 0.95,
  },
};
