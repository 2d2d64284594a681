/** @file A recipe put together from a file and from words of the command line, each key with the place that it came from. */
import {
  type Document,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parse,
  parseDocument,
} from 'yaml';
import { ConfigError } from '../../base/errors.ts';

/** A plain object with the place of every key. */
export interface SourcedRecipe {
  readonly value: Readonly<Record<string, unknown>>;
  /** `FILE:LINE`, a flag or an override, by dotted key; `''` for the whole. */
  readonly places: ReadonlyMap<string, string>;
}

type Plain = Record<string, unknown>;

/** A value given outside the file. */
export interface Override {
  /** Dotted, such as `training.learningRate`. */
  readonly key: string;
  /** `undefined` takes the key out, so that its default holds. */
  readonly value: unknown;
  /** What the user typed, such as `--max-steps`. */
  readonly place: string;
}

/**
 * The object of a YAML text, and the line of every key.
 * @throws {ConfigError} when it is not YAML, or not a map
 */
export function readRecipe(text: string, file: string): SourcedRecipe {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const [error] = document.errors;
  if (error !== undefined)
    throw new ConfigError(
      `${file}:${lineAt(error.pos[0])}: expected YAML, got ${decapitalise(error.message)}`,
      {
        code: 'recipe/yaml',
        hint: 'Correct the line; keys are indented by spaces, two a level.',
      },
    );
  const value = plainValue(document, file);
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new ConfigError(`${file}: expected keys such as "model: embedded", got ${describe(value)}`, {
      code: 'recipe/not-a-map',
      hint: 'See recipes/ for examples.',
    });
  const places = new Map([['', file]]);
  const visit = (node: Node | null, path: string) => {
    const children: [string, Node, Node | null][] = [];
    if (isMap(node))
      for (const pair of node.items)
        if (isPair(pair) && isScalar(pair.key))
          children.push([String(pair.key.value), pair.key, pair.value as Node | null]);
    if (isSeq(node))
      node.items.forEach((item, index) => {
        children.push([String(index), item as Node, item as Node]);
      });
    for (const [name, at, child] of children) {
      const key = path === '' ? name : `${path}.${name}`;
      places.set(key, `${file}:${lineAt(at.range?.[0] ?? 0)}`);
      visit(child, key);
    }
  };
  visit(document.contents as Node | null, '');
  return { value: value as Plain, places };
}

/** @throws {ConfigError} for an alias without an anchor, and for aliases that multiply without end */
function plainValue(document: Document, file: string): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    throw new ConfigError(
      `${file}: expected YAML whose aliases (*name) have anchors (&name), got ${decapitalise((cause as Error).message)}`,
      { code: 'recipe/yaml', hint: 'Write the values out in place of the aliases.', cause },
    );
  }
}

/**
 * An override as it is typed: `key=value`, the value in YAML; `key=` or `key=null` takes the key out.
 * @throws {ConfigError} when there is no `=` or the value is not YAML
 */
export function parseOverride(text: string): Override {
  const at = text.indexOf('=');
  const key = text.slice(0, Math.max(0, at)).trim();
  const wrong = (got: string) =>
    new ConfigError(`${text}: expected key=value such as training.learningRate=1e-4, got ${got}`, {
      code: 'recipe/override',
      hint: 'Name the key with its dots, then = and the value.',
    });
  if (at < 0) throw wrong('no "="');
  if (!/^[A-Za-z][\w]*(\.[A-Za-z][\w]*)*$/.test(key)) throw wrong(key === '' ? 'no key' : `the key "${key}"`);
  try {
    return { key, value: parse(text.slice(at + 1)) ?? undefined, place: text };
  } catch {
    throw wrong('a value that is not YAML');
  }
}

/**
 * The recipe with overrides put over it, the later ones over the earlier.
 * @throws {ConfigError} when an override goes into something that has no keys
 */
export function applyOverrides(recipe: SourcedRecipe, overrides: readonly Override[]): SourcedRecipe {
  const value = structuredClone(recipe.value) as Plain;
  const places = new Map(recipe.places);
  for (const override of overrides) {
    const names = override.key.split('.');
    const last = names.pop()!;
    let target: Plain = value;
    names.forEach((name, depth) => {
      const next = target[name] ?? {};
      if (typeof next !== 'object' || Array.isArray(next))
        throw new ConfigError(
          `${override.place}: ${names.slice(0, depth + 1).join('.')}: expected a group of keys, got ${describe(next)}`,
          {
            code: 'recipe/override',
            hint: 'Name a key that the recipe has; see recipes/recipe.schema.json.',
          },
        );
      target[name] = next;
      target = next as Plain;
    });
    if (override.value === undefined) delete target[last];
    else target[last] = override.value;
    for (const key of [...places.keys()])
      if (key === override.key || key.startsWith(`${override.key}.`)) places.delete(key);
    places.set(override.key, override.place);
  }
  return { value, places };
}

/** The place of a key, or of the nearest group around it. */
export function placeOf(recipe: SourcedRecipe, path: readonly string[]): string {
  for (let length = path.length; length > 0; length--) {
    const place = recipe.places.get(path.slice(0, length).join('.'));
    if (place !== undefined) return place;
  }
  return recipe.places.get('') ?? 'recipe';
}

/** A value as a message shows it. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a group of keys';
  return JSON.stringify(value);
}

function decapitalise(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
