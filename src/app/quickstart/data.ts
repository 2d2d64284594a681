/** @file The quickstart's data: simulated users and presidents to fine-tune on, and others, or later texts, to score. */
import type { Example } from '../../method/data/example.ts';
import { sotuExamples } from '../../method/data/sotu.ts';
import { forEvaluation, forTraining, takeAcrossUsers } from '../../method/data/splits.ts';
import { simulate } from '../../method/simulation/simulate.ts';

/** Sizes of the parts, chosen so that the whole quickstart stays under three minutes on two cores. */
export interface QuickstartSizes {
  readonly trainSimulated: number;
  readonly trainSpeeches: number;
  readonly testSimulated: number;
  readonly testSpeeches: number;
}

export const defaultSizes: QuickstartSizes = {
  trainSimulated: 192,
  trainSpeeches: 64,
  testSimulated: 32,
  testSpeeches: 24,
};

export interface QuickstartData {
  readonly train: readonly Example[];
  /** Simulated users that no training has seen, with known causes. */
  readonly simulated: readonly Example[];
  /** The last address of each president: later than all that any training has seen of that president. */
  readonly speeches: readonly Example[];
  /** Where other presidents' histories come from. */
  readonly speechPool: readonly Example[];
}

/** Seeds of simulated users: neither is the embedded model's (scripts/embedded/corpus.ts), nor the other. */
const TRAIN_USERS = 1_000_000;
const TEST_USERS = 2_000_000;
const HISTORY_ITEMS = 3;
const SPEECH_WORDS = 60;

/** The examples for a seed; other seeds draw other simulated users and other passages to train on. */
export function quickstartData(seed: number, sizes: QuickstartSizes = defaultSizes): QuickstartData {
  const users = (first: number, count: number) =>
    simulate({ users: count, seed: first + seed, historyItems: HISTORY_ITEMS });
  const speeches = sotuExamples({ historySize: HISTORY_ITEMS, historyWords: SPEECH_WORDS, seed });
  const held = forEvaluation(speeches);
  return {
    // One way of naming splits for all: `train` uses the train rows where there are any.
    train: [
      ...users(TRAIN_USERS, sizes.trainSimulated).map((example) => ({ ...example, split: 'train' as const })),
      ...takeAcrossUsers(forTraining(speeches), sizes.trainSpeeches),
    ],
    simulated: users(TEST_USERS, sizes.testSimulated),
    speeches: takeAcrossUsers(held, sizes.testSpeeches),
    speechPool: held,
  };
}
