/**
 * @file The worker on PyTorch has the objectives that this package has: same rows, options, defaults and plans. A row or an
 * option that is added here fails until python/nextquill_torch has it, too; `vitest run -u` writes both files.
 */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  defaultObjectiveOptions,
  type ObjectiveOptions,
} from '../../src/method/objectives/objective-options.ts';
import {
  type ObjectiveRow,
  objectiveNames,
  objectiveOf,
  objectiveTable,
} from '../../src/method/objectives/objectives.ts';
import { type EstimatorName, planObjective } from '../../src/method/objectives/plan.ts';

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
const rows: [string, ObjectiveRow][] = Object.entries(objectiveTable);

describe('the objectives of Python', () => {
  it('have every row, alias, option and default', async () => {
    const aliases = objectiveNames.filter((name) => !Object.hasOwn(objectiveTable, name));
    const table = {
      objectives: Object.fromEntries(
        rows.map(([name, { fit, rule, difference, preference = false }]) => [
          name,
          { fit, rule, difference, preference },
        ]),
      ),
      aliases: Object.fromEntries(
        aliases.map((name) => {
          const { objective, options } = objectiveOf(name);
          return [name, { objective, options }];
        }),
      ),
      options: defaultObjectiveOptions,
    };
    await expect(json(table)).toMatchFileSnapshot('../../python/nextquill_torch/objectives.json');
  });

  it('know every rule that a row has', async () => {
    const source = await readFile('python/nextquill_torch/objective.py', 'utf8');
    const known = (name: string) => new RegExp(`^${name} = \\((.*)\\)$`, 'm').exec(source)?.[1] ?? '';
    for (const [, { fit, rule, difference }] of rows) {
      expect(known('FITS')).toContain(`"${fit}"`);
      expect(known('RULES')).toContain(`"${rule}"`);
      expect(known('DIFFERENCES')).toContain(`"${difference}"`);
    }
  });

  it('have the plans that follow from their options, for the tests of Python', async () => {
    const variants: readonly [ObjectiveOptions, EstimatorName][] = [
      [{}, 'dynamic'],
      [{}, 'fixed'],
      [{}, 'moving-average'],
      [{ softWeights: true }, 'dynamic'],
      [{ stopGradient: true }, 'dynamic'],
      [{ weightGradient: true }, 'dynamic'],
      [{ anchorWeight: 0.1 }, 'dynamic'],
      [{ plainWeight: 1 }, 'dynamic'],
      [{ weightsFrom: 'userSpecific' }, 'dynamic'],
      [{ weightsFrom: 'userSpecific' }, 'fixed'],
      [{ startMargin: false }, 'dynamic'],
      [{ copyDiscount: 1 }, 'dynamic'],
      [{ targetWeight: 1 }, 'fixed'],
      [{ differenceFrom: 'otherHistory' }, 'dynamic'],
      [{ calibrationWeight: 0.5 }, 'dynamic'],
      [{ contrastWeight: 0.5 }, 'dynamic'],
      [{ contrastWeight: 0.5, contrastHistories: 3, effectWarmup: 0.5 }, 'dynamic'],
      [{ calibrationWeight: 0.5, effectStart: 0.5, stopGradient: true }, 'dynamic'],
      [{ differenceAt: 'preferenceTokens' }, 'dynamic'],
      [{ differenceAt: 'preferenceTokens' }, 'fixed'],
      [{ differenceAt: 'preferenceTokens', weightsFrom: 'userSpecific' }, 'dynamic'],
    ];
    const plans = objectiveNames.flatMap((name) =>
      variants.flatMap(([options, estimator]) => {
        try {
          const { fit, rule, difference, passes, needs } = planObjective(name, options, estimator);
          return [{ name, options, estimator, plan: { fit, weights: rule, difference, passes, needs } }];
        } catch {
          return []; // An option or estimator that would change nothing is refused.
        }
      }),
    );
    expect(plans.length).toBeGreaterThan(40);
    const golden = { madeBy: 'nextquill', script: 'tests/python/objectives.test.ts', plans };
    await expect(json(golden)).toMatchFileSnapshot('../golden/objective-plans.json');
  });
});
