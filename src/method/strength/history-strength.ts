/** @file How far a model should trust histories: the strength of least loss over held-out texts, by place, by kind of token, by user. */
import { groupBy } from '../../base/group-by.ts';
import type { ProgressListener } from '../../base/progress.ts';
import type { BootstrapOptions } from '../../base/statistics/bootstrap.ts';
import { inOrderOfUsers } from '../../base/statistics/by-user.ts';
import { mean } from '../../base/statistics/mean.ts';
import type { Example } from '../data/example.ts';
import { thirdNames, thirdOf } from '../effects/thirds.ts';
import type { PromptPair, ShownItems } from '../prompts/pair.ts';
import type { ScoredModel } from '../scoring/scored-model.ts';
import { promptKeeper, type ScorerOptions } from '../scoring/scorer.ts';
import { tokensAtStrengths } from '../scoring/strengths.ts';
import { type BestStrength, leastOfConvex, type StrengthCurve, strengthCurve } from './strength-curve.ts';
import { kindsOfTokens, type TokenKind, tokenKinds } from './token-kinds.ts';

/** Tried where nothing is said: 0 is no history, 1 the history as the model takes it. */
export const DEFAULT_STRENGTHS: readonly number[] = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2];

/** s* of some of the tokens. */
export interface PartStrength {
  readonly name: string;
  readonly users: number;
  readonly texts: number;
  readonly tokens: number;
  readonly best: BestStrength;
}

/** What {@link historyStrength} finds. */
export interface HistoryStrength extends StrengthCurve {
  readonly users: number;
  readonly texts: number;
  /** Thirds of the texts, then kinds of tokens; those that no token is of are left out. */
  readonly parts: readonly PartStrength[];
  /** s* of each user's texts alone, smallest first; numbers of single texts are noisy. */
  readonly byUser: readonly { readonly user: string; readonly texts: number; readonly best: number }[];
}

export interface HistoryStrengthOptions
  extends Pick<ScorerOptions, 'threads' | 'tokensPerRun' | 'signal' | 'onTokens' | 'cache' | 'keeper'> {
  /** Ascending, at least 3, 1 among them; {@link DEFAULT_STRENGTHS} by default. */
  readonly strengths?: readonly number[];
  readonly bootstrap?: BootstrapOptions;
  readonly onProgress?: ProgressListener | undefined;
}

/** A text whose prompt shows a history. */
export interface StrengthText {
  readonly example: Example;
  readonly pair: PromptPair & ShownItems;
}

/** Whether a model gives the logits that strengths are made of: a server and a worker give log-probabilities alone. */
export const givesStrengths = ({ remote, model: { worker } }: ScoredModel): boolean =>
  remote === undefined && worker === undefined;

/**
 * The strength of least loss of a model's histories. It is found on the same texts that its loss is told of: a strength to be used is
 * chosen on other users.
 * @param texts at least one
 * Cost: two passes a text, which a keeper then has.
 */
export async function historyStrength(
  scored: ScoredModel,
  texts: readonly StrengthText[],
  {
    strengths = DEFAULT_STRENGTHS,
    bootstrap = {},
    onProgress,
    cache,
    keeper,
    ...options
  }: HistoryStrengthOptions,
): Promise<HistoryStrength> {
  const pairs = texts.map(({ pair }) => pair);
  await using book = promptKeeper(scored, { cache, keeper });
  const scores = await tokensAtStrengths(scored, pairs, strengths, {
    ...options,
    keeper: book,
    onDone: (done) => onProgress?.({ stage: 'strengths', done, total: texts.length, unit: 'texts' }),
  });
  const lossesOf = (isIn: (text: number, token: number) => boolean) =>
    texts.flatMap(({ example: { user } }, i) => {
      const tokens = Array.from(scores[i]![0]!.keys()).filter((token) => isIn(i, token));
      if (tokens.length === 0) return [];
      const nll = scores[i]!.map((values) => -mean(tokens.map((token) => values[token]!)));
      return [{ user, nll, tokens: tokens.length }];
    });
  const partOf = (name: string, isIn: (text: number, token: number) => boolean): PartStrength[] => {
    const losses = lossesOf(isIn);
    if (losses.length === 0) return [];
    return [
      {
        name,
        users: new Set(losses.map(({ user }) => user)).size,
        texts: losses.length,
        tokens: losses.reduce((sum, { tokens }) => sum + tokens, 0),
        best: strengthCurve(strengths, losses, bootstrap).best,
      },
    ];
  };
  const kinds = texts.map(kindsIn);
  const all = lossesOf(() => true);
  const users = inOrderOfUsers(groupBy(all, ({ user }) => user));
  return {
    ...strengthCurve(strengths, all, bootstrap),
    users: users.length,
    texts: texts.length,
    parts: [
      ...thirdNames.flatMap((name, third) =>
        partOf(name, (text, token) => {
          const { from, to } = thirdOf(pairs[text]!.responseIds.length, third);
          return from <= token && token < to;
        }),
      ),
      ...tokenKinds.flatMap((kind) => partOf(kind, (text, token) => kinds[text]![token] === kind)),
    ],
    byUser: users
      .map(([user, own]) => ({
        user,
        texts: own.length,
        best: leastOfConvex(
          strengths,
          strengths.map((_, s) => mean(own.map(({ nll }) => nll[s]!))),
        ),
      }))
      .sort((a, b) => a.best - b.best),
  };
}

function kindsIn({ example, pair }: StrengthText): TokenKind[] {
  return kindsOfTokens({
    response: example.response,
    starts: pair.responseStarts,
    ends: pair.responseEnds,
    shown: pair.shown.map(({ text }) => text),
  });
}
