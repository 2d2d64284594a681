/**
 * @file Controls: what stands in the place of a user's history, or of the text, to see whether an effect is what it
 * claims to be. The histories of one example that have one length are changed at the same places, so that they stay
 * comparable; every choice is drawn from the seed and the example's id.
 */
import { randomStream } from '../../base/random.ts';
import type { Example, HistoryItem } from '../data/example.ts';
import { foreignTo } from './matching.ts';

/** What the choices of a control are drawn from. */
export interface ControlDraw {
  /** Id of the example. */
  readonly example: string;
  readonly seed: number;
}

/** The same items in another order; the history itself where it has fewer than two. */
export function shuffledItems(history: readonly HistoryItem[], draw: ControlDraw): HistoryItem[] {
  const stream = randomStream(draw.seed, `controls/shuffle/${draw.example}`);
  for (;;) {
    const places = stream.shuffle(history.map((_, place) => place));
    if (history.length < 2 || places.some((place, i) => place !== i))
      return places.map((place) => history[place]!);
  }
}

/** Half of the items, rounded down, in their order. */
export function randomHalf(history: readonly HistoryItem[], draw: ControlDraw): HistoryItem[] {
  const stream = randomStream(draw.seed, `controls/half/${draw.example}`);
  const places = stream.shuffle(history.map((_, place) => place)).slice(0, history.length >> 1);
  return history.filter((_, place) => places.includes(place));
}

/** What anybody could have found on a notice board: nothing of a user, of an item or of a query. */
const NOTES = [
  'The library closes at four on Thursday. Please return the keys to the front desk.',
  'Road works on the bridge until Monday; buses leave from the stop behind the station.',
  'The lift is being serviced this week. Use the stairs on the east side.',
  'Bins are emptied on Tuesday morning, the blue ones every second week.',
] as const;

/** A note that says nothing of anybody, as an item of a history. */
export function irrelevantNote({ example, seed }: ControlDraw): HistoryItem {
  const text = randomStream(seed, `controls/note/${example}`).pick(NOTES);
  return { id: 'irrelevant-note', query: '', text };
}

/** The history with {@link irrelevantNote} at a random place in it. */
export function withIrrelevantNote(history: readonly HistoryItem[], draw: ControlDraw): HistoryItem[] {
  const place = randomStream(draw.seed, `controls/note-place/${draw.example}`).integer(history.length + 1);
  return history.toSpliced(place, 0, irrelevantNote(draw));
}

/**
 * An example of another user, whose text the history of `example` should say nothing about: of the same `domain`
 * where there is one, and foreign to the history, which holds neither its response nor anything that its user co-wrote.
 * @param examples to choose from, at random
 * @returns undefined where there is none
 */
export function wrongTarget(
  examples: readonly Example[],
  example: Example,
  seed: number,
): Example | undefined {
  const stream = randomStream(seed, `controls/target/${example.id}`);
  const others = stream
    .shuffle(examples)
    .filter((other) => other.user !== example.user && example.history.every(foreignTo(other)));
  return others.find((other) => other.domain === example.domain) ?? others[0];
}
