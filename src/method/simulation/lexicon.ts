/** @file Every word that simulated users can write: alternatives of one choice differ in their first word, which therefore decides the rest. */

/**
 * How a phrase is written down: words and `{slots}` parted by single spaces; the first word is the open one.
 * Slots: `{name}` the item, `{aNoun}` its kind with article, `{verb}` what one does with it, `{time}` when,
 * `{aspect}`, `{was}` a linking verb that agrees with it, `{intensifier}`, `{adjective}`, `{companion}`, `{writer}`.
 */
export type Phrase = string;

/** First sentence: a trait. */
export const openings: readonly Phrase[] = [
  'Honestly, I {verb} the {name} {time}.',
  'So I {verb} the {name} {time}.',
  'We {verb} the {name} {time}.',
  'After much debate I {verb} the {name}.',
  'Once again I wanted {aNoun} and {verb} the {name}.',
  'Curious as ever, I {verb} the {name} {time}.',
  'Friends kept praising the {name}, so I {verb} it {time}.',
  'Yes, I {verb} the {name} {time}.',
  'Looking for {aNoun}, I {verb} the {name}.',
  'Dear reader, I {verb} the {name} {time}.',
  'Quick note: I {verb} the {name} {time}.',
  'Here is {aNoun} to talk about: the {name}.',
];

/** Shape of the first sentence about an aspect: a trait. */
export const frames: readonly Phrase[] = [
  'The {aspect} {was} {intensifier} {adjective}.',
  'I found the {aspect} {intensifier} {adjective}.',
  'To me the {aspect} {was} {intensifier} {adjective}.',
  'For my taste the {aspect} {was} {intensifier} {adjective}.',
  'Its {aspect} {was} {intensifier} {adjective}.',
  'What stood out? The {aspect}: {intensifier} {adjective}.',
  'Somehow the {aspect} {was} {intensifier} {adjective}.',
  'As for the {aspect}: {intensifier} {adjective}.',
  'In short, the {aspect} {was} {intensifier} {adjective}.',
  'Right away the {aspect} {was} {intensifier} {adjective}.',
];

/** How the second aspect is joined: a trait that meets the item; `contrast` where its value differs from the aspect before. */
export const connectors: readonly { readonly addition: Phrase; readonly contrast: Phrase }[] = [
  { addition: 'Also, the {aspect} {was} {adjective}.', contrast: 'But the {aspect} {was} {adjective}.' },
  { addition: 'Plus, the {aspect} {was} {adjective}.', contrast: 'Yet the {aspect} {was} {adjective}.' },
  { addition: 'And the {aspect} {was} {adjective}.', contrast: 'Still, the {aspect} {was} {adjective}.' },
  {
    addition: 'Besides, the {aspect} {was} {adjective}.',
    contrast: 'However, the {aspect} {was} {adjective}.',
  },
  {
    addition: 'Moreover, the {aspect} {was} {adjective}.',
    contrast: 'Nevertheless, the {aspect} {was} {adjective}.',
  },
  {
    addition: 'Likewise, the {aspect} {was} {adjective}.',
    contrast: 'Then again, the {aspect} {was} {adjective}.',
  },
  {
    addition: 'Equally, the {aspect} {was} {adjective}.',
    contrast: 'Conversely, the {aspect} {was} {adjective}.',
  },
  {
    addition: 'Furthermore, the {aspect} {was} {adjective}.',
    contrast: 'Nonetheless, the {aspect} {was} {adjective}.',
  },
];

/** How the third aspect is joined: a trait. */
export const thirdStarts: readonly Phrase[] = [
  'Meanwhile, the {aspect} {was} {adjective}.',
  'Next, the {aspect} {was} {adjective}.',
  'Then the {aspect} {was} {adjective}.',
  'Apart from that, the {aspect} {was} {adjective}.',
  'On reflection, the {aspect} {was} {adjective}.',
  'Beyond that, the {aspect} {was} {adjective}.',
  'Looking closer, the {aspect} {was} {adjective}.',
  'Afterwards, the {aspect} {was} {adjective}.',
];

/** How the fourth aspect is joined: a trait. */
export const fourthStarts: readonly Phrase[] = [
  'Finally, the {aspect} {was} {adjective}.',
  'Lastly, the {aspect} {was} {adjective}.',
  'To finish, the {aspect} {was} {adjective}.',
  'Oh, and the {aspect} {was} {adjective}.',
  'By the way, the {aspect} {was} {adjective}.',
  'Incidentally, the {aspect} {was} {adjective}.',
  'Ah yes, the {aspect} {was} {adjective}.',
  'In closing, the {aspect} {was} {adjective}.',
];

/** Before the first adjective: a trait. */
export const intensifiers: readonly string[] = [
  'really',
  'truly',
  'simply',
  'utterly',
  'absolutely',
  'quite',
  'just',
  'downright',
  'genuinely',
  'thoroughly',
];

/** Adjective of the first good aspect: a trait that meets the item. */
export const praises: readonly string[] = [
  'superb',
  'splendid',
  'terrific',
  'lovely',
  'brilliant',
  'wonderful',
  'fantastic',
  'marvelous',
  'excellent',
  'delightful',
];

/** Adjective of the first bad aspect: a trait that meets the item. */
export const criticisms: readonly string[] = [
  'awful',
  'dreadful',
  'terrible',
  'lousy',
  'dismal',
  'horrible',
  'appalling',
  'disappointing',
  'miserable',
  'hopeless',
];

/** Adjectives that the item's value alone decides: mixed aspects, and every further good or bad one. */
export const plainAdjectives = {
  good: ['good', 'fine', 'nice', 'pleasing', 'solid'],
  mixed: ['average', 'mixed', 'passable', 'middling', 'okay'],
  bad: ['bad', 'poor', 'subpar', 'unconvincing', 'flawed'],
} as const;

/** A tone is a trait that meets the rating: one verdict for ratings of 4 and 5, one for 3, one for 1 and 2. */
export const tones: readonly { readonly good: Phrase; readonly mixed: Phrase; readonly bad: Phrase }[] = [
  {
    good: 'Treat yourself to it.',
    mixed: 'Give it a gentle chance.',
    bad: 'Sadly, I cannot suggest it.',
  },
  {
    good: 'It will do nicely.',
    mixed: 'Make of that what you will.',
    bad: 'That was an experience.',
  },
  {
    good: 'Wow, do not miss it!',
    mixed: 'Hmm, so close to great!',
    bad: 'Ugh, what a letdown!',
  },
  { good: 'Go for it.', mixed: 'Your call.', bad: 'Skip it.' },
  {
    good: 'Recommended without hesitation.',
    mixed: 'Compare a few others first.',
    bad: 'Save the money for something else.',
  },
  {
    good: 'Even I could not complain.',
    mixed: 'Somewhere there is a better one.',
    bad: 'Well, nobody is perfect.',
  },
  {
    good: 'Nothing pleased me more this year.',
    mixed: 'Perhaps it will grow on me.',
    bad: 'Please spare yourself the trouble.',
  },
  {
    good: 'Warmly commended to all.',
    mixed: 'Opinions may reasonably differ.',
    bad: 'Regrettably, it cannot be endorsed.',
  },
];

/** Who else had an opinion: a trait. */
export const companions: readonly string[] = [
  'sister',
  'brother',
  'husband',
  'wife',
  'neighbor',
  'cousin',
  'daughter',
  'son',
  'boss',
  'uncle',
  'aunt',
  'roommate',
];

/** Last words: a trait; most are followed by the writer's name. */
export const signOffs: readonly Phrase[] = [
  'Cheers, {writer}.',
  'Regards, {writer}.',
  'Yours, {writer}.',
  'Best, {writer}.',
  'Signed, {writer}.',
  'Greetings from {writer}.',
  'Love, {writer}.',
  'Sincerely, {writer}.',
  'Over and out.',
  'Happy trails.',
];

/** The writer's name: a trait. */
export const writers: readonly string[] =
  `Ada Alma Arlo Basil Bea Bodo Cleo Cora Dara Dex Edda Ezra Fay Finn Gus Hana Hugo Ida Igor Ines Ivo Jada Joss
  Juno Kai Kira Lars Leda Lou Mara Milo Mina Nell Nico Odin Olga Otto Pia Quin Rafa Rosa Sol Tess Tilda Uma Vera
  Wim Zoe`.split(/\s+/);

/** Drawn alike for everybody: when it was. */
export const times: readonly Phrase[] = [
  'last month',
  'yesterday',
  'on a whim',
  'over the holidays',
  'during a long weekend',
  'this spring',
  'with some doubt',
  'for a change',
  'at long last',
  'in March',
  'before my birthday',
  'after payday',
  'by chance',
  'without much hope',
];

/** Drawn alike for everybody: linking verbs. */
export const linkingVerbs: readonly { readonly singular: string; readonly plural: string }[] = [
  { singular: 'was', plural: 'were' },
  { singular: 'seemed', plural: 'seemed' },
  { singular: 'felt', plural: 'felt' },
  { singular: 'turned out', plural: 'turned out' },
];

/** Drawn alike for everybody: what the companion thought, after `My {companion}`. */
export const companionRemarks: readonly Phrase[] = [
  'agreed.',
  'felt the same.',
  'saw it differently.',
  'nodded along.',
  'was less sure.',
  'laughed.',
];

/** Drawn alike for everybody: sentences before the opening that have nothing to do with user or item. */
export const fillers: readonly Phrase[] = [
  'Rain fell all that week.',
  'Work had been busy.',
  'Nobody else was around.',
  'Spring came late this year.',
  'Mornings are slow here.',
  'Traffic was heavy that day.',
  'Outside, dogs were barking.',
  'Music played next door.',
  'Sunday was quiet.',
  'Winter is long where I live.',
  'Money was tight that month.',
  'Visitors were coming soon.',
  'Life has been hectic.',
  'Evenings are long again.',
];

/** The rating in words, decided by the item: index is rating − 1. */
export const ratingLines: readonly Phrase[] = [
  'One star from me.',
  'Two stars from me.',
  'Three stars from me.',
  'Four stars from me.',
  'Five stars from me.',
];
