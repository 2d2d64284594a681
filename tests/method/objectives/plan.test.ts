/** @file An objective as one value: what follows from its name, its options and its estimator. */
import { describe, expect, it } from 'vitest';
import { defaultObjectiveOptions } from '../../../src/method/objectives/objective-options.ts';
import { objectiveNames } from '../../../src/method/objectives/objectives.ts';
import {
  type EstimatorName,
  optionsInUse,
  passNamesOf,
  planObjective,
  planOf,
  reachesWithoutHistory,
  recordOf,
} from '../../../src/method/objectives/plan.ts';

const NOTHING = {
  estimate: false,
  generic: false,
  copied: false,
  placeboMost: false,
  anchor: false,
  scale: false,
  others: 0,
  startMargin: false,
};

const DEFAULT_OPTIONS = { calibrationWeight: 0.3 };

describe('a plan', () => {
  it('is nextquill where nothing is named, and knows the alias that was', () => {
    expect(planObjective()).toEqual(planObjective('nextquill'));
    expect(planObjective()).toMatchObject({
      name: 'sft',
      requested: 'nextquill',
      rule: 'uniform',
      difference: 'none',
      options: { ...defaultObjectiveOptions, ...DEFAULT_OPTIONS },
      effectLosses: ['calibration'],
      passes: 'pair',
      needs: NOTHING,
    });
  });

  it.each([
    ['sft', {}, 'dynamic', 'withHistory'],
    ['sft-no-history', {}, 'dynamic', 'withoutHistory'],
    ['sft', { anchorWeight: 0.1 }, 'dynamic', 'pair'],
    ['sft-no-history', { anchorWeight: 0.1 }, 'dynamic', 'withoutHistory'],
    ['perce', {}, 'dynamic', 'pair'],
    ['perce', {}, 'fixed', 'withHistory'],
    ['perce', {}, 'moving-average', 'withHistory'],
    ['nextquill-code', {}, 'fixed', 'pair'],
    ['nextquill-data-side', { plainWeight: 1 }, 'dynamic', 'withHistory'],
    ['sft', { calibrationWeight: 0.5 }, 'dynamic', 'pair'],
    ['cft', { differenceAt: 'preferenceTokens' }, 'fixed', 'pair'],
  ] as const)('of %s with %o and a %s estimator takes the passes %s', (name, options, estimator, passes) => {
    expect(planObjective(name, options, estimator).passes).toBe(passes);
  });

  it('that prefers the own history reads another one, and asks the starting model unless it is told not to', () => {
    expect(passNamesOf(planObjective('mipo'))).toEqual(['withHistory', 'otherHistory']);
    expect(passNamesOf(planObjective('mipo', { anchorWeight: 1 }))).toEqual([
      'withHistory',
      'withoutHistory',
      'otherHistory',
    ]);
    expect(planObjective('mipo').needs).toEqual({ ...NOTHING, others: 1, startMargin: true });
    expect(planObjective('mipo', { startMargin: false }).needs).toEqual({ ...NOTHING, others: 1 });
  });

  it('has soft weights where they are on, and none where the whole fit is plain', () => {
    expect(planObjective('nextquill-js', { softWeights: true }).rule).toBe('soft');
    expect(planObjective('perce', { plainWeight: 1 }).rule).toBe('uniform');
    expect(planObjective('nextquill-paper', { plainWeight: 1 }).rule).toBe('threshold');
  });

  it('needs what its options and its estimator ask for', () => {
    const needs = (estimator: EstimatorName, options = {}) =>
      planObjective('nextquill-paper', options, estimator).needs;
    expect(needs('dynamic')).toEqual(NOTHING);
    expect(needs('moving-average')).toEqual({ ...NOTHING, estimate: true });
    expect(needs('dynamic', { weightsFrom: 'userSpecific' })).toEqual({ ...NOTHING, generic: true });
    expect(needs('dynamic', { copyDiscount: 1 })).toEqual({ ...NOTHING, copied: true });
    expect(needs('dynamic', { anchorWeight: 1 })).toEqual({ ...NOTHING, anchor: true });
    expect(needs('dynamic', { effectWarmup: 0.5 })).toEqual({ ...NOTHING, scale: true });
    expect(needs('dynamic', { effectStart: 0.5 })).toEqual({ ...NOTHING, scale: true });
  });

  it('asks effects where they choose the tokens of the logit difference, whatever weighs the fit', () => {
    const chosen = { differenceAt: 'preferenceTokens' } as const;
    expect(planObjective('cft', chosen)).toMatchObject({
      asksEffects: true,
      rule: 'uniform',
      needs: NOTHING,
    });
    expect(planObjective('cft', chosen, 'fixed').needs).toEqual({ ...NOTHING, estimate: true });
    expect(planObjective('cft', { ...chosen, weightsFrom: 'userSpecific' }).needs).toEqual({
      ...NOTHING,
      generic: true,
    });
    expect(() => planObjective('cft', {}, 'fixed')).toThrowError(
      expect.objectContaining({ code: 'training/estimator' }),
    );
  });

  it('whose difference is from another user’s history takes that pass in place of the one without', () => {
    const from = { differenceFrom: 'otherHistory' } as const;
    expect(passNamesOf(planObjective('cft', from))).toEqual(['withHistory', 'otherHistory']);
    expect(planObjective('cft', from).needs).toEqual({ ...NOTHING, others: 1 });
    expect(passNamesOf(planObjective('perce-cft', from))).toEqual([
      'withHistory',
      'withoutHistory',
      'otherHistory',
    ]);
    expect(reachesWithoutHistory(planObjective('perce-cft'))).toBe(true);
    expect(reachesWithoutHistory(planObjective('perce-cft', from))).toBe(false);
  });

  it('that contrasts histories takes a pass for each other one, and none without history', () => {
    const plan = planObjective('sft', { contrastWeight: 1, contrastHistories: 3 });
    expect(passNamesOf(plan)).toEqual(['withHistory', 'otherHistory', 'otherHistory2', 'otherHistory3']);
    expect(plan.needs).toEqual({ ...NOTHING, others: 3 });
    expect(reachesWithoutHistory(plan)).toBe(false);
    // The first of them serves whatever else compares with another history.
    const both = planObjective('mipo', { contrastWeight: 1, effectStart: 0.5 });
    expect(both.needs).toEqual({ ...NOTHING, others: 1, startMargin: true, scale: true });
  });

  it.each([
    ['sft-no-history', { contrastWeight: 1 }],
    ['sft', { contrastHistories: 2 }],
    ['sft', { contrastTemperature: 1 }],
    // The contrast moves all passes.
    ['sft', { contrastWeight: 1, stopGradient: true }],
    ['sft', { contrastWeight: 1, contrastTemperature: 0 }],
    ['sft', { contrastWeight: 1, contrastHistories: 0 }],
  ] as const)('of %s refuses %o', (name, options) => {
    expect(() => planObjective(name, options)).toThrowError(
      expect.objectContaining({ code: 'objective/option' }),
    );
  });

  it('with effects as targets needs another estimator than the model in training, and others’ histories', () => {
    const plan = planObjective('sft', { targetWeight: 1, others: 5 }, 'fixed');
    expect(plan).toMatchObject({ effectLosses: ['targets'], passes: 'pair', rule: 'uniform' });
    expect(plan.needs).toEqual({ ...NOTHING, estimate: true, placeboMost: true });
    expect(() => planObjective('sft', { targetWeight: 1 })).toThrowError(
      expect.objectContaining({ code: 'training/estimator' }),
    );
  });

  it.each(objectiveNames)('of %s comes back from its record', (name) => {
    const plan = planObjective(name, { anchorWeight: 0.5 });
    expect(planOf(JSON.parse(JSON.stringify(recordOf(plan))))).toEqual(plan);
  });

  it('lists the options that change something', () => {
    expect(optionsInUse(planObjective('sft'))).toEqual({});
    expect(optionsInUse(planObjective('sft', { calibrationWeight: 1 }))).toEqual({
      calibrationWeight: 1,
      strengthSpread: 0.25,
    });
    expect(optionsInUse(planObjective('nextquill'))).toEqual({ ...DEFAULT_OPTIONS, strengthSpread: 0.25 });
    expect(optionsInUse(planObjective('nextquill-paper', { weightsFrom: 'userSpecific' }))).toMatchObject({
      effectThreshold: 0.05,
      others: 3,
    });
  });
});
