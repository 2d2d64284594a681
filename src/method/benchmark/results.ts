/** @file What a benchmark gives: leaderboards, and what each system chose and cost. */

import type { WrittenTexts } from '../generation/write-texts.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import type { BestStep } from '../runs/best-step.ts';
import type { Judgement } from './judge.ts';
import type { Leaderboard } from './leaderboard.ts';
import type { BenchmarkScore } from './score-system.ts';
import type { ChosenStrength } from './strength.ts';

/** One system under one seed. */
export interface Cell {
  readonly seed: number;
  readonly scores: readonly BenchmarkScore[];
  readonly scoringSeconds: number;
  /** Absent for systems that are not trained. */
  readonly trainingSeconds?: number;
  /** Tokens that training read in all passes; of all users' adapters and the base below, where users have adapters. */
  readonly trainingTokens?: number;
  readonly peakMemoryBytes?: number;
  /** The step whose weights the system uses, and its loss on validation users; where training keeps the best step. */
  readonly best?: BestStep;
  readonly written?: WrittenTexts;
  /** Tokens that summaries of the histories took, read and written, a history; of systems that have them written. */
  readonly summaryTokens?: number;
}

/** A system on one set of users with one model. */
export interface SystemRun<C = Cell> {
  readonly system: string;
  readonly what: string;
  /** The learning rate of the least loss on validation users; `nll` is null where training broke down. */
  readonly rate?: {
    readonly chosen: number;
    readonly tried: readonly { readonly rate: number; readonly nll: number | null }[];
  };
  readonly strength?: ChosenStrength;
  readonly cells: readonly C[];
}

/** What a judge says of one system. */
export interface JudgedSystem {
  readonly system: string;
  /** Its texts beside those of the baseline; absent for the baseline. */
  readonly besideBaseline?: Judgement;
  /** Its texts beside those that it writes with a stranger's history: the control. Absent where it shows no history. */
  readonly besideStranger?: Judgement;
}

/** One model on one set of users. */
export interface BenchmarkBoard {
  readonly model: string;
  readonly modelHash: string;
  readonly data: string;
  /** Texts of each part. */
  readonly counts: { readonly train: number; readonly validation: number; readonly test: number };
  readonly prompt: PromptSettings;
  /** The file whose embeddings dense compared; absent where it compared the model's hidden states. */
  readonly embeddings?: string;
  readonly leaderboard: Leaderboard;
  /** What a judge says of the texts of the first seed; it decides nothing. */
  readonly judge?: {
    readonly model: string;
    readonly host: string;
    readonly systems: readonly JudgedSystem[];
  };
  readonly systems: readonly SystemRun<Omit<Cell, 'scores'>>[];
}

/** What a benchmark measured, as plain data. */
export interface BenchmarkResult {
  readonly format: 'nextquill/benchmark';
  readonly version: 1;
  /** As it was written. */
  readonly recipe: unknown;
  readonly boards: readonly BenchmarkBoard[];
}
