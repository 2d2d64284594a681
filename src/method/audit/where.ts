/** @file Where in the texts the history shows: by thirds, and which tokens a user's own history moves beyond what others' do. */

import type { BootstrapOptions } from '../../base/statistics/bootstrap.ts';
import { meanByUser } from '../../base/statistics/by-user.ts';
import { falseDiscoveryRates, pValues } from '../../base/statistics/p-value.ts';
import { type TokenRange, userSpecificEffect } from '../effects/named-effects.ts';
import { thirdNames, thirdOf } from '../effects/thirds.ts';
import { groupEffects, textEffects } from './groups.ts';
import type { PersonalToken, WhereInText } from './results.ts';
import type { TextScores } from './scores.ts';

/** Of the tokens found, at most this share in expectation is found by chance. */
const FALSE_DISCOVERY_RATE = 0.05;

const STRONGEST = 20;

/** Both questions of the head of this file. */
export function whereInText(
  scores: readonly TextScores[],
  tokenText: (score: TextScores, position: number) => string,
  bootstrap?: BootstrapOptions,
): WhereInText {
  const tests = testTokens(scores);
  const shareFound = (range: (tokens: number) => TokenRange) =>
    meanByUser(
      scores.flatMap(({ example, own }, i) => {
        const { from, to } = range(own.length);
        const found = tests!.adjusted[i]!.slice(from, to).filter((rate) => rate <= FALSE_DISCOVERY_RATE);
        return to > from ? [{ user: example.user, value: found.length / (to - from) }] : [];
      }),
      bootstrap,
    );
  const thirds = thirdNames.flatMap((name, third) => {
    const texts = scores.flatMap((score) => {
      const range = thirdOf(score.own.length, third);
      return range.to > range.from ? [textEffects(score, range)] : [];
    });
    if (texts.length === 0) return [];
    return [
      {
        ...groupEffects(name, texts, bootstrap),
        ...(tests && { personalShare: shareFound((tokens) => thirdOf(tokens, third)) }),
      },
    ];
  });
  if (tests === undefined) return { thirds };
  return {
    thirds,
    personal: {
      level: FALSE_DISCOVERY_RATE,
      tokens: scores.reduce((sum, { own }) => sum + own.length, 0),
      nullSize: tests.nullSize,
      share: shareFound((to) => ({ from: 0, to })),
      strongest: strongestTokens(scores, tests, tokenText),
    },
  };
}

/** Of every token of every text. */
interface TokenTests {
  /** C at the token, nats. */
  readonly userSpecific: readonly Float64Array[];
  /** The false discovery rate at which it is found. */
  readonly adjusted: readonly Float64Array[];
  readonly nullSize: number;
}

/**
 * Tests every token: its log-probability after the user's own history minus the mean after others', against the same
 * difference of each of these from the rest, pooled over all tokens; then Benjamini–Hochberg. A stranger's history is
 * compared with one history fewer, so the null is a little wide and the test a little strict. Where users share what
 * is told of them, as simulated ones do, one of these stands out from the rest about as far as the own history does, and
 * no token need be found (docs/log.md).
 * @returns undefined with fewer than two others
 */
function testTokens(scores: readonly TextScores[]): TokenTests | undefined {
  if (scores[0]!.others.length < 2) return undefined;
  const pooledNull: number[] = [];
  const userSpecific = scores.map(({ own, others }) =>
    Float64Array.from(own, (value, t) => {
      const strangers = others.map((values) => values[t]!);
      for (const [v, stranger] of strangers.entries())
        pooledNull.push(userSpecificEffect(stranger, strangers.toSpliced(v, 1)));
      return userSpecificEffect(value, strangers);
    }),
  );
  const all = userSpecific.flatMap((values) => [...values]);
  const rates = falseDiscoveryRates(pValues(all, pooledNull, { alternative: 'greater' }));
  let at = 0;
  const adjusted = userSpecific.map(({ length }) => {
    at += length;
    return rates.subarray(at - length, at);
  });
  return { userSpecific, adjusted, nullSize: pooledNull.length };
}

function strongestTokens(
  scores: readonly TextScores[],
  { userSpecific, adjusted }: TokenTests,
  tokenText: (score: TextScores, position: number) => string,
): PersonalToken[] {
  const found = scores.flatMap((score, i) =>
    [...adjusted[i]!.entries()]
      .filter(([, rate]) => rate <= FALSE_DISCOVERY_RATE)
      .map(([position, rate]) => ({ score, position, rate, effect: userSpecific[i]![position]! })),
  );
  return found
    .sort((a, b) => b.effect - a.effect)
    .slice(0, STRONGEST)
    .map(({ score, position, rate, effect }) => ({
      example: score.example.id,
      user: score.example.user,
      position,
      token: tokenText(score, position),
      userSpecific: effect,
      adjusted: rate,
    }));
}
