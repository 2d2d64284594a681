/** @file What training did, in sentences: the answer of a run's report. */
import { shownSide } from '../../base/statistics/estimate.ts';
import type { ColdStart } from '../../method/evaluation/cold-start.ts';
import type { FindingKind } from '../../method/evaluation/findings.ts';
import type { TrainSummary } from '../../method/runs/manifest.ts';
import type { Sentence } from '../text/html-parts.ts';
import { count } from '../text/lists.ts';

/** One sentence on text with its history, before training and after. */
export function runAnswer(cold: ColdStart | undefined): { kind: FindingKind; sentence: string } {
  if (cold === undefined)
    return { kind: 'open', sentence: 'Nothing could be scored, so what training did is not known.' };
  const { nllWithHistory, users, kind } = cold;
  const side = shownSide(nllWithHistory.change, users);
  const what = kind === 'training' ? 'the texts that it was trained on' : 'held-out texts';
  if (side < 0)
    return { kind: 'shown', sentence: `Training made ${what} likelier, given the user’s history.` };
  if (side > 0)
    return { kind: 'warning', sentence: `Training made ${what} less likely, given the user’s history.` };
  return {
    kind: 'open',
    sentence: `Training did not clearly change how likely ${what} are, given the user’s history.`,
  };
}

/** What must be known before the answer is believed. */
export function runWarnings(cold: ColdStart | undefined): string[] {
  if (cold === undefined) return [];
  return [
    ...(cold.isWorseWithoutHistory
      ? ['Users without a history pay: text without one became less likely.']
      : []),
    ...(cold.kind === 'training'
      ? ['Nothing here is held out: the data have no validation rows, so these texts were trained on.']
      : []),
  ];
}

/** What else was found of the effects of the history. */
export function runFindings({ total, userSpecific, nllWithoutHistory, users, shown }: ColdStart): Sentence[] {
  const about = (what: string, change: ColdStart['total'], missing: string): Sentence => {
    if (change === undefined) return { kind: 'open', text: `${what} is not known: ${missing}.` };
    const side = shownSide(change.change, users);
    if (side === 0) return { kind: 'open', text: `${what} did not clearly change.` };
    return { kind: 'shown', text: `${what} became ${side > 0 ? 'larger' : 'smaller'}.` };
  };
  const without = shownSide(nllWithoutHistory.change, users);
  return [
    ...(without < 0
      ? [{ kind: 'shown' as const, text: 'Text without a history became likelier, too.' }]
      : []),
    about('The effect of the user’s history (A)', total, 'no example shows one'),
    about(
      'The user-specific effect (C)',
      userSpecific,
      shown > 0 ? 'too few users have a history' : 'no example shows one',
    ),
  ];
}

/** Which step's weights the result holds, and why the run ended there; nothing where it is the last planned step's as ever. */
export function keptText(
  { best, endedBy }: Pick<TrainSummary, 'best' | 'endedBy'>,
  patience?: number,
): string {
  const ended =
    endedBy === 'patience' && patience !== undefined
      ? ` It ended after ${count(patience, 'evaluation')} without a better step.`
      : '';
  return best === undefined
    ? ''
    : ` The run kept step ${best.step}, whose held-out loss was the least: ${best.validationLoss.toFixed(3)} nats.${ended}`;
}

/** What the numbers rest on. */
export function guardText({ kind, examples, users, shown, compared, others }: ColdStart): string {
  const parts = [
    `${count(examples, `${kind} example`)} of ${count(users, 'user')}`,
    ...(shown < examples ? [`A and C: the ${shown} whose history is shown`] : []),
    ...(compared < shown ? [`C: the ${compared} that can be compared`] : []),
    ...(compared > 0
      ? [`C compares with ${count(others, 'other history').replace('historys', 'histories')}`]
      : []),
  ];
  return `${parts.join('; ')}.`;
}
