/** @file The plain-text table of systems. */
import { describe, expect, it } from 'vitest';
import {
  alignedColumns,
  differencesTable,
  systemsTable,
} from '../../../src/reports/comparison/comparison-table.ts';
import { displayWidth } from '../../../src/reports/text/terminal-text.ts';
import { about, difference, exampleSystem } from './example-results.ts';

describe('systemsTable', () => {
  it('gives every number with its interval in aligned columns', () => {
    const lines = systemsTable([exampleSystem('sft', 3), exampleSystem('nextquill', 12.5)]).split('\n');
    expect(lines[2]).toMatch(/^sft {8,}3\.00 \[2\.90, 3\.10\] +3\.30 \[3\.20, 3\.40\]/);
    expect(lines[3]).toMatch(/^nextquill +12\.50 \[12\.40, 12\.60\]/);
    expect(new Set(lines.slice(0, 4).map(displayWidth)).size).toBe(1);
    expect(lines[5]).toContain('among 4, matched by period ±5 years (median 2); chance 0.25');
  });

  it('leaves out a column that no system has and shows a gap where one lacks it', () => {
    const { authorIdentification: _, ...without } = exampleSystem('base', 3);
    expect(systemsTable([without])).not.toContain('author');
    expect(systemsTable([without, exampleSystem('sft', 3)]).split('\n')[2]).toMatch(/–$/);
  });

  it('does not pass on control characters of a name', () => {
    expect(systemsTable([exampleSystem('\u001b[31mred', 3)])).not.toContain('\u001b');
  });
});

describe('differencesTable', () => {
  it('gives each difference its interval and its p-value, which is never 0', () => {
    const differences = [
      difference('nllWithHistory', about(-0.1, 0.02)),
      { ...difference('userSpecificEffect', about(0.3, 0.1)), pValue: 0.0002 },
    ];
    expect(differencesTable(differences)).toBe(
      'nextquill − sft  NLL with history          −0.100 [−0.120, −0.080]  p = 0.004\n' +
        'nextquill − sft  User-specific effect (C)        0.30 [0.20, 0.40]  p < 0.001\n',
    );
  });
});

describe('alignedColumns', () => {
  it('counts wide characters by their columns', () => {
    expect(
      alignedColumns([
        ['漢', '1'],
        ['abc', '22'],
      ]),
    ).toEqual(['漢    1', 'abc  22']);
  });
});
