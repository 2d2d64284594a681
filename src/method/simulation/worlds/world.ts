/** @file What a simulated world is made of: items to write about, and every word that its people can write. */

/** Something that can be looked at. */
export interface Aspect {
  readonly word: string;
  readonly plural?: true;
}

/** A kind of item; aspect i of every domain answers the same interest (substance, looks, ease, support, cost). */
export interface Domain {
  readonly noun: string;
  readonly article: 'a' | 'an';
  readonly verbs: readonly string[];
  readonly aspects: readonly [Aspect, Aspect, Aspect, Aspect, Aspect];
}

export const one = (word: string): Aspect => ({ word });
export const many = (word: string): Aspect => ({ word, plural: true });

/** How good an aspect of an item is. */
export type AspectValue = 'good' | 'mixed' | 'bad';

/**
 * How a phrase is written down: words and `{slots}` parted by single spaces; the first word is the open one.
 * Slots: `{name}` the item, `{aNoun}` its kind with article, `{verb}` what one does with it, `{time}` when,
 * `{aspect}`, `{was}` a linking verb that agrees with it, `{intensifier}`, `{adjective}`, `{companion}`, `{writer}`.
 */
export type Phrase = string;

/**
 * Items and words. Alternatives of one choice differ in their first word, which therefore decides the rest; tests hold every
 * world to this.
 */
export interface World {
  readonly name: string;
  readonly domains: readonly Domain[];
  /** First and second words of item names. */
  readonly nameStarts: readonly string[];
  readonly nameEnds: readonly string[];
  /** First sentence: a trait. */
  readonly openings: readonly Phrase[];
  /** Shape of the first sentence about an aspect: a trait. */
  readonly frames: readonly Phrase[];
  /** How the second aspect is joined: a trait that meets the item; `contrast` where its value differs from the aspect before. */
  readonly connectors: readonly { readonly addition: Phrase; readonly contrast: Phrase }[];
  /** How the third aspect is joined: a trait. */
  readonly thirdStarts: readonly Phrase[];
  /** How the fourth aspect is joined: a trait. */
  readonly fourthStarts: readonly Phrase[];
  /** Before the first adjective: a trait. */
  readonly intensifiers: readonly string[];
  /** Adjective of the first good aspect: a trait that meets the item. */
  readonly praises: readonly string[];
  /** Adjective of the first bad aspect: a trait that meets the item. */
  readonly criticisms: readonly string[];
  /** Adjectives that the item's value alone decides: mixed aspects, and every further good or bad one. */
  readonly plainAdjectives: Readonly<Record<AspectValue, readonly string[]>>;
  /** A tone is a trait that meets the rating: one verdict for ratings of 4 and 5, one for 3, one for 1 and 2. */
  readonly tones: readonly Readonly<Record<AspectValue, Phrase>>[];
  /** Who else had an opinion: a trait. */
  readonly companions: readonly string[];
  /** Last words: a trait; most are followed by the writer's name. */
  readonly signOffs: readonly Phrase[];
  /** The writer's name: a trait. */
  readonly writers: readonly string[];
  /** Drawn alike for everybody: when it was. */
  readonly times: readonly Phrase[];
  /** Drawn alike for everybody: linking verbs. */
  readonly linkingVerbs: readonly { readonly singular: string; readonly plural: string }[];
  /** Drawn alike for everybody: what the companion thought, after `My {companion}`. */
  readonly companionRemarks: readonly Phrase[];
  /** Drawn alike for everybody: sentences before the opening that have nothing to do with user or item. */
  readonly fillers: readonly Phrase[];
  /** The rating in words, decided by the item: index is rating − 1. */
  readonly ratingLines: readonly Phrase[];
}
