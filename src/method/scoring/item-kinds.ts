/** @file What an item of a history is to a response: useful, idle, harmful or redundant, each defined here and nowhere else. */

/** What an item does; {@link itemKinds} defines each. */
export type ItemKind = 'useful' | 'idle' | 'harmful' | 'redundant';

/** Nats a response token within which an effect counts as near 0; ours: a response of 100 tokens is then likelier by e at most. */
export const NEAR_ZERO = 0.01;

/** In the order of tables. */
export const itemKinds: readonly ItemKind[] = ['useful', 'harmful', 'redundant', 'idle'];

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
