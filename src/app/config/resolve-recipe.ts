/** @file From a sourced recipe to a run: checked by the schema, with every complaint telling file, line, key, expected and got. */
import type { z } from 'zod';
import { ConfigError, nearestName } from '../../base/errors.ts';
import { expectation } from './expectation.ts';
import { type RecipeRun, recipeJsonSchema, recipeRun, recipeSchema } from './recipe.ts';
import { applyOverrides, describe, type Override, placeOf, type SourcedRecipe } from './recipe-source.ts';

/**
 * The run that a recipe and its overrides describe: defaults < recipe < overrides.
 * @throws {ConfigError} for the first key that is unknown, missing or of the wrong type or range
 */
export function resolveRecipe(recipe: SourcedRecipe, overrides: readonly Override[] = []): RecipeRun {
  const merged = applyOverrides(recipe, overrides);
  return recipeRun(parseRecipe(merged, recipeSchema, recipeJsonSchema), placeOf(merged, []));
}

/**
 * A sourced recipe as its schema reads it.
 * @param keys the schema's keys, asked for when one of the recipe is unknown
 * @throws {ConfigError} for the first key that is unknown, missing or of the wrong type or range
 */
export function parseRecipe<T>(recipe: SourcedRecipe, schema: z.ZodType<T>, keys: () => object): T {
  const parsed = schema.safeParse(recipe.value);
  if (parsed.success) return parsed.data;
  // An unknown key first: it is often the reason why another is missing.
  const issues = parsed.error.issues.flatMap(closest);
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!;
  throw issueError(issue, recipe, keys() as SchemaNode);
}

/** Of a value that may have several forms, what the form says that it comes closest to: of its kind, with the least to change. */
function closest(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const forms = issue.errors.map((found) =>
    found.flatMap((inner) => closest({ ...inner, path: [...issue.path, ...inner.path] })),
  );
  const isOfKind = (found: readonly z.core.$ZodIssue[]) =>
    !found.some(({ code, path }) => path.length === issue.path.length && code !== 'unrecognized_keys');
  const candidates = forms.some(isOfKind) ? forms.filter(isOfKind) : forms;
  return candidates.reduce((least, each) => (each.length < least.length ? each : least));
}

function issueError(issue: z.core.$ZodIssue, recipe: SourcedRecipe, schema: SchemaNode): ConfigError {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const siblings = keysOf(path, schema);
    const near = nearestName(key, siblings);
    const where = placeOf(recipe, [...path, key]);
    return new ConfigError(
      `${where}: ${[...path, key].join('.')}: expected a key of a recipe, got an unknown one`,
      {
        code: 'recipe/unknown-key',
        hint: siblings.includes(key)
          ? `Remove ${key}: it does not go with the other keys there.`
          : near === undefined
            ? elsewhere(key, siblings, schema)
            : `Did you mean "${[...path, near].join('.')}"?`,
      },
    );
  }
  const got = valueAt(recipe.value, path);
  const key = path.join('.');
  if (got === undefined)
    return new ConfigError(`${placeOf(recipe, path)}: ${key}: expected ${expectation(issue)}, got nothing`, {
      code: 'recipe/missing-key',
      hint: `Add "${key}: …", or ${key}=… on the command line.`,
    });
  const near =
    issue.code === 'invalid_value' ? nearestName(String(got), issue.values.map(String)) : undefined;
  return new ConfigError(
    `${placeOf(recipe, path)}: ${key}: expected ${expectation(issue)}, got ${describe(got)}`,
    {
      code: 'recipe/value',
      hint: near === undefined ? `Change ${key}.` : `Did you mean "${near}"?`,
    },
  );
}

/** When a key is known in another group, where it belongs. */
function elsewhere(key: string, siblings: readonly string[], schema: SchemaNode): string {
  const places = allKeys(schema).filter((dotted) => dotted.split('.').at(-1) === key);
  if (places.length > 0) return `Did you mean "${places[0]}"?`;
  return `Use one of ${siblings.join(', ')}.`;
}

interface SchemaNode {
  readonly items?: SchemaNode;
  /** Forms of a value that may have several. */
  readonly anyOf?: readonly SchemaNode[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}

function keysOf(path: readonly string[], schema: SchemaNode): string[] {
  let nodes = formsOf([schema]);
  for (const name of path)
    nodes = formsOf(
      nodes.flatMap(
        ({ properties, items }) => properties?.[name] ?? (/^\d+$/.test(name) && items ? items : []),
      ),
    );
  return [...new Set(nodes.flatMap(({ properties }) => Object.keys(properties ?? {})))];
}

const formsOf = (nodes: readonly SchemaNode[]): readonly SchemaNode[] =>
  nodes.flatMap((node) => [node, ...(node.anyOf ?? [])]);

function allKeys(schema: SchemaNode): string[] {
  const dotted = (node: SchemaNode, prefix: string): string[] =>
    Object.entries(node.properties ?? {}).flatMap(([name, child]) => [
      prefix + name,
      ...dotted(child, `${prefix}${name}.`),
    ]);
  return dotted(schema, '');
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], value);
}
