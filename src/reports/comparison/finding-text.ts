/** @file What an evaluation found, a short sentence each; the numbers stand in tables and charts. */
import { FEWEST_FOR_INTERVAL } from '../../base/statistics/estimate.ts';
import type { EvaluationFinding, Moved, SystemEstimate } from '../../method/evaluation/findings.ts';
import type { Measure, PairedDifference } from '../../method/evaluation/results.ts';
import { listed } from '../text/lists.ts';
import { measureWords } from './measure-words.ts';

/** The sentence of a finding; the name of the evaluation is left to what stands around it. */
export function findingText(finding: EvaluationFinding): string {
  const { users } = finding;
  switch (finding.code) {
    case 'total':
      return totalText(finding.side, names(finding.systems), users);
    case 'user-specific':
      return specificText(finding.side, names(finding.systems), users);
    case 'known-causes':
      return causesText(finding.side, names(finding.systems), users);
    case 'author':
      return authorText(finding.side, names(finding.systems), users);
    case 'difference':
      return differenceText(finding, users);
    case 'cold-start':
      return coldStartText(finding.side, finding.difference, users);
    case 'few-users':
      return users === 1
        ? 'There is only one held-out user, so nothing here says how users differ.'
        : `The intervals rest on only ${users} held-out users and are too narrow.`;
  }
}

const names = (systems: readonly SystemEstimate[]) => listed(systems.map(({ system }) => system));

/** Added to what was not shown, where more users are what it lacks. */
const unless = (users: number) =>
  users >= FEWEST_FOR_INTERVAL ? '.' : `: ${users === 1 ? 'one user' : `${users} users`} cannot show it.`;

function totalText(side: number, systems: string, users: number): string {
  if (side > 0) return `A user’s history helps to predict that user’s text, under ${systems}.`;
  if (side < 0) return `A user’s history makes that user’s text harder to predict, under ${systems}.`;
  return `We found no evidence that a user’s history helps, under ${systems}${unless(users)}`;
}

function specificText(side: number, systems: string, users: number): string {
  if (side > 0) return `A user’s own history helps more than another user’s, under ${systems}.`;
  if (side < 0) return `Another user’s history helps more than the user’s own, under ${systems}.`;
  return `We found no evidence that it matters whose history is shown, under ${systems}${unless(users)}`;
}

function causesText(side: number, systems: string, users: number): string {
  if (side > 0) return `The effects of ${systems} find the tokens that the user is known to have caused.`;
  if (side < 0) return `The effects of ${systems} run against the known causes.`;
  return `We found no evidence that the effects of ${systems} follow the known causes${unless(users)}`;
}

function authorText(side: number, systems: string, users: number): string {
  if (side > 0) return `The model can tell who wrote a text, under ${systems}.`;
  if (side < 0) return `The model picks the wrong author more often than chance would, under ${systems}.`;
  return `We found no evidence that the model can tell who wrote a text, under ${systems}${unless(users)}`;
}

function differenceText(
  { side, isBetter, moved, difference }: EvaluationFinding & { code: 'difference' },
  users: number,
): string {
  const { system, baseline, measure } = difference;
  if (side === 0)
    return `${system} and ${baseline} do not clearly differ in ${measureWords[measure].phrase}${unless(users)}`;
  if (measure === 'nllWithHistory')
    return `${system} predicts a user’s text ${isBetter ? 'better' : 'worse'} than ${baseline}, given the user’s history.`;
  if (measure === 'authorIdentification')
    return `${system} identifies authors ${isBetter ? 'better' : 'worse'} than ${baseline}.`;
  if (measure === 'nllWithoutHistory' || measure === 'nllOtherHistory') {
    const given = measure === 'nllWithoutHistory' ? 'Without a history' : 'With another user’s history';
    return `${given}, text is ${side < 0 ? 'likelier' : 'less likely'} under ${system} than under ${baseline}.`;
  }
  const effect = measure === 'totalEffect' ? 'The history effect (A)' : 'The user-specific effect (C)';
  return `${effect} is ${side > 0 ? 'larger' : 'smaller'} under ${system} than under ${baseline}${reasonText(measure, side, moved)}.`;
}

/** Which side moved: an effect that grows because a stranger's history misleads more is no gain for a user. */
function reasonText(measure: Measure, side: number, moved: Moved | undefined): string {
  const own = side > 0 ? 'the user’s own history helps more' : 'the user’s own history helps less';
  const other =
    measure === 'totalEffect'
      ? `text without a history got ${side > 0 ? 'less likely' : 'likelier'}`
      : `another user’s history misleads ${side > 0 ? 'more' : 'less'}`;
  if (moved === 'own') return `: ${own}`;
  if (moved === 'other') return `, only because ${other}`;
  if (moved === 'both') return `: ${own}, and ${other}`;
  return '; which of its two sides changed is not clear';
}

/** @param side above 0 where they pay; `system` may name several */
export function coldStartText(
  side: number,
  { system, baseline }: Pick<PairedDifference, 'system' | 'baseline'>,
  users: number,
): string {
  if (side > 0)
    return `Users without a history pay: their text is less likely under ${system} than under ${baseline}.`;
  if (side < 0)
    return `Users without a history gain, too: their text is likelier under ${system} than under ${baseline}.`;
  return `For users without a history we found no change between ${baseline} and ${system}${unless(users)}`;
}
