/** @file What an audit found, a short sentence each; and what is true of every audit. */

import { decimal } from '../../base/number-format.ts';
import { FEWEST_FOR_INTERVAL } from '../../base/statistics/estimate.ts';
import { type AuditFinding, auditFindings } from '../../method/audit/findings.ts';
import type { AuditResult } from '../../method/audit/results.ts';
import { itemKinds } from '../../method/scoring/item-kinds.ts';
import { effectCaveat } from '../heat-map/effect-words.ts';
import { historyAnswer } from '../text/history-answer.ts';
import { leftOutText } from '../text/left-out-text.ts';
import { count } from '../text/lists.ts';
import { strengthText } from '../text/strength-words.ts';

/** `12%`: by how much e^nats is above 1, or below. */
export function percentOf(nats: number): string {
  const change = 100 * Math.expm1(nats);
  return `${decimal(Math.abs(change), Math.abs(change) < 9.95 ? 1 : 0)}%`;
}

/** `12% likelier`: what so many nats a token are. */
export const likelier = (nats: number) => `${percentOf(nats)} ${nats < 0 ? 'less likely' : 'likelier'}`;

/** A finding with its sentence. */
export interface SaidFinding {
  readonly finding: AuditFinding;
  readonly text: string;
}

/** Every finding of an audit in words. */
export function saidFindings(audit: AuditResult): SaidFinding[] {
  return auditFindings(audit).map((finding) => ({ finding, text: findingText(finding, audit) }));
}

/** Findings that say something about the user's histories; the rest says how far to trust them. */
export const isAnswer = ({ finding: { code } }: SaidFinding) =>
  ['history', 'for-whom', 'one-user', 'part', 'tokens', 'dose', 'strength', 'items'].includes(code);

/** True of every audit. */
export const generalCaveats: readonly string[] = [
  effectCaveat,
  'The effects of single items do not add up to that of the history: D is what one item adds to all the others.',
  'Likelier does not mean better for the reader: an audit asks only how well the model predicts what a user wrote.',
  'The texts are those of the data file. Users who write little or nothing are not in it.',
];

function findingText(finding: AuditFinding, { prompt }: AuditResult): string {
  switch (finding.code) {
    case 'history':
      return historyAnswer(finding.total, finding.userSpecific);
    case 'one-user':
      return 'There is only one user, so nothing here says for whom.';
    case 'for-whom': {
      const { users, gain, judged, certain } = finding;
      const enough =
        judged === 0
          ? `but no user has the ${FEWEST_FOR_INTERVAL} texts that it takes to rule out chance`
          : `and beyond chance for ${certain} of the ${judged} with at least ${FEWEST_FOR_INTERVAL} texts`;
      return `The user’s own history does better than another’s for ${gain} of ${users} users, ${enough}.`;
    }
    case 'part':
      return finding.kind === 'shown'
        ? `The user’s own history shows most in the ${finding.name} of a text.`
        : 'In no part of the texts did the user’s own history clearly beat another user’s.';
    case 'tokens':
      return finding.kind === 'shown'
        ? 'Some tokens are the user’s own beyond what users differ by chance.'
        : 'No single token is the user’s own beyond what users differ by chance.';
    case 'dose': {
      const what = finding.isCut ? `the latest ${finding.items} items do` : 'all items do';
      return `The latest item alone does ${decimal(100 * finding.share, 0)}% of what ${what}.`;
    }
    case 'strength':
      return strengthText(finding);
    case 'items': {
      const { counts, items, texts } = finding;
      const parts = {
        useful: `${counts.useful} ${counts.useful === 1 ? 'adds' : 'add'} to it`,
        harmful: `${counts.harmful} ${counts.harmful === 1 ? 'takes' : 'take'} away from it`,
        redundant: `${counts.redundant} ${counts.redundant === 1 ? 'has' : 'have'} a twin`,
        idle: `${counts.idle} ${counts.idle === 1 ? 'makes' : 'make'} no difference`,
      };
      const said = itemKinds.filter((kind) => counts[kind] > 0).map((kind) => parts[kind]);
      return `Of ${count(items, 'history item')} taken out one at a time, each for the one text it precedes (${count(texts, 'text')}): ${said.join(', ')}.`;
    }
    case 'left-out':
      return leftOutText(finding.reason, finding.count, finding.first, prompt.maxTokens);
    case 'few-users':
      return `The intervals rest on only ${count(finding.users, 'user')} and are too narrow; other users may differ.`;
    case 'items-differ':
      return `Other users’ histories show fewer items (${decimal(finding.others, 1)} on average) than the user’s own (${decimal(finding.own, 1)}): part of C may come from their number.`;
    case 'one-other':
      return 'With one other history a text, single tokens cannot be tested against chance.';
    case 'tokens-tested':
      return `Tokens are tested one by one, each against ${finding.others} other histories: some rare personal words are missed, and up to ${decimal(100 * finding.level, 0)}% of those found are chance.`;
    case 'one-domain':
      return `All ${count(finding.texts, 'text')} are of one domain: nothing here says how domains differ.`;
  }
}
