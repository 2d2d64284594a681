/** @file How the effects of a heat map, the kinds of its items and the facts about it are named and explained. */
import { decimal } from '../../base/number-format.ts';
import type { EffectMap, EffectName } from '../../method/explain/effect-map.ts';
import { type ItemKind, NEAR_ZERO } from '../../method/scoring/item-kinds.ts';
import { portableName } from '../text/portable-name.ts';

/** A name, and what the value says as the end of a sentence. */
export interface EffectWords {
  readonly label: string;
  readonly meaning: string;
}

export const effectWords: Readonly<Record<EffectName, EffectWords>> = {
  logRatio: {
    label: 'Log ratio',
    meaning: 'log-probability of the token with the history minus without it',
  },
  probability: {
    label: 'Probability difference',
    meaning: 'probability of the token with the history minus without it',
  },
  divergence: {
    label: 'Divergence',
    meaning: 'how far the history moves the whole prediction, twice Jensen–Shannon',
  },
  divergenceAtLeast: {
    label: 'Divergence, at least',
    meaning:
      'how far the history moves the prediction at least, by the likeliest tokens that the server gives',
  },
  userSpecific: {
    label: 'User-specific',
    meaning: 'log ratio minus the mean log ratio of other users’ histories',
  },
  generic: { label: 'Another user’s', meaning: 'mean log ratio of other users’ histories' },
};

/** What an item does to this one text: a label that claims no more, and its definition. */
export const itemKindWords: Readonly<Record<ItemKind, EffectWords>> = {
  useful: {
    label: 'adds',
    meaning: 'this text is less likely without the item, all other items kept (D above 0)',
  },
  harmful: {
    label: 'takes away',
    meaning: 'this text is likelier without the item, all other items kept (D below 0)',
  },
  redundant: {
    label: 'has a twin',
    meaning: 'D is near 0 while another item, its twin, is there, and above 0 once the twin is gone',
  },
  idle: { label: 'no difference', meaning: 'D is near 0, with or without any one of the other items' },
};

/** What `near 0` is. */
export const nearZeroText = `within ${decimal(NEAR_ZERO)} nats a token`;

const references: Readonly<Record<string, string>> = {
  removed: 'no history section',
  'none-text': 'the word “None”',
  placebo: 'another user’s history',
};

/** Facts about a map as label and value; those that only code knows by their key are left to JSON. */
export function mapFacts(map: EffectMap): [label: string, value: string][] {
  const { reference, historyItems } = map.meta;
  return [
    ['User', map.user],
    ['Example', map.example],
    ['Model', portableName(map.model)],
    ...(historyItems === undefined
      ? []
      : [['History items shown', String(historyItems)] as [string, string]]),
    ...(typeof reference === 'string'
      ? [['Compared with', references[reference] ?? reference] as [string, string]]
      : []),
  ];
}

/** What every page with heat maps says of them. */
export const effectCaveat =
  'Effects are teacher-forced: each is the direct effect of the history on one token, given the words before it as they ' +
  'were written. They do not add up over text that a model writes freely.';
