/** @file The suite on the embedded model and simulated users: it passes as it is, and fails on every planted fault. */
import { afterAll, describe, expect, it } from 'vitest';
import { openScoredModel } from '../../../src/app/open/scored-model.ts';
import type { ScoredPrompt } from '../../../src/method/prompts/collate.ts';
import { labelAlignment } from '../../../src/method/refutation/label-alignment.ts';
import { ownHistory } from '../../../src/method/refutation/own-history.ts';
import { refuteScores } from '../../../src/method/refutation/refute.ts';
import type { Refutation } from '../../../src/method/refutation/results.ts';
import { refutationTests } from '../../../src/method/refutation/suite.ts';
import type { Scorer } from '../../../src/method/scoring/pair-effects.ts';
import { createScorer } from '../../../src/method/scoring/scorer.ts';
import { simulate } from '../../../src/method/simulation/simulate.ts';

/** Few users and short histories: the larger run is in docs/results.md. A seed that no training has seen. */
const examples = simulate({ users: 10, seed: 7_100_000, historyItems: 2 });

const opened = await openScoredModel('embedded');
const scorer = createScorer(opened);
afterAll(() => scorer[Symbol.asyncDispose]());

const options = { prompt: opened.prompt, others: 2 };
const refuted = (
  data = examples,
  scores: Pick<Scorer, 'logProbabilities'> = scorer,
  tests = refutationTests,
) => refuteScores(scores, opened.model.tokenizer, data, { ...options, tests });

/** The scorer, with every prompt changed first. */
const faulty = (change: (prompt: ScoredPrompt) => ScoredPrompt): Pick<Scorer, 'logProbabilities'> => ({
  logProbabilities: (prompts, onDone) => scorer.logProbabilities(prompts.map(change), onDone),
});
const failures = ({ tests }: Refutation) =>
  tests.filter(({ verdict }) => verdict === 'fails').map(({ name }) => name);

/** The tests that catch the planted faults, to keep this file quick. */
const guards = [labelAlignment, ownHistory];

describe('the refutation suite', { timeout: 240_000 }, () => {
  it('passes on the embedded model with simulated users', async () => {
    const refutation = await refuted();
    expect(refutation.tests.map(({ name, verdict }) => `${name} ${verdict}`)).toEqual(
      refutationTests.map(({ name }) => `${name} passes`),
    );
    expect(refutation.verdict).toBe('passes');
    expect(refutation).toMatchObject({ users: 10, examples: 10, leftOut: { withoutHistory: 0 }, others: 2 });
    expect(refutation.userSpecific.low).toBeGreaterThan(0);
    const own = refutation.tests.find(({ name }) => name === 'own-history')!;
    expect(own.effect).toEqual(refutation.userSpecific);
  });

  it.each([
    ['after', 1],
    ['before', -1],
  ])('fails when effects are computed with labels shifted to the token %s', async (_, by) => {
    const shifted = faulty((prompt) => {
      const ids = prompt.targetIds ?? prompt.responseIds;
      return { ...prompt, targetIds: ids.map((id, t) => ids[t + by] ?? id) };
    });
    const refutation = await refuted(examples, shifted, guards);
    expect(failures(refutation)).toContain('label-alignment');
    expect(refutation.verdict).toBe('fails');
  });

  it('fails when histories are shuffled between users', async () => {
    const shuffled = examples.map((example, i) => ({
      ...example,
      history: examples[(i + 1) % examples.length]!.history,
    }));
    expect(failures(await refuted(shuffled, scorer, guards))).toEqual(['own-history']);
  });

  it('fails for a model that ignores its history', async () => {
    const nearSighted = faulty((prompt) => ({ ...prompt, promptIds: prompt.promptIds.slice(-8) }));
    const refutation = await refuted(examples, nearSighted, guards);
    expect(failures(refutation)).toEqual(['own-history']);
    expect(refutation.tests[1]!.reason).toEqual({ code: 'history-unused' });
  });
});
