/** @file Sentences and words of English prose: how passages are cut and histories are shortened without breaking a sentence. */

// Words before a full stop that does not end a sentence; single capitals (initials, U.S.) are handled apart.
const ABBREVIATIONS = new Set(
  'mr mrs ms dr st gen col capt lt hon rev messrs no nos vol art sec pp viz etc vs fig al eq cf jan feb mar apr aug sept oct nov dec per cent ct cts ft'
    .split(' ')
    .filter((word) => word !== 'per'),
);
const BOUNDARY = /[.!?]+["')\]]*\s+(?=["'([]*[\p{Lu}\d$])/gu;

/** The number of words of `text`: runs without white space. */
export function countWords(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}

/** `text` in sentences, without the white space between them; abbreviations and initials do not end one. */
export function sentencesOf(text: string): string[] {
  const sentences: string[] = [];
  let start = 0;
  for (const match of text.matchAll(BOUNDARY)) {
    const end = match.index + match[0].length;
    if (match[0].startsWith('.') && endsInAbbreviation(text.slice(start, match.index))) continue;
    sentences.push(text.slice(start, end).trim());
    start = end;
  }
  const last = text.slice(start).trim();
  if (last !== '') sentences.push(last);
  return sentences;
}

/**
 * The leading whole sentences of `text` that have at most `maxWords` words together.
 * A first sentence that is too long alone is cut after its last clause that fits (`,`, `;`, `:`), or else after `maxWords` words.
 */
export function firstSentences(text: string, maxWords: number): string {
  const kept: string[] = [];
  let words = 0;
  for (const sentence of sentencesOf(text)) {
    words += countWords(sentence);
    if (words > maxWords) break;
    kept.push(sentence);
  }
  if (kept.length > 0) return kept.join(' ');
  const start = text.match(/\S+/g)?.slice(0, maxWords) ?? [];
  const clause = start.findLastIndex((word) => /[,;:]["')\]]*$/.test(word));
  return start.slice(0, clause >= 0 ? clause + 1 : maxWords).join(' ');
}

function endsInAbbreviation(before: string): boolean {
  const word = /(\S+)$/.exec(before)?.[1] ?? '';
  const bare = word.replace(/^["'([]+/, '');
  return /^(?:\p{Lu}\.)*\p{Lu}$/u.test(bare) || ABBREVIATIONS.has(bare.toLowerCase());
}
