/** @file A refutation in sentences, as a table and as a page. */
import { describe, expect, it } from 'vitest';
import type { Verdict } from '../../../src/method/refutation/refutation-test.ts';
import type { Refutation, RefutationResult } from '../../../src/method/refutation/results.ts';
import { renderRefutationHtml } from '../../../src/reports/refutation/refutation-html.ts';
import { refutationSummary, refutationTable } from '../../../src/reports/refutation/refutation-summary.ts';
import { about } from '../comparison/example-results.ts';

const result = (title: string, verdict: Verdict, more: Partial<RefutationResult> = {}): RefutationResult => ({
  name: title.toLowerCase().replaceAll(' ', '-'),
  title,
  what: 'Something is changed.',
  expected: 'Nothing is left.',
  effect: about(0.01, 0.02),
  users: 12,
  examples: 14,
  verdict,
  why: 'Because of <this>.',
  ...more,
});
const refutation = (verdict: Verdict, tests: readonly RefutationResult[]): Refutation => ({
  total: about(0.4, 0.1),
  userSpecific: about(0.3, 0.1),
  strangers: 0.1,
  users: 12,
  examples: 14,
  withoutHistory: 2,
  others: 3,
  matching: 'domain, length ±8 %',
  tests,
  verdict,
});
const mixed = refutation('fails', [
  result('Own history', 'passes'),
  result('Placebo history', 'fails', { leaves: 'nothing', kept: about(0.8, 0.1) }),
  result('Items shuffled', 'cannot tell', { leaves: 'all', examples: 0 }),
]);

describe('a refutation', () => {
  it('is summed up by the worst that was found', () => {
    expect(refutationSummary(mixed)).toBe('The effect does not hold: placebo history failed.');
    expect(refutationSummary(refutation('passes', [result('Own history', 'passes')]))).toBe(
      'The effect holds: all 1 tests pass.',
    );
    const open = refutation('cannot tell', [
      result('Own history', 'passes'),
      result('Wrong target', 'cannot tell'),
      result('Random half', 'cannot tell'),
    ]);
    expect(refutationSummary(open)).toBe(
      'Nothing refutes the effect, but only 1 of 3 tests passes: wrong target and random half could not tell.',
    );
  });

  it('as a table shows A beside C, every test, and why those that do not pass do not', () => {
    const lines = refutationTable(mixed).split('\n');
    expect(lines[1]).toContain('total (A)      0.40 [0.30, 0.50]');
    expect(lines[2]).toContain('user-specific (C)      0.30 [0.20, 0.40]');
    expect(lines.find((line) => line.startsWith('Placebo history  '))).toMatch(
      /nothing left of C +0\.010 \[−0\.010, 0\.030\] +0\.80 \[0\.70, 0\.90\] {2}fails$/,
    );
    expect(lines).toContain('Placebo history fails: Because of <this>.');
    expect(lines.some((line) => line.startsWith('Own history passes'))).toBe(false);
  });

  it('as a page is whole, loads nothing, and escapes what it is given', () => {
    const html = renderRefutationHtml(mixed, [['Data', '<script>alert(1)</script>']]);
    expect(html).toContain('Because of &#60;this&#62;.');
    expect(html).not.toContain('<script>alert');
    expect(html).not.toMatch(/(src|href)=/);
    expect(html).toContain('class="fails"><strong>Placebo history</strong> fails.');
    expect(html).toContain('2 texts without a history that fits left out.');
    expect(html.match(/<svg/g)).toHaveLength(2);
  });
});
