/** @file Recipes: precedence, and what each mistake says. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recipeJsonSchema } from '../../../src/app/config/recipe.ts';
import { parseOverride, readRecipe } from '../../../src/app/config/recipe-source.ts';
import { resolveRecipe } from '../../../src/app/config/resolve-recipe.ts';
import { ConfigError } from '../../../src/base/errors.ts';
import { defaultObjectiveOptions } from '../../../src/method/objectives/objective-options.ts';

const folder = resolve(import.meta.dirname, '../../../recipes');

const minimal = `model: embedded
data: sotu
objective: sft
out: runs/a
lora:
  rank: 4
`;

const resolveText = (text: string, ...overrides: string[]) =>
  resolveRecipe(readRecipe(text, 'r.yaml'), overrides.map(parseOverride));

/** The error of a text, with its message and hint. */
function errorOf(text: string, ...overrides: string[]): ConfigError {
  try {
    resolveText(text, ...overrides);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('expected an error, got none');
}

describe('a recipe', () => {
  it('becomes typed options, with what it leaves out left to the trainer', () => {
    expect(resolveText(minimal)).toEqual({
      model: 'embedded',
      data: 'sotu',
      out: 'runs/a',
      prompt: {},
      settings: {
        objective: 'sft',
        lora: { rank: 4, loraAlpha: 8 },
      },
    });
  });

  it('takes every option of an objective, and an estimator', () => {
    const { settings } = resolveText(
      `${minimal}estimator: fixed\nestimatorModel: runs/sft/adapter\n`,
      'objective=nextquill-paper',
      ...Object.entries(defaultObjectiveOptions).map(([name, value]) => `objectiveOptions.${name}=${value}`),
    );
    expect(settings).toMatchObject({
      estimator: 'fixed',
      estimatorModel: 'runs/sft/adapter',
      objectiveOptions: defaultObjectiveOptions,
    });
  });

  it('gives way to overrides, the last one winning', () => {
    const { settings, prompt, maxExamples } = resolveText(
      `${minimal}training: {learningRate: 1.0e-3, epochs: 2}\n`,
      'training.learningRate=1e-4',
      'training.learningRate=2e-4',
      'prompt.maxHistory=0',
      'limits.maxExamples=7',
      'seed=3',
      'objectiveOptions.stopGradient=true',
      'training.schedule=stable-decay',
    );
    expect(settings).toMatchObject({
      schedule: 'stable-decay',
      learningRate: 2e-4,
      epochs: 2,
      seed: 3,
      objectiveOptions: { stopGradient: true },
    });
    expect({ prompt, maxExamples }).toEqual({ prompt: { maxHistory: 0 }, maxExamples: 7 });
  });

  it('loses a key by an empty override, and a whole group by null', () => {
    const text = `${minimal}training: {epochs: 2}\n`;
    expect(resolveText(text, 'training.epochs=').settings).not.toHaveProperty('epochs');
    expect(resolveText(text, 'lora=null', 'full=true').settings).not.toHaveProperty('lora');
  });
});

describe('errors name file, line and dotted key, expected and got', () => {
  const cases: readonly (readonly [name: string, text: string, message: string, hint: string])[] = [
    [
      'an unknown key',
      `${minimal}training:\n  learningRat: 1\n`,
      'r.yaml:8: training.learningRat: expected a key of a recipe, got an unknown one',
      'Did you mean "training.learningRate"?',
    ],
    [
      'an unknown key at the top',
      `${minimal}sede: 1\n`,
      'r.yaml:7: sede: expected a key of a recipe, got an unknown one',
      'Did you mean "seed"?',
    ],
    [
      'a key in the wrong group',
      `${minimal}gradientAccumulation: 2\n`,
      'r.yaml:7: gradientAccumulation: expected a key of a recipe, got an unknown one',
      'Did you mean "training.gradientAccumulation"?',
    ],
    [
      'a wrong type',
      `${minimal}training:\n  epochs: 1\n  learningRate: fast\n`,
      'r.yaml:9: training.learningRate: expected a number, got "fast"',
      'Change training.learningRate.',
    ],
    [
      'a fraction where a whole number is meant',
      `${minimal}training: {epochs: 1.5}\n`,
      'r.yaml:7: training.epochs: expected a whole number, got 1.5',
      'Change training.epochs.',
    ],
    [
      'a number out of range',
      `${minimal}training: {warmupRatio: 2}\n`,
      'r.yaml:7: training.warmupRatio: expected a number of at most 1, got 2',
      'Change training.warmupRatio.',
    ],
    [
      'a name that is none',
      minimal.replace('sft', 'nextquil'),
      'r.yaml:3: objective: expected one of sft, ',
      'Did you mean "nextquill"?',
    ],
    [
      'an element of a list',
      minimal.replace('rank: 4', 'targetModules:\n    - q_proj\n    - 3'),
      'r.yaml:8: lora.targetModules.1: expected a text, got 3',
      'Change lora.targetModules.1.',
    ],
    [
      'a missing key',
      minimal.replace('data: sotu\n', ''),
      'r.yaml: data: expected a text, got nothing',
      'Add "data: …", or data=… on the command line.',
    ],
    [
      'a group that is a value',
      minimal.replace('lora:\n  rank: 4', 'lora: 4'),
      'r.yaml:5: lora: expected a group of keys, got 4',
      'Change lora.',
    ],
    [
      'neither lora nor full',
      minimal.replace('lora:\n  rank: 4', ''),
      'r.yaml: lora or full: expected one of them, got neither',
      'lora: {rank: 16}',
    ],
    [
      'both lora and full',
      `${minimal}full: true\n`,
      'r.yaml: lora or full: expected one of them, got both',
      'lora',
    ],
    ['YAML that breaks', `${minimal}training: {epochs: 1\n`, 'r.yaml:', 'Correct the line'],
    [
      'a key twice',
      `${minimal}data: sotu\n`,
      'r.yaml:7: expected YAML, got map keys must be unique',
      'Correct the line',
    ],
    ['a list', '- model\n', 'r.yaml: expected keys such as "model: embedded", got a list', 'recipes/'],
    ['an empty file', '', 'r.yaml: expected keys such as "model: embedded", got null', 'recipes/'],
  ];
  it.each(cases)('%s', (_name, text, message, hint) => {
    const error = errorOf(text);
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
  });

  it('names the override that is wrong, not the line that it replaced', () => {
    const text = `${minimal}training:\n  epochs: 1\n`;
    expect(errorOf(text, 'training.epochs=few').message).toBe(
      'training.epochs=few: training.epochs: expected a number, got "few"',
    );
    expect(errorOf(text, 'training.epoch=3')).toMatchObject({
      message: 'training.epoch=3: training.epoch: expected a key of a recipe, got an unknown one',
      hint: 'Did you mean "training.epochs"?',
    });
    expect(errorOf(text, 'epochs').message).toContain('expected key=value');
    expect(errorOf(text, 'model.name=x').message).toContain(
      'model: expected a group of keys, got "embedded"',
    );
    expect(errorOf(text, '__proto__.x=1').message).toContain('expected key=value');
  });
});

describe('the recipes that ship', () => {
  const names = readdirSync(folder).filter(
    (name) => name.endsWith('.yaml') && !name.startsWith('benchmark-'),
  );

  it.each(names)('%s is valid, says what it is, and explains each key', (name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    expect(resolveRecipe(readRecipe(text, name)).settings.objective).toBeTypeOf('string');
    expect(text).toMatch(/^#/);
    for (const word of ['Data', 'Launch', 'Override']) expect(text).toMatch(new RegExp(`^# ${word}\\b`, 'm'));
  });

  it('have a JSON Schema that is current: npx tsx scripts/recipe-schema.ts writes it', () => {
    const written = JSON.parse(readFileSync(join(folder, 'recipe.schema.json'), 'utf8')) as unknown;
    expect(written).toEqual(recipeJsonSchema());
    expect(names.length).toBeGreaterThan(0);
  });

  it('are documented: every key of the schema says what it is', () => {
    const undocumented = (node: SchemaNode, path: string): string[] => [
      ...(node.description === undefined ? [path] : []),
      ...Object.entries(node.properties ?? {}).flatMap(([key, child]) =>
        undocumented(child, `${path}.${key}`),
      ),
    ];
    expect(undocumented(recipeJsonSchema() as SchemaNode, 'recipe')).toEqual([]);
  });
});

interface SchemaNode {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}
