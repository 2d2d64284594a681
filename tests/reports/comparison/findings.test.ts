/** @file Findings say what the intervals say, and turn when the numbers turn. */
import { describe, expect, it } from 'vitest';
import type { Estimate } from '../../../src/base/statistics/estimate.ts';
import type { Evaluation } from '../../../src/method/evaluation/results.ts';
import { describeFindings } from '../../../src/reports/comparison/findings.ts';
import { about, difference, exampleEvaluation } from './example-results.ts';

/** Findings of one evaluation that holds nothing but `extra`. */
const of = (extra: Partial<Evaluation>) => describeFindings([exampleEvaluation({ systems: [], ...extra })]);
const historyEffect = (total: Estimate, userSpecific: Estimate = about(0, 1)) =>
  of({ historyEffects: [{ system: 'sft', total, generic: about(0.1, 0.05), userSpecific }] });

describe('describeFindings on the effect of the history', () => {
  it('states a gain with its interval', () => {
    expect(historyEffect({ value: 0.31, low: 0.27, high: 0.35 }).found).toEqual([
      'With its history, the text of a new user costs less, in nats a token: sft 0.310 (95% 0.270 to 0.350).',
    ]);
  });

  it('states harm as harm, with positive sizes', () => {
    expect(historyEffect({ value: -0.31, low: -0.41, high: -0.2 }).found).toEqual([
      'The history hurts: with it, the text of a new user costs more, in nats a token: sft 0.31 (95% 0.20 to 0.41).',
    ]);
  });

  it('moves to what was not found as soon as the interval includes zero', () => {
    const { found, notFound } = historyEffect({ value: 0.31, low: -0.01, high: 0.63 });
    expect(found).toEqual([]);
    expect(notFound[0]).toBe(
      'A gain from the history was not shown for sft (−0.01 to 0.63 nats a token): the interval includes 0.',
    );
  });

  it('finds nothing with so few users that their signs may agree by chance', () => {
    const total = { value: 0.31, low: 0.27, high: 0.35 };
    const few = of({
      users: 4,
      historyEffects: [{ system: 'sft', total, generic: about(0, 1), userSpecific: total }],
    });
    expect(few.found).toEqual([]);
    expect(few.notFound[0]).toBe(
      'A gain from the history was not shown for sft (0.270 to 0.350 nats a token): 4 users cannot show it.',
    );
  });

  it('tells what is the user’s own from what any history gives', () => {
    expect(historyEffect(about(0, 1), about(0.14, 0.02)).found[0]).toContain(
      'A user’s own history is worth more than another user’s, in nats a token: sft 0.140',
    );
    expect(historyEffect(about(0, 1), about(0.01, 0.02)).notFound[1]).toContain(
      'whose history it is was not shown for sft (−0.010 to 0.030 nats a token)',
    );
    expect(historyEffect(about(0, 1), about(-0.14, 0.02)).found[0]).toContain(
      'Another user’s history is better than the user’s own, in nats a token: sft 0.140',
    );
  });

  it('parts the systems of one evaluation by what was shown of each', () => {
    const systems = ['base', 'sft', 'nextquill'] as const;
    const effects = systems.map((system, i) => ({
      system,
      total: about(i * 0.1, 0.05),
      generic: about(0, 0.1),
      userSpecific: about(0, 0.1),
    }));
    const { found, notFound } = of({ historyEffects: effects });
    expect(found[0]).toMatch(/sft .* and nextquill/);
    expect(found[0]).not.toContain('base');
    expect(notFound[0]).toContain('base');
    expect(notFound[1]).toMatch(/base .*, sft .* and nextquill/);
  });
});

describe('describeFindings on differences between systems', () => {
  it('says better or worse by what is good for the measure', () => {
    const sentence = (measure: Parameters<typeof difference>[0], value: number) =>
      of({ differences: [difference(measure, about(value, 0.02))] }).found[0];
    expect(sentence('nllWithHistory', -0.1)).toBe(
      'nextquill is better than sft in the held-out NLL with the user’s history: 0.100 nats a token lower (95% of the difference −0.120 to −0.080, p = 0.004).',
    );
    expect(sentence('nllWithHistory', 0.1)).toContain('is worse than sft');
    expect(sentence('userSpecificEffect', 0.1)).toContain('is better than sft');
    expect(sentence('userSpecificEffect', -0.1)).toContain('is worse than sft');
    expect(sentence('authorIdentification', 0.1)).toContain(
      'is better than sft in author identification: 10.0 points higher',
    );
  });

  it('does not call a difference whose interval includes zero', () => {
    const { found, notFound } = of({
      differences: [difference('nllWithHistory', { value: 0.005, low: -0.01, high: 0.02 })],
    });
    expect(found).toEqual([]);
    expect(notFound).toEqual([
      'nextquill and sft do not differ in the held-out NLL with the user’s history as far as these data show: 95% of the difference −0.010 to 0.020, which includes 0 (p = 0.004).',
    ]);
  });

  it('does not let rounding turn an end into zero', () => {
    const { found } = of({
      differences: [difference('nllWithHistory', { value: 0.05, low: 0.0004, high: 0.1 })],
    });
    expect(found[0]).toContain('0.0004 to');
  });
});

describe('the cold-start guard', () => {
  const guard = (value: number) =>
    of({ differences: [difference('nllWithoutHistory', about(value, 0.02), 'base')] });

  it('warns where users without history got worse, and says what to switch on', () => {
    const { found, notFound } = guard(0.06);
    expect(found).toEqual([]);
    expect(notFound[0]).toMatch(/^Warning, users without history: nextquill got worse for them, by 0\.060/);
    expect(notFound[0]).toContain('stopGradient');
    expect(notFound[0]).toContain('anchor');
  });

  it('does not warn where they gained or nothing was shown', () => {
    expect(guard(-0.06).found[0]).toContain('costs 0.060 nats a token less than base');
    expect(guard(0.01).notFound[0]).toContain('no change was shown');
    expect(guard(0.01).notFound[0]).not.toContain('Warning');
  });

  it('compares with the system that training started from, whatever its name', () => {
    const differences = [difference('nllWithoutHistory', about(0.06, 0.02), 'smollm2')];
    const evaluation = exampleEvaluation({ systems: [], differences });
    expect(describeFindings([evaluation]).found[0]).toContain('is worse than smollm2');
    expect(describeFindings([evaluation], { baseSystem: 'smollm2' }).notFound[0]).toContain('Warning');
  });
});

describe('describeFindings on known causes and authors', () => {
  const auc = (value: number, half = 0.03) => of({ effectAuc: [{ ...about(value, half), system: 'sft' }] });

  it('reads an AUC against one half', () => {
    expect(auc(0.91).found[0]).toContain('AUC sft 0.910 (95% 0.880 to 0.940)');
    expect(auc(0.91).found[0]).toContain('91% of the time');
    expect(auc(0.52).notFound[0]).toContain('0.5 is chance');
    expect(auc(0.3).found[0]).toContain('run against the known causes');
  });

  it('reads author identification against one in k', () => {
    const systems = (value: number) =>
      exampleEvaluation().systems.map((system) => ({
        ...system,
        authorIdentification: { ...about(value, 0.1), k: 4, matching: 'period' },
      }));
    expect(of({ systems: systems(0.6) }).found[0]).toContain(
      'among 4 histories (matched by period; chance 25%)',
    );
    expect(of({ systems: systems(0.6) }).found[0]).toContain('sft 60% (95% 50% to 70%) and nextquill 60%');
    expect(of({ systems: systems(0.3) }).found).toEqual([]);
    expect(of({ systems: systems(0.3) }).notFound[0]).toContain('was not shown');
    expect(of({ systems: systems(0.1) }).found[0]).toContain('less often than chance');
  });
});

describe('describeFindings on several evaluations', () => {
  it('names the evaluation of each sentence only where there are several', () => {
    const one = exampleEvaluation();
    const other = exampleEvaluation({ name: 'Presidents', users: 9 });
    expect(describeFindings([one]).found[0]).not.toContain('Simulated users');
    const { found, notFound } = describeFindings([one, other]);
    expect(found.map((text) => text.split(':')[0])).toEqual(['Simulated users', 'Presidents']);
    expect(notFound).toEqual([
      'Presidents: The intervals rest on 9 held-out users only; with so few, bootstrap intervals are too narrow.',
    ]);
  });

  it('says that one user has no interval', () => {
    expect(of({ users: 1 }).notFound[0]).toContain('one held-out user only');
  });
});
