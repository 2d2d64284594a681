/** @file The claim itself: the user's own history makes the text likelier than other users' do (C above 0). */
import { decimal } from '../../base/number-format.ts';
import { contrast, type RefutationTest } from './refutation-test.ts';
import { HALF, ROUNDING, shareText, verdictOf } from './verdict.ts';

export const ownHistory: RefutationTest = {
  name: 'own-history',
  title: 'Own history',
  what: 'The user’s own history is compared with other users’ of the same length and domain.',
  expected: 'The own history makes the text likelier: C is above 0.',
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
    const c = `C is ${shareText(effect)} nats a token`;
    if (verdict === 'passes') return { verdict, why: `${c}.` };
    if (verdict === 'fails' && strangers <= ROUNDING)
      return { verdict, why: 'Whose history it is changes nothing: the model does not use it.' };
    const half = `half of what histories of two other users are apart, ${decimal(wouldMatter, 3)}`;
    return {
      verdict,
      why:
        verdict === 'fails'
          ? `${c}: not shown to be above 0, and shown to be below ${half}.`
          : `${c}, which includes 0 as well as ${half}: score more users.`,
    };
  },
};
