/** @file Tests that in every world the first word of each choice decides it. */
import { describe, expect, test } from 'vitest';
import { traitSizesOf } from '../../../src/method/simulation/users.ts';
import type { World } from '../../../src/method/simulation/worlds/world.ts';
import { worlds } from '../../../src/method/simulation/worlds/worlds.ts';

const firstWord = (phrase: string) => /^[\p{L}\p{N}'-]+/u.exec(phrase)?.[0] ?? '';

describe.each(Object.values<World>(worlds))('the world of $name', (world) => {
  const additions = world.connectors.map((connector) => connector.addition);
  const contrasts = world.connectors.map((connector) => connector.contrast);
  const sentiments = ['good', 'mixed', 'bad'] as const;
  const verdicts = (sentiment: (typeof sentiments)[number]) => world.tones.map((tone) => tone[sentiment]);

  /** Everything that can stand at one place of a text, whatever the user. */
  const places: Record<string, readonly string[]> = {
    'start of the text': [...world.fillers, ...world.openings],
    'after the opening': world.frames,
    'after the first aspect': [...additions, ...contrasts],
    ...Object.fromEntries(
      sentiments.flatMap((sentiment) => [
        [`after the second aspect, ${sentiment}`, [...world.thirdStarts, ...verdicts(sentiment)]],
        [`after the third aspect, ${sentiment}`, [...world.fourthStarts, ...verdicts(sentiment)]],
      ]),
    ),
    'after the verdict': ['My {companion}', ...world.ratingLines, ...world.signOffs],
    intensifier: world.intensifiers,
    'first good adjective': world.praises,
    'first bad adjective': world.criticisms,
    companion: world.companions,
    'companion remark': world.companionRemarks,
    writer: world.writers,
    time: world.times,
    'linking verb': world.linkingVerbs.map((verb) => verb.singular),
    ...Object.fromEntries(sentiments.map((value) => [`plain ${value}`, world.plainAdjectives[value]])),
    ...Object.fromEntries(
      world.domains.flatMap((domain) => [
        [`aspects of a ${domain.noun}`, domain.aspects.map((aspect) => aspect.word)],
        [`verbs of a ${domain.noun}`, domain.verbs],
      ]),
    ),
    'name starts': world.nameStarts,
    'name ends': world.nameEnds,
  };

  test.each(Object.entries(places))('alternatives differ in their first word: %s', (_, phrases) => {
    const words = phrases.map(firstWord);
    expect(words).not.toContain('');
    expect(words.filter((word, index) => words.indexOf(word) !== index)).toEqual([]);
  });

  test("a user's own adjective is never one that the item alone could have brought", () => {
    const plain: string[] = sentiments.flatMap((value) => [...world.plainAdjectives[value]]);
    const own = [...world.praises, ...world.criticisms];
    expect(own.filter((word) => plain.includes(word))).toEqual([]);
    expect(new Set(own).size).toBe(own.length);
  });

  test('a verdict belongs to one tone and one rating', () => {
    const words = sentiments.flatMap(verdicts).map(firstWord);
    expect(new Set(words).size).toBe(words.length);
  });

  test('words that fill a slot are single words, so that all of a word has one cause', () => {
    const singles = [
      ...world.intensifiers,
      ...world.praises,
      ...world.criticisms,
      ...world.companions,
      ...world.writers,
      ...world.domains.flatMap((domain) => domain.aspects.map((aspect) => aspect.word)),
    ];
    expect(singles.filter((word) => !/^\p{L}+$/u.test(word))).toEqual([]);
  });

  test('sentences begin with a capital and end with a stop', () => {
    const sentences = [
      ...world.openings,
      ...world.frames,
      ...additions,
      ...contrasts,
      ...world.thirdStarts,
      ...world.fourthStarts,
      ...sentiments.flatMap(verdicts),
      ...world.fillers,
      ...world.ratingLines,
      ...world.signOffs,
    ];
    expect(sentences.filter((sentence) => !/^\p{Lu}.*[.!]$/u.test(sentence))).toEqual([]);
  });

  test('articles fit their nouns', () => {
    const wrong = world.domains.filter(
      (domain) => /^[aeiou]/.test(domain.noun) !== (domain.article === 'an'),
    );
    expect(wrong).toEqual([]);
  });
});

test('worlds differ in words, not in how many there are to choose from', () => {
  expect(traitSizesOf(worlds.journeys)).toEqual(traitSizesOf(worlds.reviews));
});
