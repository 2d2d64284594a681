/** @file The three sentences of an audit turn when the numbers turn, and claim no more than the intervals do. */
import { describe, expect, it } from 'vitest';
import { answerOf, percentOf } from '../../../src/reports/audit/answer.ts';
import { about } from '../comparison/example-results.ts';
import { exampleAudit, group } from './example-audit.ts';

const effects = (total: number, userSpecific: number, half = 0.05) => ({
  total: about(total, half),
  generic: about(total - userSpecific, half),
  userSpecific: about(userSpecific, half),
});
const first = (total: number, userSpecific: number) =>
  answerOf(exampleAudit({ effects: effects(total, userSpecific) }))[0]!;

it('an answer is three sentences', () => {
  const answer = answerOf(exampleAudit());
  expect(answer).toHaveLength(3);
  for (const sentence of answer) {
    expect(sentence).toMatch(/\.$/);
    expect(sentence).not.toMatch(/\. [A-Z]/);
  }
});

it('percentages say by how much a token becomes likelier', () => {
  expect(percentOf(Math.log(1.26))).toBe('26%');
  expect(percentOf(Math.log(0.75))).toBe('25%');
  expect(percentOf(0.01)).toBe('1.0%');
});

describe('whether', () => {
  it.each([
    [0.3, 0.2, /^Yes, the history matters: .*35% \(95% interval 28% to 42%\) likelier.*worth 22%/],
    [0.3, 0.01, /^A history helps, but that it has to be the user’s own was not shown/],
    [0.3, -0.2, /^A history helps, but another user’s helps more/],
    [0.01, 0.2, /^It matters whose history it is, but that the history helps was not shown/],
    [0.01, 0.01, /^That the history matters was not shown/],
    [-0.3, 0.01, /^The history hurts: /],
    [-0.3, 0.2, /^The history hurts, though the user’s own less than another’s/],
  ])('A %f and C %f', (total, userSpecific, words) => {
    expect(first(total, userSpecific)).toMatch(words);
  });
});

it('nothing is shown by fewer than five users', () => {
  expect(answerOf(exampleAudit({ users: 4 }))[0]).toMatch(/^That the history matters was not shown/);
});

describe('for whom', () => {
  it('counts users, tells chance from several texts, and names the ends', () => {
    expect(answerOf(exampleAudit())[1]).toBe(
      'The user’s own history does better than another’s for 1 of 12 users, beyond chance for 1 of the 1 with 5 texts or more: from +35% a token for Usula Userword down to −9.5% for Ulf Secondname.',
    );
  });

  it('says when users have few texts each, and when there is one user', () => {
    const single = exampleAudit({ byUser: [group('a', 0.3, 1), group('b', 0.1, 1)] });
    expect(answerOf(single)[1]).toContain('each judged by fewer than 5 texts');
    expect(answerOf(exampleAudit({ users: 1 }))[1]).toContain('one user only');
  });
});

describe('where', () => {
  it('names the share of tokens, the strongest third, the first item and the kinds of items', () => {
    expect(answerOf(exampleAudit())[2]).toBe(
      'What is the user’s own shows most in the first third of the texts, and in 10.0% of single word pieces beyond what users differ by chance; the latest item alone gives 67% of what all do; the 2 items looked at alone: 2 useful, 0 harmful, 0 that could be left out.',
    );
  });

  // A bug: with more items shown than the curve has, the largest dose was called all of them.
  it('compares the latest item with the largest dose where more items may be shown', () => {
    const { prompt, dose } = exampleAudit();
    const upTo8 = [...dose.slice(0, 2), { ...dose[2]!, items: 8 }];
    const answer = (maxHistory: number) =>
      answerOf(exampleAudit({ dose: upTo8, prompt: { ...prompt, maxHistory } }))[2];
    expect(answer(8)).toContain('the latest item alone gives 67% of what all do');
    expect(answer(16)).toContain('the latest item alone gives 67% of what the latest 8 do');
  });

  it('claims no place where no third was shown', () => {
    const { where } = exampleAudit();
    const thirds = where.thirds.map((third) => ({ ...third, userSpecific: about(0.01, 0.1) }));
    expect(answerOf(exampleAudit({ where: { thirds } }))[2]).toMatch(/^In no third of the texts/);
  });

  it('leaves out the first item where all of them together were not shown to help', () => {
    const dose = [0, 1, 2].map((items) => ({ items, texts: 3, effect: about(0.01, 0.1) }));
    expect(answerOf(exampleAudit({ dose }))[2]).not.toContain('latest item');
  });
});
