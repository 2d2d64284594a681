/** @file What a forgetting changes for the model, measured: the effect before and after, and what shared adapters know. */
import { createHmac } from 'node:crypto';
import { bootstrapUsers } from '../../../base/statistics/bootstrap.ts';
import { type Estimate, intervalOfEnough } from '../../../base/statistics/estimate.ts';
import { mean } from '../../../base/statistics/mean.ts';
import { readInfo } from '../../../engine/lora/adapter-folder.ts';
import { totalEffect } from '../../../method/effects/named-effects.ts';
import { wasTrainedOn } from '../../../method/runs/trained-users.ts';
import type { Database } from '../store/database.ts';
import { asItem } from '../store/items.ts';
import type { ForgettingMeasures, ForgettingProbe, StoredAdapter, StoredItem } from '../store-contract.ts';

/** Texts that are scored at most, before and after. */
const PROBES = 8;

/** The user's texts that most items come before, each with those items. */
export function probesOf(items: readonly StoredItem[]): ForgettingProbe[] {
  const first = Math.max(0, items.length - PROBES);
  return items
    .slice(first)
    .map(({ query, text }, i) => ({ query, text, history: items.slice(0, first + i) }));
}

/** log p of the tokens of one probe's text. */
type Scores = Awaited<ReturnType<ForgettingMeasures['logProbabilities']>>[number];

/** The mean effect of a token over the probes, with an interval over them. */
export function effectOf(scores: readonly Scores[]): Estimate {
  const effects = scores.map(({ withHistory, withoutHistory }) =>
    totalEffect(mean(withHistory), mean(withoutHistory)),
  );
  const weighted = (counts: Int32Array) => {
    const drawn = counts.reduce((sum, count) => sum + count, 0);
    return effects.reduce((sum, effect, i) => sum + effect * counts[i]!, 0) / drawn;
  };
  return intervalOfEnough(bootstrapUsers(effects.length, weighted, {}), effects.length);
}

/**
 * What the model gives for the user's texts with what the store still holds of the user, beside what it gives for a new user.
 * @param held items of the user that are left: none, if all went well
 */
export async function effectAfter(
  probes: readonly ForgettingProbe[],
  held: readonly StoredItem[],
  { logProbabilities }: ForgettingMeasures,
): Promise<{ readonly after: Estimate; readonly equalsNewUser: boolean }> {
  const bare = probes.map((probe) => ({ ...probe, history: [] }));
  const now = await logProbabilities(
    probes.map((probe) => ({ ...probe, history: held })),
    undefined,
  );
  const ofNewUser = await logProbabilities(bare, undefined);
  const equal = (a: readonly number[], b: readonly number[]) =>
    a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
  const equalsNewUser = now.every(
    ({ withHistory, withoutHistory }, i) =>
      equal(withHistory, ofNewUser[i]!.withHistory) &&
      equal(withoutHistory, ofNewUser[i]!.withoutHistory) &&
      equal(withHistory, withoutHistory),
  );
  return { after: effectOf(now), equalsNewUser };
}

/** What an adapter that serves others may still know of the user. */
export interface SharedAdapter {
  readonly name: string;
  readonly hash: string;
  /** By the record of its training, where it has one. */
  readonly trainedOnUser: 'yes' | 'no' | 'unknown';
  /** Mean log p of a token without history, nats: of the user's texts and of texts of users who stay. */
  readonly likelihood?: {
    readonly user: { readonly withAdapter: number; readonly withoutAdapter: number };
    readonly others?: { readonly withAdapter: number; readonly withoutAdapter: number };
  };
}

/** Shared adapters with what their records say of the user and, where that is not "no", how well they know the user's texts. */
export async function sharedAdapters(
  adapters: readonly StoredAdapter[],
  user: string,
  own: readonly ForgettingProbe[],
  db: Database,
  measures: ForgettingMeasures | undefined,
): Promise<SharedAdapter[]> {
  const found: SharedAdapter[] = [];
  for (const adapter of adapters) {
    if (adapter.owner !== undefined) continue;
    const { name, hash } = adapter;
    const info = await readInfo(adapter.folder).catch(() => undefined);
    const trained = (id: string) => wasTrainedOn(info, id);
    const trainedOnUser = trained(user);
    if (trainedOnUser === 'no' || measures === undefined || own.length === 0) {
      found.push({ name, hash, trainedOnUser });
      continue;
    }
    const others = otherTexts(db, user).filter(({ id }) => trained(id) !== 'yes');
    const both = async (probes: readonly ForgettingProbe[]) => {
      const bare = probes.map((probe) => ({ ...probe, history: [] }));
      const level = (scores: readonly Scores[]) =>
        mean(scores.map(({ withoutHistory }) => mean(withoutHistory)));
      return {
        withAdapter: level(await measures.logProbabilities(bare, adapter)),
        withoutAdapter: level(await measures.logProbabilities(bare, undefined)),
      };
    };
    const ofOthers = others.map(({ probe }) => probe);
    found.push({
      name,
      hash,
      trainedOnUser,
      likelihood: { user: await both(own), ...(ofOthers.length > 0 && { others: await both(ofOthers) }) },
    });
  }
  return found;
}

/** The latest text of up to {@link PROBES} other users, drawn by the forgotten user's id: the same each time it is asked. */
function otherTexts(db: Database, user: string): { readonly id: string; readonly probe: ForgettingProbe }[] {
  const ids = db
    .all('SELECT DISTINCT user FROM items WHERE user <> ? ORDER BY user LIMIT 500', user)
    .map((row) => row.user as string);
  const order = (id: string) => createHmac('sha256', user).update(id).digest('hex');
  const drawn = ids.sort((a, b) => (order(a) < order(b) ? -1 : 1)).slice(0, PROBES);
  return drawn.map((id) => {
    const { query, text } = asItem(
      db.get('SELECT * FROM items WHERE user = ? ORDER BY start DESC, seq DESC LIMIT 1', id)!,
    );
    return { id, probe: { query, text, history: [] } };
  });
}
