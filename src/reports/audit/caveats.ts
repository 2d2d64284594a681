/** @file What a reader of an audit must know before believing it: what was left out, and what the numbers do not say. */

import { decimal } from '../../base/number-format.ts';
import type { AuditResult } from '../../method/audit/results.ts';
import { effectCaveat } from '../heat-map/heat-map-html.ts';

/** With fewer users an interval over them says little. */
const FEW_USERS = 20;

/** A difference in items shown that could pass for a difference between users. */
const ITEMS_DIFFER = 0.1;

/** Sentences; each stands alone. */
export function caveatsOf(audit: AuditResult): string[] {
  const { leftOut, users, itemsShown, others, where, byDomain, texts, prompt } = audit;
  const caveats = [
    effectCaveat,
    'The effects of single items do not add up to that of the history: D is what one item adds to all the others.',
    'Likelier does not mean better for the reader: the audit asks how well the model foresees what a user wrote, and nothing else.',
    'The texts are those of the data file: users who write little or not at all are not in it.',
  ];
  if (leftOut.withoutHistory > 0)
    caveats.push(`Left out: ${count(leftOut.withoutHistory, 'example')} without a history.`);
  if (leftOut.historyDoesNotFit > 0)
    caveats.push(
      `Left out: ${count(leftOut.historyDoesNotFit, 'example')} of which no history item fits into ${prompt.maxTokens} tokens beside query and response.`,
    );
  if (leftOut.othersDoNotFit > 0)
    caveats.push(
      `Left out: ${count(leftOut.othersDoNotFit, 'example')} beside which no item of another user’s history fits into ${prompt.maxTokens} tokens.`,
    );
  if (leftOut.tooLong > 0)
    caveats.push(
      `Left out: ${count(leftOut.tooLong, 'example')} whose query and response do not fit into ${prompt.maxTokens} tokens.`,
    );
  if (users < FEW_USERS)
    caveats.push(
      `The intervals rest on ${count(users, 'user')} only; with so few they are too narrow, and other users may differ.`,
    );
  if (itemsShown.others < (1 - ITEMS_DIFFER) * itemsShown.own)
    caveats.push(
      `Another user’s history shows ${decimal(itemsShown.others, 1)} items on average and the user’s own ${decimal(itemsShown.own, 1)}: some of C may be due to their number.`,
    );
  if (others < 2)
    caveats.push(
      'With one other history a text, single tokens cannot be tested against what differs by chance.',
    );
  else if (where.personal !== undefined)
    caveats.push(
      `Tokens are tested one by one, each against ${others} other histories and the differences among those over all texts: some rare personal words are missed, and up to ${decimal(100 * where.personal.level, 0)}% of those found are chance.`,
    );
  if (byDomain.length === 1)
    caveats.push(`All ${texts} texts are of one domain: nothing here says how domains differ.`);
  return caveats;
}

const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`;
