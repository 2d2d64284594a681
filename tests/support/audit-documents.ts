/** @file Documents that commands print, compared number by number: what a server gives beside what the same weights give here. */
import { expect } from 'vitest';

/** Both documents without what names model and server. */
export const numbersOf = ({
  model: _,
  modelHash: __,
  remote: ___,
  report: ____,
  ...rest
}: Record<string, unknown>) => rest;

/** Every number of two documents is within a tolerance, and all else is the same. */
export function expectClose(remote: unknown, local: unknown, tolerance: number, path = ''): void {
  if (typeof local === 'number' && typeof remote === 'number')
    expect(Math.abs(remote - local), path).toBeLessThan(tolerance);
  else if (local !== null && typeof local === 'object' && remote !== null && typeof remote === 'object') {
    expect(Object.keys(remote), path).toEqual(Object.keys(local));
    for (const [key, value] of Object.entries(local))
      expectClose((remote as Record<string, unknown>)[key], value, tolerance, `${path}.${key}`);
  } else expect(remote, path).toEqual(local);
}

/** Without the effect and the strengths that a server cannot give, and the facts that it adds. */
export const comparable = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, inner) =>
      [
        'effectDivergence',
        'effectDivergenceAtLeast',
        'strength',
        'meta',
        'model',
        'answer',
        'tokensComputed',
        'tokensSaved',
        'findings',
        'caveats',
      ].includes(key)
        ? undefined
        : inner,
    ),
  );
