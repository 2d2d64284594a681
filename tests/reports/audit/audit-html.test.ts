/** @file The report of an audit: self-contained, the answer first, every picture with a table, safe with any text. */
import { describe, expect, it } from 'vitest';
import { renderAuditHtml } from '../../../src/reports/audit/audit-html.ts';
import { auditJson } from '../../../src/reports/audit/audit-json.ts';
import { renderAuditTerminal } from '../../../src/reports/audit/audit-table.ts';
import { percentOf, saidFindings } from '../../../src/reports/audit/audit-words.ts';
import { markupOf } from '../../../src/reports/text/html.ts';
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

  it('begins with the answer, what was left out, one picture and one table, all before the first fold', () => {
    const first = html.slice(html.indexOf('<main>'), html.indexOf('<details'));
    const said = saidFindings(audit);
    for (const code of ['history', 'left-out'])
      expect(first).toContain(markupOf(said.find(({ finding }) => finding.code === code)!.text));
    expect(first.match(/<p class="answer/g)).toHaveLength(1);
    expect(first.match(/<figure>/g)).toHaveLength(1);
    expect(first.match(/<table/g)).toHaveLength(1);
  });

  it('defines A, B, C and every kind of item', () => {
    for (const word of [
      'honest personalisation',
      'kind useful',
      'kind idle',
      'kind harmful',
      'kind redundant',
    ])
      expect(html).toContain(word);
  });

  it('has a table beside every chart, and names every chart for who cannot see it', () => {
    const sections = html
      .split(/<details class="section"/)
      .filter((section) => section.includes('<svg class="chart"'));
    expect(sections.length).toBe(6);
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
    expect(none).toContain('does not speak against C');
    expect(html).not.toContain('does not speak against C');
  });

  it('says that effects are teacher-forced', () => {
    expect(html).toContain('teacher-forced');
  });

  it('leaves no text or name in when redacted, with the users still told apart', () => {
    const redacted = texts(renderAuditHtml(audit, { redact: true }));
    expect(redacted).not.toMatch(names);
    expect(redacted).toContain('<bdi>user 2</bdi>');
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
  it('shows the answer first, the three effects, users and dose, and no escape of a user', () => {
    const text = renderAuditTerminal(
      exampleAudit({ byUser: [group('a\u001b[31m', 0.3), group('b', 0.1, 1)] }),
    );
    expect(text.split('\n')[0]).toBe(
      saidFindings(exampleAudit()).find(({ finding }) => finding.code === 'history')!.text,
    );
    expect(text).toContain('C  own against another user’s');
    expect(text).toContain('dose: the latest items');
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

it('percentages say by how much a token becomes likelier', () => {
  expect(percentOf(Math.log(1.26))).toBe('26%');
  expect(percentOf(Math.log(0.75))).toBe('25%');
  expect(percentOf(0.01)).toBe('1.0%');
});

// A bug: reports that travel held paths of the user's machine.
it('names a model by the last part of its path', () => {
  const model = '/home/somebody/models/tiny + /home/somebody/runs/a/adapter';
  for (const redact of [true, false]) {
    const html = renderAuditHtml(exampleAudit({ model }), { redact });
    expect(html).not.toContain('somebody');
    expect(html).toContain('tiny + a/adapter');
  }
  expect(JSON.stringify(auditJson(exampleAudit({ model }), { redact: true }))).not.toContain('somebody');
});
