/** @file The named effects A, B and C of texts, and their means over users, of single users, and by domain. */

import type { BootstrapOptions } from '../../base/statistics/bootstrap.ts';
import { meanByUser } from '../../base/statistics/by-user.ts';
import { type Estimate, intervalOfEnough } from '../../base/statistics/estimate.ts';
import { type NamedEffects, namedEffectsOfText, type TokenRange } from '../effects/named-effects.ts';
import type { GroupEffects } from './results.ts';
import type { TextScores } from './scores.ts';

/** A, B and C of one text or a part of it, nats a token. */
export interface TextEffects extends NamedEffects {
  readonly example: string;
  readonly user: string;
}

/** The effects of a text; of a part of its tokens where a range is given. */
export function textEffects(scores: TextScores, range?: TokenRange): TextEffects {
  const { id, user } = scores.example;
  return { example: id, user, ...namedEffectsOfText(scores, range) };
}

/** Means over users, with intervals by user. */
export function meanEffects(
  texts: readonly TextEffects[],
  bootstrap?: BootstrapOptions,
): NamedEffects<Estimate> {
  const byUser = (value: (text: TextEffects) => number) =>
    meanByUser(
      texts.map((text) => ({ user: text.user, value: value(text) })),
      bootstrap,
    );
  return {
    total: byUser(({ total }) => total),
    generic: byUser(({ generic }) => generic),
    userSpecific: byUser(({ userSpecific }) => userSpecific),
  };
}

/** Texts under a name, such as those of a domain; with intervals where there are users enough (see {@link intervalOfEnough}). */
export function groupEffects(
  name: string,
  texts: readonly TextEffects[],
  bootstrap?: BootstrapOptions,
): GroupEffects {
  const users = new Set(texts.map(({ user }) => user)).size;
  const effects = meanEffects(texts, bootstrap);
  const known = (estimate: Estimate) => intervalOfEnough(estimate, users);
  return {
    name,
    users,
    texts: texts.length,
    total: known(effects.total),
    generic: known(effects.generic),
    userSpecific: known(effects.userSpecific),
  };
}

/** Every user, largest C first; the interval of a user is over that user's texts, if there are enough. */
export function effectsByUser(
  texts: readonly TextEffects[],
  bootstrap?: BootstrapOptions,
): readonly GroupEffects[] {
  return bySize(
    [...groupsOf(texts, ({ user }) => user)].map(([user, own]) => ({
      ...groupEffects(
        user,
        own.map((text) => ({ ...text, user: text.example })),
        bootstrap,
      ),
      users: 1,
    })),
  );
}

/** Every domain, largest C first; empty where no example names one. */
export function effectsByDomain(
  scores: readonly TextScores[],
  bootstrap?: BootstrapOptions,
): readonly GroupEffects[] {
  const named = scores.flatMap((score) => {
    const { domain } = score.example;
    return domain !== undefined ? [{ domain, text: textEffects(score) }] : [];
  });
  return bySize(
    [...groupsOf(named, ({ domain }) => domain)].map(([domain, rows]) =>
      groupEffects(
        domain,
        rows.map(({ text }) => text),
        bootstrap,
      ),
    ),
  );
}

const bySize = (groups: readonly GroupEffects[]) =>
  [...groups].sort((a, b) => b.userSpecific.value - a.userSpecific.value || (a.name < b.name ? -1 : 1));

function groupsOf<T>(rows: readonly T[], name: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) groups.get(name(row))?.push(row) ?? groups.set(name(row), [row]);
  return groups;
}
