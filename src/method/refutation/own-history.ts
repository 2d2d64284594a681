/** @file The claim itself: the user's own history makes the text likelier than other users' do (C above 0). */
import { contrast, type RefutationTest } from './refutation-test.ts';
import { HALF, ROUNDING, verdictOf } from './verdict.ts';

export const ownHistory: RefutationTest = {
  name: 'own-history',
  control: ({ example, own, others }, { prompt }) =>
    contrast(
      prompt(example, own),
      others.map(({ history }) => prompt(example, history)),
    ),
  judge: ({ effect, strangers }) => {
    // The interval of a history that is nobody's holds 0 however many users there are, so it is held against what would
    // matter to this model: as in all tests, half of the scale, here of how far histories of two strangers are apart.
    const wouldMatter = HALF * strangers;
    const verdict = verdictOf(
      effect,
      [ROUNDING, Number.POSITIVE_INFINITY],
      [[Number.NEGATIVE_INFINITY, Math.max(wouldMatter, ROUNDING)]],
    );
    return {
      verdict,
      reason:
        verdict === 'fails' && strangers <= ROUNDING
          ? { code: 'history-unused' }
          : { code: 'own-history', effect, wouldMatter },
    };
  },
};
