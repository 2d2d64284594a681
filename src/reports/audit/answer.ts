/** @file The answer of an audit in three sentences that somebody who builds a product can read: whether, for whom, where. */

import { decimal } from '../../base/number-format.ts';
import { type Estimate, FEWEST_FOR_INTERVAL, shownSide } from '../../base/statistics/estimate.ts';
import { LARGEST_DOSE } from '../../method/audit/plan.ts';
import type { AuditResult } from '../../method/audit/results.ts';
import type { ItemKind } from '../../method/scoring/item-kinds.ts';

/** Three sentences. An effect is told as found only where its whole interval is on one side of 0. */
export function answerOf(audit: AuditResult): string[] {
  return [whether(audit), forWhom(audit), where(audit)];
}

/** `12%`: by how much e^nats is above 1, or below. */
export function percentOf(nats: number): string {
  const change = 100 * Math.expm1(nats);
  return `${decimal(Math.abs(change), Math.abs(change) < 9.95 ? 1 : 0)}%`;
}

/** `12% (95% interval 8.1% to 16%)`; `likelier` or `less likely` is left to the sentence. */
function percentText({ value, low, high }: Estimate): string {
  const end = (nats: number) => (nats < 0 ? `−${percentOf(nats)}` : percentOf(nats));
  return `${percentOf(value)} (95% interval ${end(low)} to ${end(high)})`;
}

const likelier = (nats: number) => `${percentOf(nats)} ${nats < 0 ? 'less likely' : 'likelier'}`;

function whether({ users, effects: { total, generic, userSpecific } }: AuditResult): string {
  const [sideOfTotal, sideOfOwn] = [shownSide(total, users), shownSide(userSpecific, users)];
  const others = `with another user’s texts instead, ${likelier(generic.value)} than with none`;
  const own = `the user’s own are worth ${percentText(userSpecific)} more`;
  if (sideOfTotal > 0) {
    const gain = `with a user’s earlier texts, the model finds each word piece that the user went on to write ${percentText(total)} likelier on average`;
    if (sideOfOwn > 0) return `Yes, the history matters: ${gain}; ${others}, so ${own}.`;
    if (sideOfOwn < 0) return `A history helps, but another user’s helps more: ${gain}, and ${others}.`;
    return `A history helps, but that it has to be the user’s own was not shown: ${gain}, and ${others}.`;
  }
  if (sideOfTotal < 0) {
    const loss = `with a user’s earlier texts, the model finds each word piece that the user went on to write ${percentOf(total.value)} less likely on average`;
    return sideOfOwn > 0
      ? `The history hurts, though the user’s own less than another’s: ${loss}; ${others}.`
      : `The history hurts: ${loss}; ${others}.`;
  }
  if (sideOfOwn > 0)
    return `It matters whose history it is, but that the history helps was not shown: each word piece that a user went on to write is ${likelier(total.value)} with it on average, which may be chance; ${others}, so ${own}.`;
  return `That the history matters was not shown: with a user’s earlier texts, the model finds each word piece that the user went on to write ${likelier(total.value)} on average, which may be chance; ${others}.`;
}

function forWhom({ byUser, users }: AuditResult): string {
  if (users === 1) return 'There is one user only, so nothing here says for whom.';
  const gain = byUser.filter(({ userSpecific }) => userSpecific.value > 0).length;
  const several = byUser.filter(({ texts }) => texts >= FEWEST_FOR_INTERVAL);
  const certain = several.filter(({ userSpecific, texts }) => shownSide(userSpecific, texts) > 0).length;
  const [most, least] = [byUser[0]!, byUser.at(-1)!];
  const each =
    several.length === 0
      ? `each judged by fewer than ${FEWEST_FOR_INTERVAL} texts, which leaves much to chance`
      : `beyond chance for ${certain} of the ${several.length} with ${FEWEST_FOR_INTERVAL} texts or more`;
  const worth = (nats: number) => `${nats < 0 ? '−' : '+'}${percentOf(nats)}`;
  return `The user’s own history does better than another’s for ${gain} of ${users} users, ${each}: from ${worth(most.userSpecific.value)} a token for ${most.name} down to ${worth(least.userSpecific.value)} for ${least.name}.`;
}

function where({ users, where: { thirds, personal }, dose, maps, prompt }: AuditResult): string {
  const strongest = thirds.reduce((best, third) =>
    third.userSpecific.value > best.userSpecific.value ? third : best,
  );
  const place =
    shownSide(strongest.userSpecific, users) > 0
      ? `What is the user’s own shows most in the ${strongest.name} of the texts`
      : 'In no third of the texts was the user’s own history shown to do more than another’s';
  const pieces =
    personal === undefined
      ? ''
      : personal.share.value === 0
        ? ', and in no single word piece beyond what users differ by chance'
        : `, and in ${decimal(100 * personal.share.value, 1)}% of single word pieces beyond what users differ by chance`;
  const parts = [place + pieces];
  const [first, last] = [dose[1], dose.at(-1)];
  if (first && last && dose.length > 2 && shownSide(last.effect, users) > 0)
    parts.push(
      `the latest item alone gives ${decimal((100 * first.effect.value) / last.effect.value, 0)}% of what ${last.items === LARGEST_DOSE && prompt.maxHistory > LARGEST_DOSE ? `the latest ${LARGEST_DOSE} do` : 'all do'}`,
    );
  const kinds = [...maps.most, ...maps.least].flatMap(({ items = [] }) => items.map(({ kind }) => kind));
  const count = (kind: ItemKind) => kinds.filter((each) => each === kind).length;
  if (kinds.length > 0)
    parts.push(
      `${kinds.length === 1 ? 'the one item' : `the ${kinds.length} items`} looked at alone: ${count('useful')} useful, ${count('harmful')} harmful, ${count('idle') + count('redundant')} that could be left out`,
    );
  return `${parts.join('; ')}.`;
}
