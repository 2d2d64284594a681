/** @file The claim itself: the user's own history makes the text likelier than other users' do (C above 0). */
import { decimal } from '../explain/number-format.ts';
import { contrast, type RefutationTest } from './refutation-test.ts';
import { shareText } from './verdict.ts';

/** Nats a token below which a difference is rounding: log-probabilities are f32 sums over thousands of products. */
export const ROUNDING = 1e-5;

export const ownHistory: RefutationTest = {
  name: 'own-history',
  title: 'Own history',
  what: 'The user’s own history is compared with other users’ of the same length and domain.',
  expected: 'The own history makes the text likelier: C is above 0.',
  control: ({ example, own, placebos }, { prompt }) =>
    contrast(
      prompt(example, own),
      placebos.map(({ history }) => prompt(example, history)),
    ),
  judge: ({ effect, strangers }) => {
    const c = `C is ${shareText(effect)} nats a token`;
    if (effect.low > ROUNDING) return { verdict: 'passes', why: `${c}.` };
    if (strangers <= ROUNDING && effect.high <= ROUNDING)
      return {
        verdict: 'fails',
        why: 'Whose history it is changes nothing: the model does not use it.',
      };
    // The scale on which histories matter to this model at all: an effect that is smaller was looked for finely enough.
    const distance = `histories of two other users are ${decimal(strangers, 3)} apart`;
    if (effect.high <= strangers)
      return {
        verdict: 'fails',
        why: `${c}: ${distance}, and the own one is not shown to be better than theirs.`,
      };
    return {
      verdict: 'cannot tell',
      why: `${c}, which includes 0, while ${distance}: score more users.`,
    };
  },
};
