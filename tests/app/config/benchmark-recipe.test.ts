/** @file The benchmark recipes that ship, and their schema. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { benchmarkJsonSchema, benchmarkSchema } from '../../../src/app/config/benchmark-recipe.ts';
import { readRecipe } from '../../../src/app/config/recipe-source.ts';
import { parseRecipe } from '../../../src/app/config/resolve-recipe.ts';

const folder = resolve(import.meta.dirname, '../../../recipes');
const read = (text: string) => parseRecipe(readRecipe(text, 'r.yaml'), benchmarkSchema, benchmarkJsonSchema);

describe('benchmark recipes', () => {
  const names = readdirSync(folder).filter((name) => /^benchmark-.*\.yaml$/.test(name));

  it.each(names)('%s is valid and says how it is launched and resumed', (name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    expect(read(text).systems.length).toBeGreaterThanOrEqual(8);
    for (const word of ['Data', 'Launch', 'Override', 'Resume'])
      expect(text).toMatch(new RegExp(`^# ${word}\\b`, 'm'));
  });

  it('have a JSON Schema that is current: npx tsx scripts/recipe-schema.ts writes it', () => {
    const written = JSON.parse(readFileSync(join(folder, 'benchmark.schema.json'), 'utf8')) as unknown;
    expect(written).toEqual(benchmarkJsonSchema());
    expect(names.length).toBeGreaterThan(1);
  });

  it('name the key that is unknown, inside a list too', () => {
    const text = readFileSync(join(folder, names[0]!), 'utf8').replace('validation: ', 'validatoin: ');
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'recipe/unknown-key' }));
    try {
      read(text);
    } catch (error) {
      expect((error as { hint: string }).hint).toContain('validation');
    }
  });

  it.each([
    // Of the three forms of a system, the complaint is about the one that was meant.
    ['lates', 'recipe/value', 'latest'],
    [{ name: 'mine', objective: 'sftt' }, 'recipe/value', 'sft'],
    [{ name: 'mine', objectiv: 'sft' }, 'recipe/unknown-key', 'systems.0.objective'],
    [{ name: 'mine', objective: 'sft', scaled: 'sft' }, 'recipe/unknown-key', 'Remove scaled'],
    [
      { name: 'mine', objective: 'cft', objectiveOptions: { effectWeigt: 1 } },
      'recipe/unknown-key',
      'systems.0.objectiveOptions.effectWeight',
    ],
    [{ name: 'mine', scaled: 3 }, 'recipe/value', 'systems.0.scaled'],
  ])('refuse the system %j', (system, code, hint) => {
    const text = JSON.stringify({
      out: 'o',
      models: [{ name: 'm', source: 'embedded' }],
      data: [{ name: 'd', simulated: { seed: 1 }, train: 1, validation: 1, test: 1 }],
      systems: [system],
    });
    expect(() => read(text)).toThrow(expect.objectContaining({ code, hint: expect.stringContaining(hint) }));
  });
});
