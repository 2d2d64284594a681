/** @file Writes one review word by word, and notes of every word who decided it and what its true log ratio is. */
import type { RandomStream } from '../../base/random.ts';
import type { Cause, CauseSpan } from '../data/example.ts';
import { type Belief, priorBelief } from './belief.ts';
import { type CauseText, causeText } from './cause-text.ts';
import {
  type ChoicePoint,
  choiceProbability,
  drawChoice,
  type SettledChoice,
  settle,
  uniform,
} from './choice.ts';
import { type Item, sentimentOf } from './items.ts';
import { aspectCounts, focusPairs, type Population, type SimulatedUser, type TraitName } from './users.ts';
import type { Phrase, World } from './worlds/world.ts';

/** Chance of a remark about a companion, and of the rating in words: the same for everybody. */
const companionRate = 0.7;
const ratingLineRate = 0.3;
const linkingVerbWeights = [0.55, 0.15, 0.15, 0.15];

/** A review with the truth about it. */
export interface WrittenReview {
  readonly text: string;
  readonly causes: readonly CauseSpan[];
  /** Every settled choice in order of writing. */
  readonly choices: readonly SettledChoice[];
}

interface Writing {
  readonly world: World;
  readonly user: SimulatedUser;
  readonly item: Item;
  readonly strength: number;
  readonly random: RandomStream;
  readonly belief: Belief;
  readonly out: CauseText;
  readonly choices: SettledChoice[];
  /** Aspects written so far, the one in hand last. */
  readonly mentioned: number[];
  /** Whether the user's own praise and criticism have been spent in this review. */
  readonly spent: Set<'praise' | 'criticism'>;
}

/**
 * Writes a review of `item` by `user`: perhaps a filler; opening; two to four aspects; verdict; perhaps companion and rating;
 * sign-off. No trait but focus and length is asked twice in one review, so that a word is not open only in name.
 *
 * Cause of a word: of the mixture component that produced it, see {@link drawChoice}. A word that settles two choices (the first
 * word after two or three aspects also says whether another follows) has the cause of the choice that picked the word, and the
 * sum of both log ratios. What item or query decide alone is `query`. All other words are `neither`.
 *
 * @param population what a reader without the user knows; must be the one that `user` was drawn from
 * @param strength 0 to 1: how often a choice follows the user
 * @param noise 0 to 1: chance of a filler sentence
 */
export function writeReview(
  user: SimulatedUser,
  item: Item,
  population: Population,
  strength: number,
  noise: number,
  random: RandomStream,
): WrittenReview {
  const { world } = population;
  const belief = priorBelief(population, item.domainIndex);
  const writing: Writing = {
    world,
    user,
    item,
    strength,
    random,
    belief,
    out: causeText(),
    choices: [],
    mentioned: [],
    spent: new Set(),
  };
  if (random.next() < noise) writePhrase(writing, random.pick(world.fillers), 'neither');
  writeChosen(writing, 'opening', world.openings);
  writeChosen(writing, 'frame', world.frames);
  writeSecondAspect(writing);
  if (continues(writing)) {
    writeChosen(writing, 'third', world.thirdStarts);
    if (continues(writing)) writeChosen(writing, 'fourth', world.fourthStarts);
  }
  const sentiment = sentimentOf(item.rating);
  writeChosen(
    writing,
    'tone',
    world.tones.map((tone) => tone[sentiment]),
    true,
  );
  if (random.next() < companionRate) writePhrase(writing, 'My {companion}', 'neither');
  if (random.next() < ratingLineRate) writePhrase(writing, world.ratingLines[item.rating - 1]!, 'query');
  writeChosen(writing, 'signOff', world.signOffs);
  return { ...writing.out.finish(), choices: writing.choices };
}

/** Settles one choice whose outcome the next word shows. */
function choose(writing: Writing, name: string, point: ChoicePoint): { choice: number; cause: Cause } {
  const { user, strength, random } = writing;
  const drawn = drawChoice(point, user.traits, strength, random);
  record(writing, name, drawn, point.trait, (value) =>
    choiceProbability(point, strength, drawn.choice, value),
  );
  return drawn;
}

function record(
  writing: Writing,
  name: string,
  drawn: { choice: number; cause: Cause },
  trait: TraitName,
  likelihood: (value: number) => number,
): void {
  const { withUser, withoutUser, logRatio } = settle(writing.belief, trait, writing.user.traits, likelihood);
  writing.out.settle(logRatio);
  writing.choices.push({
    name,
    choice: drawn.choice,
    cause: drawn.cause,
    probabilityWithUser: withUser,
    probabilityWithoutUser: withoutUser,
  });
}

/** Picks among phrases by the trait of that name and writes the one picked; its first word has the choice's cause. */
function writeChosen(
  writing: Writing,
  trait: TraitName,
  phrases: readonly Phrase[],
  meetsItem = false,
): void {
  const { choice, cause } = choose(writing, trait, { trait, anybody: uniform(phrases.length), meetsItem });
  writePhrase(writing, phrases[choice]!, cause);
}

/** Whether another aspect follows: open after two and three. The noise component draws the length uniformly. */
function continues(writing: Writing): boolean {
  const written = writing.mentioned.length;
  const stop = 1 / aspectCounts.filter((count) => count >= written).length;
  const { choice } = choose(writing, `length after ${written}`, {
    trait: 'length',
    anybody: [stop, 1 - stop],
    preferred: (value) => (written < aspectCounts[value]! ? 1 : 0),
    meetsItem: false,
  });
  return choice === 1;
}

/** The choice of the next aspect: the user's first interest, then the next; anybody takes any that is left. */
function aspectPoint(writing: Writing): ChoicePoint {
  const { mentioned } = writing;
  const aspects = writing.item.values.map((_, index) => index);
  const left = aspects.length - mentioned.length;
  return {
    trait: 'focus',
    anybody: aspects.map((index) => (mentioned.includes(index) ? 0 : 1 / left)),
    preferred: (value) => focusPairs[value]!.find((index) => !mentioned.includes(index)),
    meetsItem: true,
  };
}

function writeAspect(writing: Writing, suffix: string): void {
  const { choice, cause } = choose(writing, `aspect ${writing.mentioned.length + 1}`, aspectPoint(writing));
  writing.mentioned.push(choice);
  words(writing, writing.item.domain.aspects[choice]!.word + suffix, cause);
}

/**
 * The second aspect is drawn before its connector, because the connector says whether its value differs from the first one's;
 * so the connector settles the connector trait and that much of the focus, and the aspect's own word the rest.
 */
function writeSecondAspect(writing: Writing): void {
  const { item, user, strength, random } = writing;
  const point = aspectPoint(writing);
  const drawn = drawChoice(point, user.traits, strength, random);
  const before = item.values[writing.mentioned.at(-1)!]!;
  const differs = (index: number) => item.values[index] !== before;
  const contrast = differs(drawn.choice);
  const alike = item.values
    .map((_, index) => index)
    .filter((index) => point.anybody[index]! > 0 && differs(index) === contrast);
  const isAlike = (value: number) =>
    alike.reduce((sum, index) => sum + choiceProbability(point, strength, index, value), 0);
  const turn = { choice: contrast ? 1 : 0, cause: drawn.cause };
  record(writing, 'contrast', turn, 'focus', isAlike);
  const connector = choose(writing, 'connector', {
    trait: 'connector',
    anybody: uniform(writing.world.connectors.length),
    meetsItem: true,
  });
  const writeIt = (suffix: string) => {
    const cause = alike.length > 1 ? drawn.cause : 'query';
    if (alike.length > 1)
      record(
        writing,
        'aspect 2',
        drawn,
        'focus',
        (value) => choiceProbability(point, strength, drawn.choice, value) / isAlike(value),
      );
    writing.mentioned.push(drawn.choice);
    words(writing, item.domain.aspects[drawn.choice]!.word + suffix, cause);
  };
  const phrase = writing.world.connectors[connector.choice]![contrast ? 'contrast' : 'addition'];
  writePhrase(writing, phrase, connector.cause, writeIt);
}

/** The user's own word for the first good and the first bad aspect; the item's value alone decides every other. */
function writeAdjective(writing: Writing, suffix: string): void {
  const value = writing.item.values[writing.mentioned.at(-1)!]!;
  const trait = value === 'good' ? 'praise' : 'criticism';
  if (value === 'mixed' || writing.spent.has(trait)) {
    words(writing, writing.random.pick(writing.world.plainAdjectives[value]) + suffix, 'query');
    return;
  }
  writing.spent.add(trait);
  const list = trait === 'praise' ? writing.world.praises : writing.world.criticisms;
  const point = { trait, anybody: uniform(list.length), meetsItem: true } as const;
  const { choice, cause } = choose(writing, trait, point);
  words(writing, list[choice]! + suffix, cause);
}

function writeListed(writing: Writing, trait: TraitName, list: readonly string[], suffix: string): void {
  const { choice, cause } = choose(writing, trait, {
    trait,
    anybody: uniform(list.length),
    meetsItem: false,
  });
  words(writing, list[choice]! + suffix, cause);
}

/** Writes a phrase: the first word with the cause given, slots by their own rules, the rest `neither`. */
function writePhrase(
  writing: Writing,
  phrase: Phrase,
  first: Cause,
  aspect = (suffix: string) => writeAspect(writing, suffix),
): void {
  const { item, random } = writing;
  phrase.split(' ').forEach((token, index) => {
    const slot = /^\{(\w+)\}(\W*)$/.exec(token);
    const suffix = slot?.[2] ?? '';
    switch (slot?.[1]) {
      case undefined:
        writing.out.word(token, index === 0 ? first : 'neither');
        break;
      case 'name':
        words(writing, item.name + suffix, 'query');
        break;
      case 'aNoun':
        words(writing, `${item.domain.article} ${item.domain.noun}${suffix}`, 'query');
        break;
      case 'verb':
        words(writing, random.pick(item.domain.verbs) + suffix, 'query');
        break;
      case 'time':
        words(writing, random.pick(writing.world.times) + suffix, 'neither');
        break;
      case 'was': {
        const verb = writing.world.linkingVerbs[random.weighted(linkingVerbWeights)]!;
        const plural = item.domain.aspects[writing.mentioned.at(-1)!]!.plural === true;
        words(writing, (plural ? verb.plural : verb.singular) + suffix, 'neither');
        break;
      }
      case 'aspect':
        aspect(suffix);
        break;
      case 'adjective':
        writeAdjective(writing, suffix);
        break;
      case 'intensifier':
        writeListed(writing, 'intensifier', writing.world.intensifiers, suffix);
        break;
      case 'companion':
        writeListed(writing, 'companion', writing.world.companions, suffix);
        words(writing, random.pick(writing.world.companionRemarks), 'neither');
        break;
      case 'writer':
        writeListed(writing, 'writer', writing.world.writers, suffix);
        break;
    }
  });
}

function words(writing: Writing, text: string, cause: Cause): void {
  for (const word of text.split(' ')) writing.out.word(word, cause);
}
