/** @file A refutation in sentences, as a table and as a page. */
import { describe, expect, it } from 'vitest';
import { refutationFinding } from '../../../src/method/refutation/outcome.ts';
import type { Verdict } from '../../../src/method/refutation/refutation-test.ts';
import type { Refutation, RefutationResult } from '../../../src/method/refutation/results.ts';
import { renderRefutationHtml } from '../../../src/reports/refutation/refutation-html.ts';
import { refutationSummary, refutationTable } from '../../../src/reports/refutation/refutation-summary.ts';
import { about } from '../comparison/example-results.ts';

const result = (name: string, verdict: Verdict, more: Partial<RefutationResult> = {}): RefutationResult => ({
  name,
  effect: about(0.01, 0.02),
  users: 12,
  examples: 14,
  verdict,
  reason: { code: 'no-effect' },
  ...more,
});
const refutation = (verdict: Verdict, tests: readonly RefutationResult[]): Refutation => ({
  total: about(0.4, 0.1),
  userSpecific: about(0.3, 0.1),
  strangers: 0.1,
  users: 12,
  examples: 14,
  leftOut: {
    withoutHistory: 2,
    historyDoesNotFit: 0,
    othersDoNotFit: 0,
    tooLong: 0,
    first: { withoutHistory: 'n1' },
  },
  maxTokens: 512,
  others: 3,
  matching: { length: { most: 0.08, median: 0.04 } },
  tests,
  verdict,
});
const mixed = refutation('fails', [
  result('own-history', 'passes'),
  result('placebo-history', 'fails', { leaves: 'nothing', kept: about(0.8, 0.1) }),
  result('<my-own-test>', 'cannot tell', { leaves: 'all', examples: 0 }),
]);

describe('the outcome of a refutation', () => {
  const open = [result('own-history', 'passes'), result('wrong-target', 'cannot tell')];
  const code = (extra: Partial<Refutation>) => refutationFinding({ ...mixed, ...extra }).code;

  it('is the worst that was found', () => {
    expect(refutationFinding(mixed)).toEqual({
      kind: 'warning',
      code: 'does-not-hold',
      failed: ['placebo-history'],
      open: ['<my-own-test>'],
      passed: ['own-history'],
    });
    expect(code({ tests: [result('own-history', 'passes')] })).toBe('holds');
    expect(code({ tests: open })).toBe('cannot-tell');
  });

  // A bug: "Nothing refutes the effect, but only 1 of 8 tests passes" where no effect was shown.
  it('is that nothing was shown where there is no effect to refute', () => {
    expect(code({ tests: open, userSpecific: about(0.05, 0.1) })).toBe('not-shown');
    expect(code({ tests: open, users: 3 })).toBe('not-shown');
  });
});

describe('a refutation', () => {
  it('as a table answers first, shows A beside C, every test, and why those that do not pass do not', () => {
    const lines = refutationTable(mixed).split('\n');
    expect(lines[0]).toBe(refutationSummary(mixed));
    expect(lines[1]).toContain('2 examples left out (the first is');
    expect(lines.slice(3, 5).map((line) => /\d\.\d\d \[.*\]$/.exec(line)?.[0])).toEqual([
      '0.40 [0.30, 0.50]',
      '0.30 [0.20, 0.40]',
    ]);
    expect(lines.find((line) => line.startsWith('Placebo history  '))).toMatch(
      /nothing left of C +0\.010 \[−0\.010, 0\.030\] +0\.80 \[0\.70, 0\.90\] {2}fails$/,
    );
    expect(lines.some((line) => line.startsWith('Placebo history fails: '))).toBe(true);
    expect(lines.some((line) => line.startsWith('Own history passes'))).toBe(false);
  });

  it('as a page answers first, loads nothing, and escapes what it is given', () => {
    const html = renderRefutationHtml(mixed, [['Data', '<script>alert(1)</script>']]);
    expect(html).toContain('&#60;my-own-test&#62;');
    expect(html).not.toContain('<script>alert');
    expect(html).not.toMatch(/(src|href)=/);
    const first = html.slice(html.indexOf('<main>'), html.indexOf('<details'));
    expect(first).toContain('<p class="answer warning">');
    expect(first).toContain('2 examples left out');
    expect(html).not.toContain('n1');
    expect(first).toContain('<span class="verdict fails">fails</span>');
    expect(html.match(/<svg/g)).toHaveLength(2);
  });
});
