/** @file What an audit warns of, from the numbers that call for it. */
import { expect, it } from 'vitest';
import { caveatsOf } from '../../../src/reports/audit/caveats.ts';
import { exampleAudit } from './example-audit.ts';

const none = { withoutHistory: 0, historyDoesNotFit: 0, othersDoNotFit: 0, tooLong: 0 };
const caveats = (extra: Parameters<typeof exampleAudit>[0]) => caveatsOf(exampleAudit(extra));
const leftOut = (kind: keyof typeof none) =>
  caveats({ leftOut: { ...none, [kind]: 1 } }).filter((caveat) => caveat.startsWith('Left out'));

it('counts what was left out, each reason by itself', () => {
  expect(caveats({ leftOut: none }).join(' ')).not.toContain('Left out');
  const said = (Object.keys(none) as (keyof typeof none)[]).map(leftOut);
  expect(said.every((each) => each.length === 1 && each[0]!.includes('1 example'))).toBe(true);
  expect(new Set(said.flat()).size).toBe(4);
});

it('says that one other history is too few to test tokens', () => {
  expect(caveats({ others: 1 }).join(' ')).toContain('cannot be tested');
  expect(caveats({ others: 3 }).join(' ')).not.toContain('cannot be tested');
});
