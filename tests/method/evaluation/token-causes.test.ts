/** @file A token has the cause of most of its non-space characters. */
import { describe, expect, it } from 'vitest';
import { causeOfToken } from '../../../src/method/evaluation/token-causes.ts';

const spans = [
  { start: 0, end: 4, cause: 'neither' },
  { start: 4, end: 9, cause: 'user' },
  { start: 9, end: 12, cause: 'query' },
] as const;
//            0123456789ab
const text = 'The  good it';

describe('cause of a token', () => {
  it.each([
    [0, 3, 'neither'],
    [3, 9, 'user'],
    [2, 9, 'user'],
    [7, 12, 'user'],
    [8, 12, 'query'],
  ] as const)('characters %i to %i: %s', (start, end, cause) => {
    expect(causeOfToken(text, start, end, spans)).toBe(cause);
  });

  it('is none for a token without characters, such as the end of turn', () => {
    expect(causeOfToken(text, text.length, text.length, spans)).toBeUndefined();
    expect(causeOfToken(text, 3, 5, spans)).toBeUndefined();
  });
});
