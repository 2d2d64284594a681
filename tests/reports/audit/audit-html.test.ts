/** @file The report of an audit: self-contained, the answer first, every picture with a table, safe with any text. */
import { describe, expect, it } from 'vitest';
import { answerOf } from '../../../src/reports/audit/answer.ts';
import { renderAuditHtml } from '../../../src/reports/audit/audit-html.ts';
import { auditJson } from '../../../src/reports/audit/audit-json.ts';
import { renderAuditTerminal } from '../../../src/reports/audit/audit-table.ts';
import { textHtml } from '../../../src/reports/text/html-page.ts';
import { about } from '../comparison/example-results.ts';
import { exampleAudit, group } from './example-audit.ts';

const names =
  /Usula|Userword|Ulf|Secondname|Domainword|Otherdomain|Textword|Historyword|Queryword|example-word/;
const texts = (html: string) => html.replace(/<(style|script)>.*?<\/\1>/gs, '');

describe('renderAuditHtml', () => {
  const audit = exampleAudit();
  const html = renderAuditHtml(audit);

  it('loads nothing, and has no style or handler outside its own', () => {
    expect(html).not.toMatch(/https?:|\/\/[a-z]/i);
    expect(html).not.toMatch(/<(?:link|img|iframe|object|embed|form|base|a)\b/i);
    expect(html).not.toMatch(/ style=| on\w+=/);
    expect(html).toContain("default-src 'none'");
  });

  it('begins with the answer', () => {
    const at = answerOf(audit).map((sentence) => html.indexOf(textHtml(sentence)));
    expect(at.every((place) => place > 0 && place < html.indexOf('<h2>How much</h2>'))).toBe(true);
  });

  it('defines A, B, C and every kind of item', () => {
    for (const word of ['honest personalisation', 'useful', 'idle', 'harmful', 'redundant', 'its twin'])
      expect(html).toContain(word);
  });

  it('has a table beside every chart, and names every chart for who cannot see it', () => {
    const sections = html.split('<section>').filter((section) => section.includes('<svg class="chart"'));
    expect(sections.length).toBe(5);
    for (const section of sections) expect(section).toContain('<table');
    const charts = html.match(/<svg class="chart"[^>]*>/g)!;
    expect(charts.filter((chart) => !/role="img" aria-label="[^"]+"/.test(chart))).toEqual([]);
  });

  it('marks users who are judged by too few texts', () => {
    expect(html).toContain('Ulf Secondname (1)');
    expect(html).toContain('1 user of 12 is judged by fewer than 5 texts');
  });

  it('says why no single token may be found though C is clear', () => {
    const { where } = exampleAudit();
    const personal = { ...where.personal!, share: about(0, 0), strongest: [] };
    const none = renderAuditHtml(exampleAudit({ where: { ...where, personal } }));
    expect(none).toContain('makes no token likelier');
    expect(none).toContain('no evidence against C');
    expect(html).not.toContain('no evidence against C');
  });

  it('says what was left out and that effects are teacher-forced', () => {
    expect(html).toContain('Left out: 2 examples without a history.');
    expect(html).toContain('Left out: 1 example whose query and response do not fit');
    expect(html).toContain('teacher-forced');
  });

  it('leaves no text or name in when redacted, with the users still told apart', () => {
    const redacted = texts(renderAuditHtml(audit, { redact: true }));
    expect(redacted).not.toMatch(names);
    expect(redacted).toContain('for user 1 down to −9.5% for user 2');
    expect(JSON.stringify(auditJson(audit, { redact: true }))).not.toMatch(names);
    expect(renderAuditTerminal(audit, { redact: true })).not.toMatch(names);
  });

  it.each(['</title><script>alert(1)</script>', '" onmouseover="alert(1)', '\u202eabc\u0000'])(
    'keeps names and domains text: %s',
    (attack) => {
      const hostile = renderAuditHtml(
        exampleAudit({
          model: attack,
          byUser: [group(attack, 1), group('b', 0)],
          byDomain: [group(attack, 1), group('b', 0)],
        }),
      );
      expect(hostile.match(/<script/g)).toHaveLength(1);
      for (const part of [' onmouseover="', '\u202e', '\u0000']) expect(texts(hostile)).not.toContain(part);
    },
  );

  it('draws audits without domains, tests of tokens or maps', () => {
    const { where } = exampleAudit();
    const bare = renderAuditHtml(
      exampleAudit({
        byDomain: [],
        where: { thirds: where.thirds },
        maps: { most: [], least: [] },
        others: 1,
      }),
    );
    expect(bare).not.toContain('By domain');
    expect(bare).not.toContain('Benjamini');
    expect(bare).not.toContain('Which texts');
  });
});

describe('renderAuditTerminal', () => {
  it('shows the answer, the three effects, users, dose and items, and no escape of a user', () => {
    const text = renderAuditTerminal(
      exampleAudit({ byUser: [group('a\u001b[31m', 0.3), group('b', 0.1, 1)] }),
    );
    expect(text).toContain('C  own against another user’s');
    expect(text).toContain('dose: the latest items');
    expect(text).toContain('items of 2 texts: 2 useful');
    expect(text).not.toContain('\u001b');
  });

  it('shows no interval where none is known', () => {
    expect(renderAuditTerminal(exampleAudit())).toMatch(/Ulf Secondname +0\.000 /);
    expect(
      renderAuditTerminal(
        exampleAudit({ effects: { total: about(1, 0), generic: about(0, 0), userSpecific: about(1, 0) } }),
      ),
    ).toContain('against none     1.00 ');
  });
});
