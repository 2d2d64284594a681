/** @file The examples of a refutation: equal numbers of items, room for a note, nothing that does not show. */
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, DataError } from '../../../src/base/errors.ts';
import { loadTokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import { withIrrelevantNote } from '../../../src/method/others/controls.ts';
import type { ScoredPrompt } from '../../../src/method/prompts/collate.ts';
import type { PromptSettings } from '../../../src/method/prompts/pair.ts';
import { refuteScores } from '../../../src/method/refutation/refute.ts';
import { refutationSubjects } from '../../../src/method/refutation/subjects.ts';
import { refutationTests } from '../../../src/method/refutation/suite.ts';
import { newUser, writtenUsers } from '../../support/written-users.ts';

const tokenizer = await loadTokenizer(resolve(import.meta.dirname, '../../golden/tokenizer-small'));
const prompt: PromptSettings = { template: 'default', reference: 'removed', maxTokens: 512, maxHistory: 8 };
const options = { prompt, others: 3, pool: writtenUsers, seed: 1 };

describe('subjects', () => {
  it('show as many items of their own as of every other user, with room for a note', async () => {
    for (const maxTokens of [512, 200, 170]) {
      const made = await refutationSubjects(writtenUsers, tokenizer, {
        ...options,
        prompt: { ...prompt, maxTokens },
      });
      for (const { example, own, others } of made.subjects) {
        expect(others.map(({ history }) => history.length)).toEqual([own.length, own.length, own.length]);
        const draw = { example: example.id, seed: 1 };
        for (const history of [own, ...others.map((other) => other.history)])
          expect(made.prompt(example, withIrrelevantNote(history, draw))).toBeDefined();
      }
    }
  });

  it('leave out examples without a history, and refuse when none is left', async () => {
    const { subjects } = await refutationSubjects([newUser, ...writtenUsers], tokenizer, options);
    expect(subjects.map(({ example }) => example.id)).toEqual(writtenUsers.map(({ id }) => id));
    await expect(refutationSubjects([newUser], tokenizer, options)).rejects.toThrow(DataError);
  });

  it('leave out a text that is too long and count every reason by itself, unless they are to be strict', async () => {
    const long = { ...writtenUsers[1]!, id: 'long', response: 'x '.repeat(2000) };
    const { leftOut } = await refutationSubjects([newUser, ...writtenUsers, long], tokenizer, options);
    expect(leftOut).toEqual({
      tooLong: 1,
      withoutHistory: 1,
      historyDoesNotFit: 0,
      othersDoNotFit: 0,
      first: { tooLong: 'long', withoutHistory: newUser.id },
    });
    // Others whose histories do not fit were once counted as having no history.
    const kettles = [{ id: 'l', query: '', text: 'kettle '.repeat(1100) }];
    const pool = writtenUsers.map((each, i) => (i === 0 ? each : { ...each, history: kettles }));
    await expect(
      refutationSubjects(writtenUsers.slice(0, 1), tokenizer, { ...options, pool }),
    ).rejects.toThrow(/1 beside which no other/);
    await expect(
      refutationSubjects([...writtenUsers, long], tokenizer, { ...options, strict: true }),
    ).rejects.toMatchObject({ code: 'data/too-long' });
  });

  it('have no prompt where not all items fit', async () => {
    const made = await refutationSubjects(writtenUsers, tokenizer, options);
    const { example, own } = made.subjects[0]!;
    const endless = Array.from({ length: 30 }, () => own).flat();
    expect(made.prompt(example, endless)).toBeUndefined();
    expect(made.prompt(example, [])!.promptIds.length).toBeLessThan(
      made.prompt(example, own)!.promptIds.length,
    );
  });
});

describe('controls', async () => {
  const made = await refutationSubjects(writtenUsers, tokenizer, options);

  it('of every test score the text that belongs to them', async () => {
    for (const test of refutationTests) {
      for (const subject of made.subjects) {
        const control = test.control(subject, made)!;
        const own = made.prompt(subject.example, subject.own)!.responseIds.join();
        const texts = new Set(control.prompts.map(({ responseIds }) => responseIds.join()));
        expect(texts.size).toBe(1);
        expect(texts.has(own)).toBe(test.name !== 'wrong-target');
      }
    }
  });

  it('that need two items are not made of one', async () => {
    const single = writtenUsers.map((example) => ({ ...example, history: example.history.slice(-1) }));
    const few = await refutationSubjects(single, tokenizer, { ...options, pool: single });
    const without = refutationTests
      .filter((test) => test.control(few.subjects[0]!, few) === undefined)
      .map(({ name }) => name);
    expect(without).toEqual(['items-shuffled', 'random-half']);
  });

  it('of fewer than five users say nothing, whatever is measured', async () => {
    const scorer = {
      logProbabilities: async (prompts: readonly ScoredPrompt[]) =>
        prompts.map(({ promptIds, responseIds }) =>
          new Float32Array(responseIds.length).fill(-promptIds.length),
        ),
    };
    const { tests, verdict } = await refuteScores(scorer, tokenizer, writtenUsers, { prompt, others: 2 });
    expect(new Set(tests.map((test) => test.verdict))).toEqual(new Set(['cannot tell']));
    expect(verdict).toBe('cannot tell');
    expect(tests[0]!.reason).toEqual({ code: 'few-users', users: 4 });
  });

  it('need two strangers', async () => {
    const scorer = { logProbabilities: async () => [] };
    await expect(refuteScores(scorer, tokenizer, writtenUsers, { prompt, others: 1 })).rejects.toThrow(
      ConfigError,
    );
  });
});
