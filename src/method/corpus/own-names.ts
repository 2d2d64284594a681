/** @file An author's own name in the author's text: found and masked, so that no name gives the author away. */

/** What stands in place of a name. */
export const NAME_MASK = '[name]';

/** Names of people and their parts, not ids: letters, no digits; a part has at least this many letters. */
const SHORTEST_PART = 3;

const PARTICLES = new Set(['the', 'and', 'von', 'van', 'der', 'den', 'del', 'dos', 'bin', 'ibn', 'jr', 'sr']);

const MATCHERS = new Map<string, RegExp | undefined>();
const MATCHERS_KEPT = 10_000;

/**
 * Whether a text holds one of the names, whole in any case, or one of their parts (first or last name) as it is written or in
 * capitals. Names with digits or of fewer than three letters are ids and are looked for as a whole only.
 */
export function holdsName(text: string, names: readonly string[]): boolean {
  const matcher = matcherOf(names);
  if (matcher === undefined) return false;
  matcher.lastIndex = 0;
  return matcher.test(text);
}

/** The text with every such name as {@link NAME_MASK}. */
export function maskNames(text: string, names: readonly string[]): string {
  const matcher = matcherOf(names);
  return matcher === undefined ? text : text.replace(matcher, NAME_MASK);
}

function matcherOf(names: readonly string[]): RegExp | undefined {
  const key = JSON.stringify(names);
  if (MATCHERS.has(key)) return MATCHERS.get(key);
  const wholes = names.map((name) => name.trim()).filter((name) => /\p{L}/u.test(name) && name.length >= 3);
  const parts = wholes
    .filter((name) => !/[\d_@]/.test(name))
    .flatMap((name) => name.split(/[\s,.]+/))
    .filter((part) => part.length >= SHORTEST_PART && /^\p{Lu}/u.test(part))
    .filter((part) => !PARTICLES.has(part.toLowerCase()));
  const alternatives = [
    ...wholes.map((name) => anyCase(name)),
    ...parts.flatMap((part) => [escaped(part), escaped(part.toUpperCase())]),
  ].sort((a, b) => b.length - a.length);
  const matcher =
    alternatives.length === 0
      ? undefined
      : new RegExp(`(?<![\\p{L}\\p{N}])(?:${alternatives.join('|')})(?![\\p{L}\\p{N}])`, 'gu');
  if (MATCHERS.size >= MATCHERS_KEPT) MATCHERS.clear();
  MATCHERS.set(key, matcher);
  return matcher;
}

/** A pattern of the name in any case, with any white space between its words. */
function anyCase(name: string): string {
  return [...name.replace(/\s+/gu, ' ')]
    .map((character) => {
      if (character === ' ') return '\\s+';
      const forms = new Set([character, character.toLowerCase(), character.toUpperCase()]);
      const single = [...forms].filter((form) => [...form].length === 1).map(escaped);
      return single.length === 1 ? single[0]! : `(?:${single.join('|')})`;
    })
    .join('');
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
