/** @file Whose text is it? Author identification of texts that systems wrote, all by one judge: the model as it comes, without adapter. */
import { DataError } from '../../base/errors.ts';
import type { ProgressListener } from '../../base/progress.ts';
import { meanByUser } from '../../base/statistics/by-user.ts';
import { type Estimate, intervalOfEnough } from '../../base/statistics/estimate.ts';
import type { Example } from '../data/example.ts';
import { evaluateGenerated, type GeneratedText } from '../evaluation/generated-text.ts';
import { isTooFewUsers } from '../others/others-histories.ts';
import type { PromptSettings } from '../prompts/pair.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';

/** How often the user's own history makes a written text likelier than other users' histories do. */
export interface WrittenAuthors {
  readonly identified: Estimate;
  /** Histories to choose among, the own one included: chance is one over it. */
  readonly candidates: number;
  readonly texts: number;
  /** Texts whose histories do not fit beside them, which it says nothing about. */
  readonly leftOut: number;
}

export interface WrittenAuthorsOptions {
  readonly prompt: PromptSettings;
  /** Where other users' histories come from. */
  readonly pool: readonly Example[];
  /** Matched others for each text; 3 by default, or fewer where fewer users have a history. */
  readonly others?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: ProgressListener;
}

/**
 * The rule: a text is its user's where log p(text | query, history) is greatest for the user's own history, of the latest items of
 * the own history and of matched others', as many of each; equal ones share. An empty text is as likely after any history: it counts
 * as chance, so that saying nothing does not pay.
 * @param judge without adapter, the same for all systems
 * @returns undefined where no text can be compared: too few users have a history, or none shows
 */
export async function writtenAuthors(
  judge: ScoredModel,
  written: readonly GeneratedText[],
  { prompt, ...options }: WrittenAuthorsOptions,
): Promise<WrittenAuthors | undefined> {
  const settings: PromptSettings = {
    ...prompt,
    template: 'default',
    retrieval: 'latest',
    reference: 'removed',
  };
  const empty = written.filter(({ text }) => text.trim() === '');
  if (empty.length === written.length) return undefined;
  const evaluation = await evaluateGenerated('written texts', judge, written, {
    ...options,
    prompt: settings,
    bootstrap: {},
  }).catch((error: unknown) => {
    if (isTooFewUsers(error) || (error instanceof DataError && error.code === 'data/no-history'))
      return undefined;
    throw error;
  });
  if (evaluation === undefined) return undefined;
  const candidates = evaluation.system.authorIdentification!.k;
  const rows = [
    ...evaluation.scores.map(({ user, identified }) => ({ user, value: identified })),
    ...empty.map(({ example: { user } }) => ({ user, value: 1 / candidates })),
  ];
  const users = new Set(rows.map(({ user }) => user)).size;
  return {
    identified: intervalOfEnough(meanByUser(rows, { seed: options.seed ?? 0 }), users),
    candidates,
    texts: rows.length,
    leftOut: written.length - rows.length,
  };
}
