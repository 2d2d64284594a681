/** @file Heat maps that may travel: every text replaced by its length, every name by a number. */
import type { EffectMap } from '../../method/explain/effect-map.ts';
import { portableName } from '../text/portable-name.ts';

/** Stands for one character of a text that was taken out. */
const COVER = '·';

/** What stands for a text in a redacted report, such as `[31 characters]`. */
export function lengthOf(text: string): string {
  return `[${text.length} character${text.length === 1 ? '' : 's'}]`;
}

/**
 * The same maps without their texts: response and tokens become covers of equal length (UTF-16 code units), query and
 * history items their lengths; users, examples and items are numbered across the maps; titles, dates and textual facts go.
 * Numbers of tokens stay as they are.
 * @param users names that stand already for some users; those of others are added
 */
export function redactEffectMaps(
  maps: readonly EffectMap[],
  users: Map<string, string> = new Map(),
): EffectMap[] {
  return maps.map((map, m) => {
    if (!users.has(map.user)) users.set(map.user, `user ${users.size + 1}`);
    return {
      title: `Example ${m + 1}`,
      example: `example ${m + 1}`,
      user: users.get(map.user)!,
      query: lengthOf(map.query),
      response: COVER.repeat(map.response.length),
      history: map.history.map((item, i) => ({
        id: `item ${i + 1}`,
        query: lengthOf(item.query),
        text: lengthOf(item.text),
      })),
      ...(map.items && {
        items: map.items.map((item) => ({
          ...item,
          ...(item.twin !== undefined && {
            twin: `item ${map.history.findIndex(({ id }) => id === item.twin) + 1}`,
          }),
        })),
      }),
      model: portableName(map.model),
      tokens: map.tokens.map((token) => ({ ...token, text: COVER.repeat(token.end - token.start) })),
      meta: Object.fromEntries(Object.entries(map.meta).filter(([, fact]) => typeof fact !== 'string')),
    };
  });
}
