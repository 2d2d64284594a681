/** @file Tests of single tokens on made-up scores: planted tokens are found, chance is not, thirds divide the text. */
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/base/random.ts';
import type { TextScores } from '../../../src/method/audit/scores.ts';
import { whereInText } from '../../../src/method/audit/where.ts';
import { writtenUsers } from '../../support/written-users.ts';

const TOKENS = 60;

/** Texts of 30 users whose own history is another draw of what the others are, and adds `gain` at some tokens. */
function madeUpScores(gain: (token: number) => number, others = 3): TextScores[] {
  const random = randomStream(1, 'tests/where');
  const draw = () => Float32Array.from({ length: TOKENS }, () => -3 + 0.2 * random.normal());
  return Array.from({ length: 30 }, (_, u) => ({
    example: { ...writtenUsers[0]!, id: `e${u}`, user: `u${u}` },
    own: draw().map((value, t) => value + gain(t)),
    none: new Float32Array(TOKENS).fill(-3),
    others: Array.from({ length: others }, draw),
    // What a test of tokens does not look at.
    ...({ pair: {}, doses: [], dosed: [] } as unknown as Pick<TextScores, 'pair' | 'doses' | 'dosed'>),
  }));
}
const where = (scores: readonly TextScores[]) =>
  whereInText(scores, (_, t) => `token ${t}`, { resamples: 100 });

describe('single tokens', () => {
  it('are not found where the own history is one like all others', () => {
    const { personal } = where(madeUpScores(() => 0));
    expect(personal!.share.value).toBeLessThan(0.002);
    expect(personal).toMatchObject({ tokens: 30 * TOKENS, nullSize: 3 * 30 * TOKENS });
  });

  it('are found where the own history adds what no other does, and hardly any else', () => {
    const { personal, thirds } = where(madeUpScores((t) => (t % 20 === 3 ? 3 : 0)));
    expect(personal!.share.value).toBeGreaterThanOrEqual(3 / TOKENS);
    // At the rate of 5%, one in twenty of those found may be chance.
    expect(personal!.share.value).toBeLessThan((3 / TOKENS) * 1.1);
    expect(personal!.strongest).toHaveLength(20);
    for (const { position, userSpecific, adjusted, token } of personal!.strongest) {
      expect(position % 20).toBe(3);
      expect(userSpecific).toBeGreaterThan(2);
      expect(adjusted).toBeLessThanOrEqual(0.05);
      expect(token).toBe(`token ${position}`);
    }
    for (const { personalShare } of thirds) expect(personalShare!.value).toBeGreaterThanOrEqual(1 / 20);
  });
});

describe('thirds', () => {
  it('show where in the text the effect is, and weigh to the whole', () => {
    const scores = madeUpScores((t) => (t < 20 ? 0.9 : 0));
    const { thirds } = where(scores);
    expect(thirds[0]!.userSpecific.value).toBeGreaterThan(0.8);
    expect(Math.abs(thirds[1]!.userSpecific.value)).toBeLessThan(0.1);
    expect(thirds.map(({ texts, users }) => [texts, users])).toEqual([
      [30, 30],
      [30, 30],
      [30, 30],
    ]);
  });

  it('of texts of two tokens are two', () => {
    const short = madeUpScores(() => 0, 1).map((score) => ({
      ...score,
      own: score.own.subarray(0, 2),
      none: score.none.subarray(0, 2),
      others: score.others.map((values) => values.subarray(0, 2)),
    }));
    expect(where(short)).toMatchObject({ thirds: [{ name: 'first third' }, { name: 'middle third' }] });
  });
});
