/** @file What each test of a refutation does and expects, and why its verdict is what it is, in sentences. */
import { decimal, digitsOf } from '../../base/number-format.ts';
import { type Estimate, FEWEST_FOR_INTERVAL } from '../../base/statistics/estimate.ts';
import type { Leaves } from '../../method/refutation/refutation-test.ts';
import type { RefutationResult } from '../../method/refutation/results.ts';

export interface TestWords {
  readonly title: string;
  /** What is done. */
  readonly what: string;
  /** What must come of it where the effect is real. */
  readonly expected: string;
}

const words: Readonly<Record<string, TestWords>> = {
  'label-alignment': {
    title: 'Labels shifted by one',
    what: 'In place of every token, the one before it and the one after it are scored.',
    expected: 'Both are less likely than the token itself.',
  },
  'own-history': {
    title: 'Own history',
    what: 'The user’s own history is compared with other users’ of the same length and domain.',
    expected: 'The own history makes the text likelier: C is above 0.',
  },
  'placebo-history': {
    title: 'Placebo history',
    what: 'Another user’s history takes the place of the own one and is compared with other users’.',
    expected: 'Nothing is left of C: one stranger’s history is as good as another’s.',
  },
  'wrong-target': {
    title: 'Wrong target',
    what: 'A text of another user is scored with this user’s history, compared with other users’.',
    expected: 'Nothing is left of C: a history is no help with what somebody else wrote.',
  },
  'irrelevant-note': {
    title: 'Irrelevant note added',
    what: 'A note about nobody is put among the items of every history.',
    expected: 'C stays about the same.',
  },
  'items-shuffled': {
    title: 'Items shuffled',
    what: 'The items of every history are put in another order.',
    expected: 'C stays about the same: it comes from what the items say.',
  },
  'random-half': {
    title: 'Random half of the history',
    what: 'The own history is cut to a random half of its items; other users’ stay whole.',
    expected: 'C is smaller and keeps its sign: half of the dose does no more than all of it.',
  },
  'template-wording': {
    title: 'Template wording changed',
    what: 'The words of the prompt around the history and the query are replaced by others.',
    expected: 'C stays about the same: it does not depend on how the prompt is worded.',
  },
};

/** The words of a test by its name; a test of somebody else's is known by its name alone. */
export function testWords(name: string): TestWords {
  return words[name] ?? { title: name, what: '', expected: '' };
}

/** What a test expects, short enough for a column. */
export function expectationText(leaves: Leaves | undefined): string {
  if (leaves === undefined) return 'above 0';
  return { nothing: 'nothing left of C', part: 'less of C', all: 'C stays' }[leaves];
}

/** Why the verdict is what it is. */
export function reasonText({ reason, verdict }: Pick<RefutationResult, 'reason' | 'verdict'>): string {
  const more = verdict === 'cannot tell' ? ' Score more users.' : '';
  switch (reason.code) {
    case 'no-example':
      return 'No example could be used: the histories are too short or too long.';
    case 'few-users':
      return `Only ${reason.users === 1 ? '1 user' : `${reason.users} users`} could be used; an interval needs at least ${FEWEST_FOR_INTERVAL}.${more}`;
    case 'no-effect':
      return 'No user-specific effect was shown, so there is no share of it to compare.';
    case 'history-unused':
      return 'It makes no difference whose history is shown: the model does not use it.';
    case 'share': {
      const { kept, from, to } = reason;
      const range = Number.isFinite(from)
        ? `between ${decimal(from, 1)} and ${decimal(to, 1)}`
        : `below ${decimal(to, 1)}`;
      const found = { passes: 'lies', fails: 'does not lie', 'cannot tell': 'may or may not lie' }[verdict];
      return `The share of C that is left, ${intervalText(kept)}, ${found} ${range}, where it should.${more}`;
    }
    case 'neighbours': {
      const interval = intervalText(reason.effect);
      if (verdict === 'fails')
        return `A token is less likely than one of its neighbours, by ${interval} nats: either the labels are shifted, or the model predicts nothing here.`;
      const text = `Tokens are likelier than their neighbours by ${interval} nats`;
      return verdict === 'passes' ? `${text}.` : `${text}, which includes 0.${more}`;
    }
    case 'own-history': {
      const text = `C is ${intervalText(reason.effect)} nats a token`;
      if (verdict === 'passes') return `${text}.`;
      const half = `half of how far the histories of two other users are apart (${decimal(reason.wouldMatter, 3)})`;
      return verdict === 'fails'
        ? `${text}: not shown to be above 0, and shown to be below ${half}.`
        : `${text}, which includes both 0 and ${half}.${more}`;
    }
  }
}

/** `0.97 (95% interval 0.95 to 1.00)`. */
function intervalText(estimate: Estimate): string {
  const digits = digitsOf(estimate);
  const [value, low, high] = [estimate.value, estimate.low, estimate.high].map((n) => decimal(n, digits));
  return `${value} (95% interval ${low} to ${high})`;
}
