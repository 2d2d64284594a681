/** @file What somebody should know of their texts before a model reads them: markup of the web, repeats, boilerplate. */
import type { Example } from '../data/example.ts';
import { comparedForm } from '../data/normalise.ts';
import type { TextNotice } from '../data/notice.ts';
import { holdsHtml } from './clean-text.ts';

/** Words at a text's beginning or end that make a boilerplate where all of a user's texts share them. */
const BOILERPLATE_WORDS = 5;

/** UTF-16 code units of a text's beginning and end that hold so many words. */
const LOOKED_AT = 160;

/** With fewer texts of a user a shared beginning says little. */
const FEWEST_TEXTS = 4;

/**
 * What is worth saying of the texts of these examples, responses and history items alike; nothing is changed.
 * Cost: linear in the texts; a history that is repeated in many examples is looked at once.
 */
export function textNotices(examples: readonly Example[]): TextNotice[] {
  const textsOf = new Map<string, Map<string, string>>();
  let repeated = 0;
  let firstRepeat = '';
  const responses = new Set<string>();
  // The sign-offs of simulated users are theirs on purpose.
  for (const { id, user, response, history } of examples.filter(({ causes }) => causes === undefined)) {
    const texts = textsOf.get(user) ?? new Map<string, string>();
    textsOf.set(user, texts);
    const within = new Set<string>();
    for (const { text } of history) within.add(text);
    const key = `${user}\n${response}`;
    const repeats = history.length - within.size + (responses.has(key) || within.has(response) ? 1 : 0);
    responses.add(key);
    if (repeats > 0 && repeated === 0) firstRepeat = id;
    repeated += repeats;
    for (const text of [...within, response]) if (!texts.has(text)) texts.set(text, id);
  }
  const html = found(
    [...textsOf.values()].flatMap((texts) => [...texts]).filter(([text]) => holdsHtml(text)),
  );
  const boilerplate = [...textsOf].filter(([, texts]) => hasBoilerplate([...texts.keys()]));
  return [
    ...(html === undefined ? [] : [{ code: 'data/html' as const, ...html }]),
    ...(repeated === 0
      ? []
      : [{ code: 'data/repeated-texts' as const, count: repeated, example: firstRepeat }]),
    ...(boilerplate.length === 0
      ? []
      : [
          {
            code: 'data/boilerplate' as const,
            count: boilerplate.length,
            total: textsOf.size,
            user: boilerplate[0]![0],
          },
        ]),
  ];
}

const found = (texts: readonly (readonly [string, string])[]) =>
  texts.length === 0 ? undefined : { count: texts.length, example: texts[0]![1] };

/** Whether all texts of a user begin, or all end, with the same words. */
function hasBoilerplate(texts: readonly string[]): boolean {
  if (texts.length < FEWEST_TEXTS) return false;
  const isShared = (wordsOf: (text: string) => readonly string[]) => {
    const parts = texts.map(wordsOf);
    return (
      parts.every(({ length }) => length === BOILERPLATE_WORDS) &&
      new Set(parts.map((words) => words.join(' '))).size === 1
    );
  };
  // A few words are all that is compared: the middle of a long text is not looked at.
  return (
    isShared((text) => comparedForm(text.slice(0, LOOKED_AT)).split(' ').slice(0, BOILERPLATE_WORDS)) ||
    isShared((text) => comparedForm(text.slice(-LOOKED_AT)).split(' ').slice(-BOILERPLATE_WORDS))
  );
}
