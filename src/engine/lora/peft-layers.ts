/** @file Which layers an adapter_config.json names, each with its rank and alpha, by PEFT's own rules of matching. */
import { runInNewContext } from 'node:vm';
import { nearestName, WeightsError } from '../../base/errors.ts';
import { type AdaptedLayer, lastPart } from './layers.ts';
import { baseHint, malformed, type PeftOptions } from './peft-config.ts';

/** A layer that the adapter changes. */
export interface PeftLayer extends AdaptedLayer {
  readonly rank: number;
  readonly loraAlpha: number;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * The layers that `target_modules` names and `exclude_modules` does not: names or their endings at a dot, one regular
 * expression for whole names, or `all-linear` (every linear layer but the head); each with the rank and alpha of the
 * first pattern of `rank_pattern` and `alpha_pattern` that its name ends with.
 * @param layers all linear layers of the model
 * @throws {WeightsError} for a malformed key, and for names that the model does not have
 */
export function peftLayers(
  json: Json,
  where: string,
  layers: readonly AdaptedLayer[],
  { rank, loraAlpha }: PeftOptions,
): PeftLayer[] {
  const { exclude_modules: excluded } = json;
  const named = namesMatched('target_modules', json, layers, where);
  const left = isEmpty(excluded) ? new Set<string>() : namesMatched('exclude_modules', json, layers, where);
  const ranks = patternsOf('rank_pattern', json, layers, where);
  const alphas = patternsOf('alpha_pattern', json, layers, where);
  for (const value of ranks.values())
    if (!Number.isInteger(value)) throw malformed(where, 'rank_pattern', 'whole numbers', value);
  const chosen = layers.filter(({ name }) => named.has(name) && !left.has(name));
  if (chosen.length === 0)
    throw malformed(where, 'exclude_modules', 'some layer of target_modules left', excluded);
  return chosen.map((layer) => ({
    ...layer,
    rank: ranks.get(layer.name) ?? rank,
    loraAlpha: alphas.get(layer.name) ?? loraAlpha,
  }));
}

function namesMatched(
  key: 'target_modules' | 'exclude_modules',
  json: Json,
  layers: readonly AdaptedLayer[],
  where: string,
): Set<string> {
  const value = json[key];
  const names = layers.map(({ name }) => name);
  const endsWith = (ending: string) => names.filter((name) => name === ending || name.endsWith(`.${ending}`));
  if (typeof value === 'string') {
    const isAll = key === 'target_modules' && value.toLowerCase() === 'all-linear';
    const found = isAll
      ? names.filter((name) => name !== 'lm_head')
      : matching(names, `^(?:${value})$`, key, where);
    if (found.length > 0 || key === 'exclude_modules') return new Set(found);
    throw unknownModule(value, names, where, json);
  }
  if (!Array.isArray(value) || value.length === 0 || !value.every((each) => typeof each === 'string'))
    throw malformed(where, key, 'names such as "q_proj", a pattern of names, or "all-linear"', value);
  const unknown = key === 'target_modules' ? value.find((each) => endsWith(each).length === 0) : undefined;
  if (unknown !== undefined) throw unknownModule(unknown, names, where, json);
  return new Set((value as string[]).flatMap(endsWith));
}

/** The value of the first pattern that each layer's name ends with. */
function patternsOf(
  key: 'rank_pattern' | 'alpha_pattern',
  json: Json,
  layers: readonly AdaptedLayer[],
  where: string,
): Map<string, number> {
  const patterns = json[key];
  const values = new Map<string, number>();
  if (isEmpty(patterns)) return values;
  if (typeof patterns !== 'object') throw malformed(where, key, 'an object of patterns', patterns);
  const names = layers.map(({ name }) => name);
  for (const [pattern, value] of Object.entries(patterns as object)) {
    if (typeof value !== 'number' || !(value > 0) || !Number.isFinite(value))
      throw malformed(where, key, 'positive numbers', value);
    for (const name of matching(names, `^(?:.*\\.)?(?:${pattern})$`, key, where))
      if (!values.has(name)) values.set(name, value);
  }
  return values;
}

/** A pattern that takes longer than this on some hundred short names was not written to choose layers. */
const PATTERN_MS = 1000;

/** The names that a regular expression of Python's fits. */
function matching(names: readonly string[], pattern: string, key: string, where: string): string[] {
  const source = pattern.replaceAll('(?P<', '(?<').replaceAll('\\A', '^').replaceAll('\\Z', '$');
  try {
    // In a context of its own, since only there a pattern that never ends can be stopped.
    const fits = runInNewContext(
      'names.map((name) => new RegExp(source).test(name))',
      { names, source },
      {
        timeout: PATTERN_MS,
      },
    ) as boolean[];
    return names.filter((_, i) => fits[i]);
  } catch (cause) {
    const { message } = cause as Error;
    throw new WeightsError(
      `${where}: ${key}: expected a regular expression for names of layers, got ${JSON.stringify(pattern.slice(0, 80))}: ${message}`,
      {
        code: 'lora/config',
        hint: 'Save the adapter again with the names of the layers in place of the pattern.',
        cause,
      },
    );
  }
}

function unknownModule(name: string, names: readonly string[], where: string, json: Json): WeightsError {
  const known = [...new Set(names.map(lastPart))];
  // Every architecture has a head: where it is not among the layers, it is the embedding table.
  if (name === 'lm_head')
    return new WeightsError(
      `${where}: target modules: expected layers of their own, got "lm_head", but the head of this model is tied to its embedding table`,
      {
        code: 'lora/tied-head',
        hint: 'Merge the adapter into its base with PEFT, or train one without lm_head.',
      },
    );
  const near = nearestName(name, known);
  return new WeightsError(
    `${where}: target modules: expected some of ${known.join(', ')}, got ${JSON.stringify(name)}`,
    {
      code: 'lora/target-modules',
      hint: `${near === undefined ? '' : `Did you mean ${near}? `}${baseHint(json)}`,
    },
  );
}

const isEmpty = (value: unknown) =>
  value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);
