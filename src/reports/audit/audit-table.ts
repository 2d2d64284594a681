/** @file The audit in a terminal: the answer, then the numbers behind it as aligned tables. */
import { estimateText, hasInterval, signed } from '../../base/number-format.ts';
import type { AuditResult, GroupEffects } from '../../method/audit/results.ts';
import { alignedColumns } from '../comparison/comparison-table.ts';
import { remoteText } from '../text/remote-text.ts';
import { strengthRows } from '../text/strength-section.ts';
import { terminalText } from '../text/terminal-text.ts';
import { tokenLabel } from '../text/visible-text.ts';
import { generalCaveats, isAnswer, likelier, saidFindings } from './audit-words.ts';
import { redactAudit } from './redact-audit.ts';

/** Users and domains shown at each end of their order, and tokens. */
const SHOWN = 5;

const NAME_WIDTH = 32;

/**
 * The audit as lines of text; ends with a line feed.
 * @param options - `redact`: names by numbers; default false
 */
export function renderAuditTerminal(
  audit: AuditResult,
  { redact = false }: { redact?: boolean } = {},
): string {
  const shown = redact ? redactAudit(audit) : audit;
  const { effects, users, texts, tokens, byUser, byDomain, where, dose } = shown;
  const ends = byUser.length <= 2 * SHOWN ? byUser : [...byUser.slice(0, SHOWN), ...byUser.slice(-SHOWN)];
  const { personal } = where;
  const said = saidFindings(shown);
  const answer = said.find(({ finding }) => finding.code === 'history')!;
  const rest = said.filter((each) => each !== answer);
  const found = rest.filter(isAnswer);
  const caveats = rest.filter((each) => !isAnswer(each) && each.finding.code !== 'left-out');
  return [
    line(answer.text),
    ...rest.filter(({ finding }) => finding.code === 'left-out').map(({ text }) => `! ${line(text)}`),
    '',
    `${name(shown.model, 200)}: ${texts} texts of ${users} users, ${tokens} tokens; nats a token, means over users [95% interval by user]`,
    '',
    ...alignedColumns(
      [
        ['A  own history against none', estimateText(effects.total), factor(effects.total.value)],
        ['B  another user’s against none', estimateText(effects.generic), factor(effects.generic.value)],
        [
          'C  own against another user’s',
          estimateText(effects.userSpecific),
          factor(effects.userSpecific.value),
        ],
      ],
      () => false,
    ),
    '',
    ...found.filter(({ finding }) => finding.kind === 'shown').map(({ text }) => `● ${line(text)}`),
    ...found.filter(({ finding }) => finding.kind !== 'shown').map(({ text }) => `○ ${line(text)}`),
    ...section(
      byUser.length > ends.length
        ? `users with the largest and the smallest C, of ${users}`
        : 'users, largest C first',
      groupTable('user', ends),
    ),
    ...(byDomain.length === 0 ? [] : section('domains', groupTable('domain', byDomain.slice(0, 2 * SHOWN)))),
    ...section('parts of the texts', groupTable('part', where.thirds)),
    ...(personal === undefined
      ? []
      : [
          '',
          `tokens that the own history makes likelier than chance: ${estimateText(personal.share)} of all`,
          ...personal.strongest
            .slice(0, SHOWN)
            .map(
              ({ token, userSpecific, user }) =>
                `  ${tokenLabel(token)} ${signed(userSpecific)}  ${name(user)}`,
            ),
        ]),
    ...section(
      'dose: the latest items, A on the same texts',
      alignedColumns([
        ['items', 'A', 'added', 'texts with so many'],
        ...dose.map(({ items, effect, added, texts: many }) => [
          String(items),
          estimateText(effect),
          added === undefined ? '' : estimateText(added),
          String(many),
        ]),
      ]),
    ),
    ...(shown.strength === undefined
      ? []
      : section(
          'strength of the history at which texts are likeliest; 1 as the model takes it',
          alignedColumns(strengthRows(shown.strength), () => false),
        )),
    '',
    ...(audit.remote === undefined ? [] : [`note: ${line(remoteText(audit.remote))}`]),
    ...caveats.map(({ finding, text }) => `${finding.kind === 'warning' ? '!' : 'note:'} ${line(text)}`),
    ...generalCaveats.map((caveat) => `note: ${caveat}`),
    '',
  ].join('\n');
}

const section = (title: string, lines: readonly string[]) => ['', title, ...lines];

const factor = (nats: number) => `${likelier(nats)} a token`;

/** A sentence that may hold a user's name. */
const line = (text: string) => name(text, 2000);

function groupTable(kind: string, groups: readonly GroupEffects[]): string[] {
  return alignedColumns(
    [
      [kind, 'A', 'B', 'C', 'texts'],
      ...groups.map((group) => [
        name(group.name),
        ...[group.total, group.generic, group.userSpecific].map((estimate) =>
          hasInterval(estimate)
            ? `${signed(estimate.value, 3)} [${signed(estimate.low, 3)}, ${signed(estimate.high, 3)}]`
            : signed(estimate.value, 3),
        ),
        String(group.texts),
      ]),
    ],
    (column) => column > 0,
  );
}

/** A user's text on one line. */
function name(text: string, width = NAME_WIDTH): string {
  const characters = [...terminalText(text.replace(/\s+/g, ' '))];
  return characters.length <= width ? characters.join('') : `${characters.slice(0, width - 1).join('')}…`;
}
