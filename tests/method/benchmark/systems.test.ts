/** @file Systems of one's own in a benchmark: what they become, and what is refused before anything is trained. */
import { describe, expect, it } from 'vitest';
import {
  benchmarkSystems,
  identityOf,
  type SystemEntry,
  systemsOf,
} from '../../../src/method/benchmark/systems.ts';

describe('the systems of a benchmark', () => {
  it('are those of the table, and objectives with options that are shown a history where they are fitted with one', () => {
    const systems = systemsOf([
      'sft',
      {
        name: 'gentle',
        objective: 'nextquill-paper',
        objectiveOptions: { effectWeight: 0.01 },
        estimator: 'fixed',
      },
      { name: 'blind', objective: 'sft-no-history' },
      { name: 'gentle-scaled', scaled: 'gentle' },
    ]);
    expect([...systems.keys()]).toEqual(['sft', 'gentle', 'blind', 'gentle-scaled']);
    expect(systems.get('sft')).toBe(benchmarkSystems.sft);
    expect(systems.get('gentle')).toMatchObject({
      retrieval: 'latest',
      training: { objective: 'nextquill-paper', options: { effectWeight: 0.01 }, estimator: 'fixed' },
    });
    expect(systems.get('blind')!.retrieval).toBeUndefined();
    expect(systems.get('gentle-scaled')).toMatchObject({ adapterOf: 'gentle', scales: 'history' });
  });

  it.each<[string, SystemEntry[]]>([
    ['benchmark/duplicate', ['sft', 'sft']],
    ['benchmark/duplicate', [{ name: 'sft', objective: 'sft' }]],
    ['benchmark/scaled', ['latest', { name: 'mine', scaled: 'latest' }]],
    ['benchmark/scaled', ['sft-no-history', { name: 'mine', scaled: 'sft-no-history' }]],
    ['benchmark/scaled', ['oppu', { name: 'mine', scaled: 'oppu' }]],
    ['benchmark/scaled', [{ name: 'mine', scaled: 'sft' }]],
    ['objective/option', [{ name: 'mine', objective: 'sft', objectiveOptions: { effectWeight: 0.3 } }]],
  ])('%s: %j', (code, entries) => {
    expect(() => systemsOf(entries)).toThrow(expect.objectContaining({ code }));
  });

  // A bug: a folder kept the cells of the default objective of another version under its name.
  it('are known by what the name of their objective stands for', () => {
    const own = systemsOf([{ name: 'mine', objective: 'nextquill' }]).get('mine')!;
    const brought = { calibrationWeight: 0.3 };
    expect(identityOf(benchmarkSystems.nextquill)).toEqual([benchmarkSystems.nextquill, brought]);
    expect(identityOf(own)).toEqual([own, brought]);
    for (const name of ['sft', 'perce', 'latest', 'cft'] as const)
      expect(identityOf(benchmarkSystems[name])).toEqual([benchmarkSystems[name]]);
  });
});
