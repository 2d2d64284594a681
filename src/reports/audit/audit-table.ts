/** @file The audit in a terminal: the answer, then the numbers behind it as aligned tables. */
import { estimateText, hasInterval, signed } from '../../base/number-format.ts';
import type { AuditResult, GroupEffects } from '../../method/audit/results.ts';
import { alignedColumns } from '../comparison/comparison-table.ts';
import { terminalText } from '../text/terminal-text.ts';
import { tokenLabel } from '../text/visible-text.ts';
import { answerOf, percentOf } from './answer.ts';
import { caveatsOf } from './caveats.ts';
import { redactAudit } from './redact-audit.ts';

/** Users and domains shown at each end of their order, and tokens. */
const SHOWN = 5;

const NAME_WIDTH = 32;

/**
 * The audit as lines of text; ends with a line feed.
 * @param options.redact names by numbers; default false
 */
export function renderAuditTerminal(
  audit: AuditResult,
  { redact = false }: { redact?: boolean } = {},
): string {
  const shown = redact ? redactAudit(audit) : audit;
  const { effects, users, texts, tokens, byUser, byDomain, where, dose, maps } = shown;
  const ends = byUser.length <= 2 * SHOWN ? byUser : [...byUser.slice(0, SHOWN), ...byUser.slice(-SHOWN)];
  const kinds = [...maps.most, ...maps.least].flatMap(({ items = [] }) => items.map(({ kind }) => kind));
  const { personal } = where;
  return [
    ...answerOf(shown).map((sentence) => `${name(sentence, 2000)}\n`),
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
    ...(kinds.length === 0
      ? []
      : [
          '',
          `items of ${maps.most.length + maps.least.length} texts: ${(
            ['useful', 'harmful', 'redundant', 'idle'] as const
          )
            .map((kind) => `${kinds.filter((each) => each === kind).length} ${kind}`)
            .join(', ')}`,
        ]),
    '',
    ...caveatsOf(shown).map((caveat) => `note: ${caveat}`),
    '',
  ].join('\n');
}

const section = (title: string, lines: readonly string[]) => ['', title, ...lines];

const factor = (nats: number) => `${percentOf(nats)} ${nats < 0 ? 'less likely' : 'likelier'} a token`;

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
