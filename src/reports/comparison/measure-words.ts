/** @file How measures are named and read, in tables and in sentences. */
import type { Measure } from '../../method/evaluation/results.ts';

export interface MeasureWords {
  readonly label: string;
  /** In a sentence. */
  readonly phrase: string;
  readonly unit: string;
  /** How a difference is read; an effect is a difference itself, so a larger one may help nobody. */
  readonly reading: string;
}

const likelihood = { unit: 'nats a token', reading: 'lower is better' };

export const measureWords: Readonly<Record<Measure, MeasureWords>> = {
  nllWithHistory: { ...likelihood, label: 'NLL with history', phrase: 'the NLL with the user’s history' },
  nllWithoutHistory: { ...likelihood, label: 'NLL without history', phrase: 'the NLL without history' },
  nllOtherHistory: {
    unit: 'nats a token',
    reading: 'neither way is better alone',
    label: 'NLL with another user’s history',
    phrase: 'the NLL with another user’s history',
  },
  authorIdentification: {
    unit: 'of texts',
    reading: 'higher is better',
    label: 'Author identification',
    phrase: 'author identification',
  },
  totalEffect: {
    unit: 'nats a token',
    reading: 'larger is better only where the NLL with history is lower',
    label: 'History effect (A)',
    phrase: 'the effect of the user’s history (A)',
  },
  userSpecificEffect: {
    unit: 'nats a token',
    reading: 'larger is better only where the NLL with history is lower',
    label: 'User-specific effect (C)',
    phrase: 'the user-specific effect (C)',
  },
};
