/** @file The quickstart's data: simulated users of a world that the embedded model does not know, and of the one that it was trained in. */
import type { Example } from '../../method/data/example.ts';
import { simulate } from '../../method/simulation/simulate.ts';
import type { WorldName } from '../../method/simulation/worlds/worlds.ts';

/** Numbers of users, chosen so that the whole quickstart stays under three minutes on two cores. */
export interface QuickstartSizes {
  readonly trainNew: number;
  readonly trainKnown: number;
  readonly testNew: number;
  readonly testKnown: number;
}

export const defaultSizes: QuickstartSizes = { trainNew: 256, trainKnown: 32, testNew: 24, testKnown: 24 };

/** Users with one text each and {@link HISTORY_ITEMS} earlier ones; every word has a known cause. */
export interface QuickstartData {
  readonly train: readonly Example[];
  /** Of journeys, of which the embedded model has seen nothing; no training has seen these users. */
  readonly newWorld: readonly Example[];
  /** Of reviews, which the embedded model knows; no training has seen these users. */
  readonly knownWorld: readonly Example[];
}

/** Seeds of simulated users: none is the embedded model's (scripts/embedded/corpus.ts), nor another's. */
const TRAIN_USERS = 1_000_000;
const TEST_USERS = 2_000_000;
const HISTORY_ITEMS = 3;

/** The examples for a seed; other seeds draw other users. */
export function quickstartData(seed: number, sizes: QuickstartSizes = defaultSizes): QuickstartData {
  const users = (world: WorldName, first: number, count: number, namePrefix: string) =>
    count === 0
      ? []
      : simulate({ users: count, seed: first + seed, historyItems: HISTORY_ITEMS, world, namePrefix });
  return {
    train: [
      ...users('journeys', TRAIN_USERS, sizes.trainNew, 'traveller-trained-'),
      ...users('reviews', TRAIN_USERS, sizes.trainKnown, 'reviewer-trained-'),
    ],
    newWorld: users('journeys', TEST_USERS, sizes.testNew, 'traveller-'),
    knownWorld: users('reviews', TEST_USERS, sizes.testKnown, 'reviewer-'),
  };
}
