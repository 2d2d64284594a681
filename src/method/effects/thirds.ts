/** @file The thirds of a text: where in it something shows. */
import type { TokenRange } from './named-effects.ts';

export const thirdNames = ['first third', 'middle third', 'last third'] as const;

/** Tokens of the third of a text; that of a short text may be empty. */
export function thirdOf(tokens: number, third: number): TokenRange {
  return { from: Math.ceil((third * tokens) / 3), to: Math.ceil(((third + 1) * tokens) / 3) };
}
