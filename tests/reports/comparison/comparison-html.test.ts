/** @file The report: whole, self-contained, escaped, and free of texts when redacted. */
import { describe, expect, it } from 'vitest';
import {
  type ComparisonReport,
  renderComparison as renderReport,
} from '../../../src/reports/comparison/comparison-html.ts';
import { exampleMap } from '../heat-map/example-map.ts';
import { about, difference, exampleEvaluation } from './example-results.ts';

const data = {
  question: 'What was learned?',
  facts: '23 November 2026',
  system: 'sft',
  introduction: ['Two systems, one base.'],
  evaluations: [
    exampleEvaluation({
      historyEffects: [
        { system: 'sft', total: about(0.3, 0.1), generic: about(0.1, 0.1), userSpecific: about(0.2, 0.1) },
      ],
      differences: [difference('nllWithHistory', about(-0.1, 0.05))],
      effectAuc: [{ ...about(0.9, 0.02), system: 'nextquill' }],
    }),
  ],
  lossCurves: [{ system: 'nextquill', steps: [1, 2, 3].map((step) => ({ step, loss: 3 - step / 10 })) }],
  maps: [exampleMap('Quietly devastating', [1, 2])],
  warnings: ['Something was left out.'],
  provenance: [
    ['model', 'embedded'],
    ['seed', '7'],
  ],
} satisfies ComparisonReport;

describe('renderReport', () => {
  const html = renderReport(data);

  it('loads nothing and has one script', () => {
    expect(html).not.toMatch(/https?:|\/\/[a-z]/i);
    expect(html).not.toMatch(
      /<(?:link|img|iframe|object|embed|form|base|a)\b|url\(|@import| style=| on\w+=/i,
    );
    expect(html.match(/<script/g)).toHaveLength(1);
  });

  it('shows findings, warnings, numbers with intervals, charts, maps and provenance', () => {
    expect(html).toContain('<p class="answer shown">Yes');
    expect(html).toMatch(/<li class="warning"><span class="unseen">Warning: <\/span>Something was left out/);
    expect(html).toContain('3.00 <span class="interval">2.90 to 3.10</span>');
    expect(html).toContain('−0.10 <span class="interval">−0.15 to −0.05</span>');
    expect(html).toContain('devastating');
    expect(html).toContain('<th scope="row">seed</th><td>7</td>');
    expect(html).toContain('aria-label="Training loss; ');
    expect(html).toContain('aria-label="AUC of effects against known causes; nextquill: 0.900');
    expect(html).not.toMatch(/NaN|undefined|\[object/);
  });

  it('gives a system one colour on the whole page', () => {
    // nextquill is the second system of the table, so its loss curve is of the second system's colour, too.
    const training = html.slice(html.indexOf('Training loss'));
    expect(training.indexOf('>nextquill</text>')).toBeGreaterThan(training.indexOf('<g class="s4">'));
    expect(/<g class="s4"><title>nextquill: /.test(html)).toBe(true);
    expect(/<g class="s3"><title>nextquill: /.test(html)).toBe(false);
  });

  it('has one sentence, one picture and one table before the first fold of the report', () => {
    const first = html.slice(html.indexOf('<main>'), html.indexOf('<details class="section"'));
    expect(first.match(/<p class="answer/g)).toHaveLength(1);
    expect(first.match(/<article class="map"/g)).toHaveLength(1);
    expect(first.match(/aria-label="Systems, /g)).toHaveLength(1);
  });

  // A bug: the warning that users without history got worse stood under what was not found.
  it('puts the warning of the cold start on the first screen', () => {
    const differences = [difference('nllWithoutHistory', about(0.1, 0.02), 'base')];
    const cold = renderReport({ ...data, evaluations: [exampleEvaluation({ differences })] });
    const first = cold.slice(cold.indexOf('<main>'), cold.indexOf('<details class="section"'));
    expect(first).toContain('Users without a history pay');
    expect(cold.slice(cold.indexOf('Not found'))).not.toContain('Users without a history pay');
  });

  // A bug: over a table in which both systems helped users without a history stood that they pay, for it was so elsewhere.
  it('says of several evaluations where users without a history pay, once for all systems', () => {
    const worse = [
      difference('nllWithoutHistory', about(0.1, 0.02), 'base'),
      { ...difference('nllWithoutHistory', about(0.1, 0.02), 'base'), system: 'sft' },
    ];
    const html = renderReport({
      ...data,
      evaluations: [
        exampleEvaluation({ name: 'here', differences: [] }),
        exampleEvaluation({ name: 'elsewhere', differences: worse }),
      ],
    });
    const first = html.slice(html.indexOf('<main>'), html.indexOf('<details class="section"'));
    expect(first.match(/Users without a history pay/g)).toHaveLength(1);
    expect(first).toMatch(/elsewhere\. Users without a history pay/);
    expect(first).toMatch(/under nextquill and sft than/);
  });

  it('leaves out what there is no data for', () => {
    const bare = renderReport({ ...data, lossCurves: [], maps: [], introduction: [] });
    expect(bare).not.toContain('<h2>Training</h2>');
    expect(bare).not.toContain('class="tools"');
    expect(bare).not.toContain('What was compared');
  });

  it('says an interval only where it says more than the value', () => {
    const all = { value: 1, low: 1, high: 1 };
    const systems = data.evaluations[0]!.systems.map((system) => ({
      ...system,
      authorIdentification: { ...system.authorIdentification!, ...all, high: 1 + 1e-9 },
    }));
    expect(renderReport({ ...data, evaluations: [exampleEvaluation({ systems })] })).toContain(
      '<td>1.0000</td>',
    );
  });

  it('escapes every text that it is given', () => {
    const attack = '"><script>alert(1)</script></style>';
    const attacked = renderReport({
      ...data,
      question: attack,
      facts: attack,
      system: attack,
      introduction: [attack],
      evaluations: [
        exampleEvaluation({
          name: attack,
          systems: data.evaluations[0]!.systems.map((system) => ({
            ...system,
            name: attack,
          })),
          differences: [{ ...difference('nllWithHistory', about(1, 1)), system: attack, baseline: attack }],
        }),
      ],
      lossCurves: [{ system: attack, steps: data.lossCurves[0]!.steps }],
      warnings: [attack],
      provenance: [[attack, attack]],
    });
    expect(attacked.match(/<script/g)).toHaveLength(1);
    expect(attacked.match(/<\/style/g)).toHaveLength(1);
  });

  it('gives every difference its p-value', () => {
    const small = { ...difference('nllWithHistory', about(-0.1, 0.05)), pValue: 0.0001 };
    const shown = renderReport({ ...data, evaluations: [exampleEvaluation({ differences: [small] })] });
    expect(shown).toContain('<td>&#60; 0.001</td>');
    expect(html).toContain('<td>0.004</td>');
    expect(html).toContain('paired permutation test by user');
  });

  it('holds no text of a user when redacted, and says which of the two it is', () => {
    const redacted = renderReport(data, { redact: true });
    expect(redacted).not.toMatch(/Quietly|devastating|Usula|Queryword|Historyword|Earlierquery|Metaword/);
    expect(redacted).toContain('Texts have been replaced by their lengths.');
    expect(html).toContain('This file holds texts of users');
  });
});
