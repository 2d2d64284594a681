/** @file Systems as `evaluate --json` and `quickstart --json` print them. */
import type { SystemResult } from '../../method/evaluation/results.ts';
import { matchingText } from '../text/matching-text.ts';

/** A system with its matching in words. */
export type SystemJson = Omit<SystemResult, 'authorIdentification'> & {
  readonly authorIdentification?: Omit<NonNullable<SystemResult['authorIdentification']>, 'matching'> & {
    readonly matching: string;
  };
};

export function systemJson({ authorIdentification, ...system }: SystemResult): SystemJson {
  if (authorIdentification === undefined) return system;
  return {
    ...system,
    authorIdentification: {
      ...authorIdentification,
      matching: matchingText(authorIdentification.matching),
    },
  };
}
