/** @file What an item of a history is to a response: useful, idle, harmful or redundant, each defined here and nowhere else. */

export type ItemKind = 'useful' | 'idle' | 'harmful' | 'redundant';

/** Nats a response token within which an effect counts as near 0; ours: a response of 100 tokens is then likelier by e at most. */
export const NEAR_ZERO = 0.01;

/** What a reader is told, in the order of a table. */
export const itemKindDefinitions: Readonly<Record<ItemKind, string>> = {
  useful: 'the response is less likely without the item, all other items kept (D above 0)',
  harmful: 'the response is likelier without the item, all other items kept (D below 0)',
  redundant: 'D is near 0 while another item, its twin, is there, and above 0 once the twin is gone',
  idle: 'D is near 0, with or without any one of the other items',
};

/**
 * The kind of an item.
 * @param effect D_i, nats a response token
 * @param withoutTwin D_i once the item is removed that makes it largest; `-Infinity` for a history of one item
 */
export function itemKind(effect: number, withoutTwin: number, nearZero = NEAR_ZERO): ItemKind {
  if (effect > nearZero) return 'useful';
  if (effect < -nearZero) return 'harmful';
  return withoutTwin > nearZero ? 'redundant' : 'idle';
}
