/** @file The tests of `nextquill refute`, in the order of its table; one file each. */
import { irrelevantNoteAdded } from './irrelevant-note.ts';
import { itemsShuffled } from './items-shuffled.ts';
import { labelAlignment } from './label-alignment.ts';
import { ownHistory } from './own-history.ts';
import { placeboHistory } from './placebo-history.ts';
import { randomHalfOfHistory } from './random-half.ts';
import type { RefutationTest } from './refutation-test.ts';
import { templateWording } from './template-wording.ts';
import { wrongTargetScored } from './wrong-target.ts';

/** All tests of a refutation, in their order. */
export const refutationTests: readonly RefutationTest[] = [
  labelAlignment,
  ownHistory,
  placeboHistory,
  wrongTargetScored,
  irrelevantNoteAdded,
  itemsShuffled,
  randomHalfOfHistory,
  templateWording,
];
