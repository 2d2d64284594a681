/** @file Findings say what the intervals say, and turn when the numbers turn. */
import { describe, expect, it } from 'vitest';
import type { Estimate } from '../../../src/base/statistics/estimate.ts';
import {
  type EvaluationFinding,
  evaluationFindings,
  SMALLEST_WORTH_WARNING,
} from '../../../src/method/evaluation/findings.ts';
import type { Evaluation } from '../../../src/method/evaluation/results.ts';
import { about, difference, exampleEvaluation } from '../../reports/comparison/example-results.ts';

/** Findings of one evaluation that holds nothing but `extra`. */
const of = (extra: Partial<Evaluation>) => evaluationFindings([exampleEvaluation({ systems: [], ...extra })]);
const historyEffect = (total: Estimate, userSpecific: Estimate = about(0, 1)) =>
  of({ historyEffects: [{ system: 'sft', total, generic: about(0.1, 0.05), userSpecific }] });

describe('the effect of the history', () => {
  it('is shown, harm as harm, where its interval excludes 0, and open where not', () => {
    expect(historyEffect(about(0.31, 0.04))[0]).toMatchObject({ kind: 'shown', code: 'total', side: 1 });
    expect(historyEffect(about(-0.31, 0.1))[0]).toMatchObject({ kind: 'shown', code: 'total', side: -1 });
    expect(historyEffect(about(0.31, 0.32))[0]).toMatchObject({ kind: 'open', code: 'total', side: 0 });
  });

  it('is not shown by so few users that their signs may agree by chance', () => {
    const total = about(0.31, 0.04);
    const few = of({
      users: 4,
      historyEffects: [{ system: 'sft', total, generic: about(0, 1), userSpecific: total }],
    });
    expect(few.map(({ kind }) => kind)).toEqual(['open', 'open', 'warning']);
  });

  it('is told apart from what is the user’s own', () => {
    const side = (userSpecific: Estimate) =>
      historyEffect(about(0, 1), userSpecific).find(({ code }) => code === 'user-specific');
    expect(side(about(0.14, 0.02))).toMatchObject({ side: 1 });
    expect(side(about(0.01, 0.02))).toMatchObject({ side: 0 });
    expect(side(about(-0.14, 0.02))).toMatchObject({ side: -1 });
  });

  it('parts the systems of one evaluation by what was shown of each', () => {
    const effects = ['base', 'sft', 'nextquill'].map((system, i) => ({
      system,
      total: about(i * 0.1, 0.05),
      generic: about(0, 0.1),
      userSpecific: about(0, 0.1),
    }));
    const totals = of({ historyEffects: effects }).flatMap((finding) =>
      finding.code === 'total' ? [[finding.side, finding.systems.map(({ system }) => system)]] : [],
    );
    expect(totals).toEqual([
      [1, ['sft', 'nextquill']],
      [0, ['base']],
    ]);
  });
});

describe('differences between systems', () => {
  const found = (...differences: Parameters<typeof difference>[]) =>
    of({ differences: differences.map((each) => difference(...each)) }).filter(
      (finding): finding is EvaluationFinding & { code: 'difference' } => finding.code === 'difference',
    );

  it('are better or worse only by the loss with the own history, and by author identification', () => {
    expect(found(['nllWithHistory', about(-0.1, 0.02)])[0]).toMatchObject({ side: -1, isBetter: true });
    expect(found(['nllWithHistory', about(0.1, 0.02)])[0]).toMatchObject({ isBetter: false });
    expect(found(['authorIdentification', about(0.1, 0.02)])[0]).toMatchObject({ isBetter: true });
    for (const measure of [
      'nllOtherHistory',
      'nllWithoutHistory',
      'totalEffect',
      'userSpecificEffect',
    ] as const)
      expect(found([measure, about(0.1, 0.02)])[0]).not.toHaveProperty('isBetter');
  });

  // A bug: "nextquill is better than sft in C" where only a stranger's history got worse.
  it('in an effect say which side moved', () => {
    const moved = (own: number, other: number) =>
      found(
        ['userSpecificEffect', about(0.1, 0.02)],
        ['nllWithHistory', about(own, 0.02)],
        ['nllOtherHistory', about(other, 0.02)],
      )[0]!.moved;
    expect(moved(0, 0.1)).toBe('other');
    expect(moved(-0.1, 0)).toBe('own');
    expect(moved(-0.1, 0.1)).toBe('both');
    expect(moved(0.01, 0.01)).toBe('unknown');
    expect(found(['userSpecificEffect', about(0.1, 0.02)])[0]!.moved).toBe('unknown');
    expect(found(['userSpecificEffect', about(0.1, 0.2)])[0]).not.toHaveProperty('moved');
  });

  it('without history against the base are the cold start, whose loss is a warning', () => {
    const guard = (value: number) =>
      of({ differences: [difference('nllWithoutHistory', about(value, 0.02), 'base')] })[0]!;
    expect(guard(0.06)).toMatchObject({ kind: 'warning', code: 'cold-start', side: 1 });
    expect(guard(-0.06)).toMatchObject({ kind: 'shown', code: 'cold-start', side: -1 });
    expect(guard(0.01)).toMatchObject({ kind: 'open', code: 'cold-start', side: 0 });
  });

  // A bug: a warning of the cold start at "0.000 [0.000, 0.000]".
  it('without history are no warning where they round to nothing', () => {
    const guard = (value: number) =>
      of({ differences: [difference('nllWithoutHistory', about(value, value / 2), 'base')] })[0]!;
    expect(guard(0.0002)).toMatchObject({ kind: 'shown', code: 'cold-start', side: 1 });
    expect(guard(SMALLEST_WORTH_WARNING)).toMatchObject({ kind: 'warning' });
  });

  it('compare with the system that training started from, whatever its name', () => {
    const differences = [difference('nllWithoutHistory', about(0.06, 0.02), 'smollm2')];
    const evaluation = exampleEvaluation({ systems: [], differences });
    expect(evaluationFindings([evaluation])[0]!.code).toBe('difference');
    expect(evaluationFindings([evaluation], { baseSystem: 'smollm2' })[0]!.kind).toBe('warning');
  });
});

describe('known causes and authors', () => {
  it('are read against one half, and against one in k', () => {
    const auc = (value: number) => of({ effectAuc: [{ ...about(value, 0.03), system: 'sft' }] })[0];
    expect([auc(0.91), auc(0.52), auc(0.3)]).toMatchObject([{ side: 1 }, { side: 0 }, { side: -1 }]);
    const author = (value: number) =>
      of({
        systems: exampleEvaluation().systems.map((system) => ({
          ...system,
          authorIdentification: { ...about(value, 0.1), k: 4, matching: {} },
        })),
      }).find(({ code }) => code === 'author');
    expect([author(0.6), author(0.3), author(0.1)]).toMatchObject([{ side: 1 }, { side: 0 }, { side: -1 }]);
  });
});

it('few users are a warning of their own, under the name of their evaluation', () => {
  const evaluations = [exampleEvaluation(), exampleEvaluation({ name: 'Presidents', users: 9 })];
  expect(evaluationFindings(evaluations).filter(({ code }) => code === 'few-users')).toEqual([
    { kind: 'warning', code: 'few-users', about: 'Presidents', users: 9 },
  ]);
});
