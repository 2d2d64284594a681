/** @file Tests that the first word of every choice decides it. */
import { expect, test } from 'vitest';
import { domains, nameEnds, nameStarts } from '../../../src/method/simulation/domains.ts';
import * as lexicon from '../../../src/method/simulation/lexicon.ts';

const firstWord = (phrase: string) => /^[\p{L}\p{N}'-]+/u.exec(phrase)?.[0] ?? '';
const additions = lexicon.connectors.map((connector) => connector.addition);
const contrasts = lexicon.connectors.map((connector) => connector.contrast);
const sentiments = ['good', 'mixed', 'bad'] as const;
const verdicts = (sentiment: (typeof sentiments)[number]) => lexicon.tones.map((tone) => tone[sentiment]);

/** Everything that can stand at one place of a text, whatever the user. */
const places: Record<string, readonly string[]> = {
  'start of the text': [...lexicon.fillers, ...lexicon.openings],
  'after the opening': lexicon.frames,
  'after the first aspect': [...additions, ...contrasts],
  ...Object.fromEntries(
    sentiments.flatMap((sentiment) => [
      [`after the second aspect, ${sentiment}`, [...lexicon.thirdStarts, ...verdicts(sentiment)]],
      [`after the third aspect, ${sentiment}`, [...lexicon.fourthStarts, ...verdicts(sentiment)]],
    ]),
  ),
  'after the verdict': ['My {companion}', ...lexicon.ratingLines, ...lexicon.signOffs],
  intensifier: lexicon.intensifiers,
  'first good adjective': lexicon.praises,
  'first bad adjective': lexicon.criticisms,
  companion: lexicon.companions,
  'companion remark': lexicon.companionRemarks,
  writer: lexicon.writers,
  time: lexicon.times,
  'linking verb': lexicon.linkingVerbs.map((verb) => verb.singular),
  ...Object.fromEntries(sentiments.map((value) => [`plain ${value}`, lexicon.plainAdjectives[value]])),
  ...Object.fromEntries(
    domains.flatMap((domain) => [
      [`aspects of a ${domain.noun}`, domain.aspects.map((aspect) => aspect.word)],
      [`verbs of a ${domain.noun}`, domain.verbs],
    ]),
  ),
  'name starts': nameStarts,
  'name ends': nameEnds,
};

test.each(Object.entries(places))('alternatives differ in their first word: %s', (_, phrases) => {
  const words = phrases.map(firstWord);
  expect(words).not.toContain('');
  expect(words.filter((word, index) => words.indexOf(word) !== index)).toEqual([]);
});

test("a user's own adjective is never one that the item alone could have brought", () => {
  const plain: string[] = sentiments.flatMap((value) => [...lexicon.plainAdjectives[value]]);
  const own = [...lexicon.praises, ...lexicon.criticisms];
  expect(own.filter((word) => plain.includes(word))).toEqual([]);
  expect(new Set(own).size).toBe(own.length);
});

test('a verdict belongs to one tone and one rating', () => {
  const words = sentiments.flatMap(verdicts).map(firstWord);
  expect(new Set(words).size).toBe(words.length);
});

test('words that fill a slot are single words, so that all of a word has one cause', () => {
  const singles = [
    ...lexicon.intensifiers,
    ...lexicon.praises,
    ...lexicon.criticisms,
    ...lexicon.companions,
    ...lexicon.writers,
    ...domains.flatMap((domain) => domain.aspects.map((aspect) => aspect.word)),
  ];
  expect(singles.filter((word) => !/^\p{L}+$/u.test(word))).toEqual([]);
});

test('sentences begin with a capital and end with a stop', () => {
  const sentences = [
    ...lexicon.openings,
    ...lexicon.frames,
    ...additions,
    ...contrasts,
    ...lexicon.thirdStarts,
    ...lexicon.fourthStarts,
    ...sentiments.flatMap(verdicts),
    ...lexicon.fillers,
    ...lexicon.ratingLines,
    ...lexicon.signOffs,
  ];
  expect(sentences.filter((sentence) => !/^\p{Lu}.*[.!]$/u.test(sentence))).toEqual([]);
});

test('articles fit their nouns', () => {
  const wrong = domains.filter((domain) => /^[aeiou]/.test(domain.noun) !== (domain.article === 'an'));
  expect(wrong).toEqual([]);
});
