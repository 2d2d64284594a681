/**
 * @file A judge of written texts: which of two is likelier the user's, seen blind and in both orders, with texts that were written
 * with a stranger's history as the control. What a judge prefers is not what users prefer: it never decides a leaderboard.
 */
import { meanByUser } from '../../base/statistics/by-user.ts';
import { type Estimate, intervalOfEnough } from '../../base/statistics/estimate.ts';
import { mean } from '../../base/statistics/mean.ts';
import { firstWords } from '../corpus/first-words.ts';
import type { Example } from '../data/example.ts';

/** Two texts for one request. */
export interface JudgedPair {
  readonly example: Pick<Example, 'id' | 'user' | 'query' | 'history'>;
  /** Of the system that is judged. */
  readonly text: string;
  /** Of what it is compared with. */
  readonly other: string;
}

/** What a judge says of many pairs. */
export interface Judgement {
  /** How often the text is preferred: 1 in both orders, ½ in one of them, 0 in none; mean over users. Absent without an answer. */
  readonly preferred?: Estimate;
  /** Share of the answered pairs in which the same text is preferred in both orders: a judge of positions has 0. */
  readonly consistent?: number;
  /** Pairs that were answered in both orders. */
  readonly pairs: number;
  /** Pairs of which an answer could not be read; they are left out. */
  readonly unanswered: number;
  /** Pairs of one text twice; nobody is asked, and they count ½. */
  readonly equal: number;
}

/** Items of the history that a judge reads at most, the latest, and characters of each text. */
const ITEMS = 8;
const CHARACTERS = 2000;

/** The message to a judge; nothing in it says which text is whose. */
export function judgePrompt(
  { query, history }: JudgedPair['example'],
  first: string,
  second: string,
): string {
  const items = history
    .slice(-ITEMS)
    .map((item) => [item.query, firstWords(item.text, CHARACTERS)].filter((part) => part !== '').join('\n'));
  return [
    'A person wrote the earlier texts below, and was then asked for another one. Which of two texts is likelier to be by the same person?',
    'Compare voice, words, opinions and habits. Length and politeness are no merit of their own.',
    `Earlier texts:\n\n${items.join('\n\n')}`,
    `Asked for:\n${query}`,
    `Text 1:\n${firstWords(first, CHARACTERS)}`,
    `Text 2:\n${firstWords(second, CHARACTERS)}`,
    'Answer with the number 1 or 2 alone.',
  ].join('\n\n');
}

/** Which text an answer names; undefined where it names none, or both. */
export function readJudgement(answer: string): 1 | 2 | undefined {
  const said = new Set(answer.replace(/<think>[\s\S]*?<\/think>/g, '').match(/(?<![\d.])[12](?![\d.]*\d)/g));
  return said.size === 1 ? (Number([...said][0]) as 1 | 2) : undefined;
}

/**
 * Asks a judge of every pair in both orders.
 * @param ask gives the judge's answer to a message; what it throws ends the judgement
 * @param seed of the interval
 */
export async function judgePairs(
  pairs: readonly JudgedPair[],
  ask: (message: string) => Promise<string>,
  { seed = 0, onDone }: { readonly seed?: number; readonly onDone?: (done: number) => void } = {},
): Promise<Judgement> {
  const rows: { readonly user: string; readonly value: number; readonly isConsistent?: boolean }[] = [];
  let unanswered = 0;
  let equal = 0;
  for (const [place, { example, text, other }] of pairs.entries()) {
    if (text.trim() === other.trim()) {
      equal += 1;
      rows.push({ user: example.user, value: 0.5 });
    } else {
      const forward = readJudgement(await ask(judgePrompt(example, text, other)));
      const backward = readJudgement(await ask(judgePrompt(example, other, text)));
      if (forward === undefined || backward === undefined) unanswered += 1;
      else {
        const wins = Number(forward === 1) + Number(backward === 2);
        rows.push({ user: example.user, value: wins / 2, isConsistent: wins !== 1 });
      }
    }
    onDone?.(place + 1);
  }
  const answered = rows.flatMap(({ isConsistent }) => isConsistent ?? []);
  const users = new Set(rows.map(({ user }) => user)).size;
  return {
    ...(rows.length > 0 && { preferred: intervalOfEnough(meanByUser(rows, { seed }), users) }),
    ...(answered.length > 0 && { consistent: mean(answered.map(Number)) }),
    pairs: answered.length,
    unanswered,
    equal,
  };
}
