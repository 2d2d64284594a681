/** @file Which response tokens are copied from the shown history, as objectives with a `copyDiscount` read it. */
import { ConfigError } from '../../base/errors.ts';
import { input } from '../../engine/ops/operators.ts';
import type { HostTensor } from '../../engine/runtime/session.ts';
import type { PromptPair } from '../prompts/pair.ts';
import type { ObjectivePlan } from './plan.ts';

/** Declares which response tokens stand in runs that the shown history holds: f32[S], 1 or 0. */
export const copiedInput = () => input('tokens.isCopied', 'f32', ['S']);

/** The feed of {@link copiedInput}. */
export const copiedFeed = (isCopied: readonly boolean[]): Record<string, HostTensor> => ({
  'tokens.isCopied': { data: Float32Array.from(isCopied, Number), shape: [isCopied.length] },
});

/** Whether each response token of a pair is copied: none of a pair that does not say. */
export const copiedTokensOf = ({
  copied,
  responseIds,
}: Pick<PromptPair, 'copied' | 'responseIds'>): readonly boolean[] =>
  responseIds.map((_, t) => copied?.[t] ?? false);

/**
 * @throws {ConfigError} when the objective discounts copied tokens, and no pair says which they are, or one says it of fewer or more
 *   tokens than its response has
 */
export function checkCopied(
  pairs: readonly Pick<PromptPair, 'copied' | 'responseIds'>[],
  { name, needs }: Pick<ObjectivePlan, 'name' | 'needs'>,
): void {
  if (!needs.copied) return;
  for (const [i, { copied, responseIds }] of pairs.entries())
    if (copied !== undefined && copied.length !== responseIds.length)
      throw new ConfigError(
        `pair ${i + 1}: copied: expected ${responseIds.length} values, as the response has tokens, got ${copied.length}`,
        { code: 'objective/copied', hint: 'Say of every response token whether it is copied.' },
      );
  if (pairs.some(({ copied }) => copied !== undefined)) return;
  throw new ConfigError(
    `objective ${name}: copyDiscount: expected pairs with copied, got none among ${pairs.length}`,
    {
      code: 'objective/no-copied',
      hint: 'Say which response tokens are copied, give examples, or set copyDiscount to 0.',
    },
  );
}
