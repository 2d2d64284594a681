/**
 * @file Porter's stemmer with NLTK's extensions, which ROUGE (with its stemmer) and METEOR match words by.
 * Porter, "An algorithm for suffix stripping", Program 14.3 (1980); NLTK 3.9.1 `PorterStemmer`, mode NLTK_EXTENSIONS.
 */

/** Words that the rules would stem wrongly; NLTK 3.9.1 knows them in lower case only. */
const IRREGULAR: ReadonlyMap<string, string> = new Map([
  ...[
    ['sky', 'sky'] as const,
    ['skies', 'sky'] as const,
    ['dying', 'die'] as const,
    ['lying', 'lie'] as const,
  ],
  ...[['tying', 'tie'] as const, ['news', 'news'] as const, ['innings', 'inning'] as const],
  ...[['inning', 'inning'] as const, ['outings', 'outing'] as const, ['outing', 'outing'] as const],
  ...[['cannings', 'canning'] as const, ['canning', 'canning'] as const, ['howe', 'howe'] as const],
  ...[['proceed', 'proceed'] as const, ['exceed', 'exceed'] as const, ['succeed', 'succeed'] as const],
]);

/** A suffix, what replaces it, and the condition on the word before it. */
type Rule = readonly [suffix: string, replacement: string, condition?: (stem: string) => boolean];

const isPositive = (stem: string) => measure(stem) > 0;
const isLong = (stem: string) => measure(stem) > 1;
const rules = (condition: (stem: string) => boolean, pairs: string): Rule[] =>
  pairs.split(' ').map((pair) => {
    const [suffix, replacement] = pair.split('>');
    return [suffix!, replacement!, condition];
  });

const STEP_1A: readonly Rule[] = [
  ['sses', 'ss'],
  ['ies', 'i'],
  ['ss', 'ss'],
  ['s', ''],
];
const STEP_2: readonly Rule[] = rules(
  isPositive,
  'ational>ate tional>tion enci>ence anci>ance izer>ize bli>ble alli>al entli>ent eli>e ousli>ous ization>ize ation>ate ' +
    'ator>ate alism>al iveness>ive fulness>ful ousness>ous aliti>al iviti>ive biliti>ble fulli>ful',
);
const STEP_3: readonly Rule[] = rules(isPositive, 'icate>ic ative> alize>al iciti>ic ical>ic ful> ness>');
const STEP_4: readonly Rule[] = [
  ...rules(isLong, 'al> ance> ence> er> ic> able> ible> ant> ement> ment> ent>'),
  ['ion', '', (stem) => isLong(stem) && /[st]$/.test(stem)],
  ...rules(isLong, 'ou> ism> ate> iti> ous> ive> ize>'),
];

/** The stem of a word; lower case. */
export function porterStem(word: string): string {
  const lower = word.toLowerCase();
  const irregular = IRREGULAR.get(word);
  if (irregular !== undefined) return irregular;
  if ([...word].length <= 2) return lower;
  let stem = step1a(lower);
  stem = step1b(stem);
  stem = step1c(stem);
  stem = step2(stem);
  stem = firstRule(stem, STEP_3);
  stem = firstRule(stem, STEP_4);
  stem = step5a(stem);
  return firstRule(stem, [['ll', 'l', () => measure(stem.slice(0, -1)) > 1]]);
}

function step1a(word: string): string {
  if (word.endsWith('ies') && [...word].length === 4) return word.slice(0, -1);
  return firstRule(word, STEP_1A);
}

function step1b(word: string): string {
  if (word.endsWith('ied')) return word.slice(0, [...word].length === 4 ? -1 : -2);
  if (word.endsWith('eed')) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  const suffix = ['ed', 'ing'].find((end) => word.endsWith(end) && hasVowel(word.slice(0, -end.length)));
  if (suffix === undefined) return word;
  const stem = word.slice(0, -suffix.length);
  if (/(?:at|bl|iz)$/.test(stem)) return `${stem}e`;
  const letters = [...stem];
  const last = letters.at(-1)!;
  if (letters.at(-2) === last && consonants(letters).at(-1)!)
    return /[lsz]/.test(last) ? stem : letters.slice(0, -1).join('');
  return measure(stem) === 1 && endsInShortSyllable(stem) ? `${stem}e` : stem;
}

function step1c(word: string): string {
  if (!word.endsWith('y')) return word;
  const stem = [...word.slice(0, -1)];
  return stem.length > 1 && consonants(stem).at(-1)! ? `${stem.join('')}i` : word;
}

function step2(word: string): string {
  if (word.endsWith('alli') && isPositive(word.slice(0, -4))) return step2(word.slice(0, -2));
  // The l of logi counts with the stem, so that geo and theo work as archaeo does.
  return firstRule(word, [...STEP_2, ['logi', 'log', () => isPositive(word.slice(0, -3))]]);
}

function step5a(word: string): string {
  if (!word.endsWith('e')) return word;
  const stem = word.slice(0, -1);
  const size = measure(stem);
  return size > 1 || (size === 1 && !endsInShortSyllable(stem)) ? stem : word;
}

/** The word by the first rule whose suffix it has; unchanged where that rule's condition does not hold. */
function firstRule(word: string, list: readonly Rule[]): string {
  for (const [suffix, replacement, condition] of list) {
    if (!word.endsWith(suffix)) continue;
    const stem = word.slice(0, word.length - suffix.length);
    return condition === undefined || condition(stem) ? stem + replacement : word;
  }
  return word;
}

/** For each letter, whether it is a consonant: not a, e, i, o, u, and y only where no consonant precedes it. */
function consonants(letters: readonly string[]): boolean[] {
  const flags: boolean[] = [];
  for (const [place, letter] of letters.entries())
    flags.push(letter === 'y' ? place === 0 || !flags[place - 1]! : !'aeiou'.includes(letter));
  return flags;
}

function hasVowel(stem: string): boolean {
  return consonants([...stem]).includes(false);
}

/** Porter's m: how many times a vowel is followed by a consonant. */
function measure(stem: string): number {
  const flags = consonants([...stem]);
  let count = 0;
  for (let place = 1; place < flags.length; place++) if (flags[place]! && !flags[place - 1]!) count += 1;
  return count;
}

/** Porter's *o: consonant, vowel, consonant but w, x, y at the end; NLTK adds a word of a vowel and a consonant. */
function endsInShortSyllable(word: string): boolean {
  const letters = [...word];
  const flags = consonants(letters);
  const [a, b, c] = flags.slice(-3);
  if (letters.length === 2) return !a! && b!;
  return letters.length > 2 && a! && !b! && c! && !'wxy'.includes(letters.at(-1)!);
}
