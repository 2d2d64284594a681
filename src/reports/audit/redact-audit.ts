/** @file An audit that may travel: no text, and users, examples and domains by numbers. */

import type { AuditResult, GroupEffects } from '../../method/audit/results.ts';
import { lengthOf, redactEffectMaps } from '../heat-map/redact-maps.ts';
import { portableName } from '../text/portable-name.ts';

/** The same audit without texts and names; users and domains are numbered in the order of their C. */
export function redactAudit(audit: AuditResult): AuditResult {
  const users = new Map(audit.byUser.map(({ name }, i) => [name, `user ${i + 1}`]));
  const { personal } = audit.where;
  const maps = redactEffectMaps([...audit.maps.most, ...audit.maps.least], users);
  const renamed = (groups: readonly GroupEffects[], name: (i: number) => string) =>
    groups.map((group, i) => ({ ...group, name: name(i) }));
  return {
    ...audit,
    leftOut: { ...audit.leftOut, first: {} },
    model: portableName(audit.model),
    byUser: renamed(audit.byUser, (i) => `user ${i + 1}`),
    byDomain: renamed(audit.byDomain, (i) => `domain ${i + 1}`),
    ...(audit.strength && {
      strength: {
        ...audit.strength,
        byUser: audit.strength.byUser.map((of) => ({ ...of, user: users.get(of.user)! })),
      },
    }),
    where: {
      ...audit.where,
      ...(personal && {
        personal: {
          ...personal,
          strongest: personal.strongest.map((token) => ({
            ...token,
            example: '·',
            user: users.get(token.user)!,
            token: lengthOf(token.token),
          })),
        },
      }),
    },
    maps: { most: maps.slice(0, audit.maps.most.length), least: maps.slice(audit.maps.most.length) },
  };
}
