/** @file Ends a text at the first stop string, and holds back what may turn out to be one. */
import { ConfigError } from '../../base/errors.ts';

/** Watches a text that comes in pieces; how it is cut into pieces changes nothing. */
export interface StopMatcher {
  /** The text that is now known to come before any stop string; `stopped` once one is complete. */
  push(text: string): { readonly text: string; readonly stopped: boolean };
  /** What was held back, when no more text comes. */
  end(): string;
}

/**
 * A matcher of the stop string that is complete first (the longest of several that end together); it is not part of
 * the text.
 * @throws {ConfigError} for an empty stop string
 */
export function stopMatcher(stops: readonly string[]): StopMatcher {
  if (stops.includes(''))
    throw new ConfigError('stop: expected texts of at least one character, got an empty one', {
      code: 'config/range',
      hint: 'Remove the empty text.',
    });
  let held = '';
  return {
    push: (text) => {
      held += text;
      const match = firstToEnd(held, stops);
      const sure = match ?? held.length - longestBeginning(held, stops);
      const result = { text: held.slice(0, sure), stopped: match !== undefined };
      held = match === undefined ? held.slice(sure) : '';
      return result;
    },
    end: () => {
      const rest = held;
      held = '';
      return rest;
    },
  };
}

/** Where the stop string begins that ends first in `text`; undefined where there is none. */
function firstToEnd(text: string, stops: readonly string[]): number | undefined {
  const found = stops
    .map((stop) => ({ start: text.indexOf(stop), end: text.indexOf(stop) + stop.length }))
    .filter(({ start }) => start >= 0)
    .sort((a, b) => a.end - b.end || a.start - b.start);
  return found[0]?.start;
}

/** Length of the longest end of `text` that a stop string begins with. */
function longestBeginning(text: string, stops: readonly string[]): number {
  const longest = Math.max(0, ...stops.map((stop) => stop.length - 1));
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const end = text.slice(text.length - length);
    if (stops.some((stop) => stop.startsWith(end))) return length;
  }
  return 0;
}
