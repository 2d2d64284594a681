/** @file What a source holds that cannot be used as it is: counted by kind, the first of each kept, each kind with its rule. */
import { type Place, placeText } from './user-text.ts';

/** The rule of each kind: what happens to the row, item or value. */
export const faultRules = {
  'bad-utf8': 'the row is left out: its bytes are not UTF-8',
  'malformed-json': 'the value is left out: it is not JSON',
  'not-a-number': 'NaN and Infinity are read as nothing',
  'unclosed-quote':
    'the row is left out: a quote is opened and not closed; reading continues on the next line',
  'stray-quote': 'the row is left out: text follows a closing quote',
  'wrong-cells': 'the row is left out: it has more or fewer cells than the header',
  'wrong-type': 'the row is left out: a field has another type',
  'missing-user': 'the row is left out: it names no user',
  'missing-text': 'the row is left out: it has no text',
  'missing-time': 'the row is left out: it has no time, and cannot be placed in a history',
  'unreadable-time': 'the row is left out: its time is unknown or ambiguous',
  'missing-query-field': 'the row is left out: a field that the query names is empty',
  'gigantic-text': 'the row is left out: its text is longer than --max-text-length',
  'cut-text': 'the text is cut at a word to the length of a history text',
  'cut-value': 'the text was cut while it was read',
  'too-big': 'the value is left out: it is too big for memory',
  'half-character': 'halves of surrogate pairs are removed',
  'duplicate-id': 'the later row is left out: its user has the id already',
  'repeated-text': 'the later row is left out: its text is there already',
  'masked-name': 'the author’s own name is replaced by [name]',
  'no-earlier-text':
    'the text is no response: its user has too few strictly earlier texts (it stays in histories)',
  'beyond-targets': 'the text is no response: its user has enough later ones (it stays in histories)',
  'other-split': 'the text is no response: its time and its user belong to two splits',
  'history-cut': 'the oldest items of a history are left out: it has more than --max-history',
  'same-time': 'an earlier text is not in the history: it is not strictly earlier than the response',
  'no-response': 'the row is left out: its response is not published',
  'no-user-text': 'the row is left out: it holds no text of the user',
  'unknown-item': 'the query does without the item: its metadata are not there',
  'response-in-history': 'the item is left out of the history: it is the response',
  'no-history': 'the row is left out: its history is empty',
  'no-context': 'the row is left out: the history that it names is not there',
  'other-author': 'the message is left out: another wrote it',
  'unreadable-message': 'the message is left out: its text cannot be read',
  'not-in-branch': 'the message is left out: the conversation went on from another one',
} as const;

export type FaultKind = keyof typeof faultRules;

/** One kind of what was met. */
export interface SourceFault {
  readonly kind: FaultKind;
  readonly rule: string;
  readonly count: number;
  /** The first one: place and what stands there. */
  readonly first: string;
}

/** Counts faults; the only thing that readers tell beside their rows. */
export interface FaultLog {
  /** @param got what stands there; shown of the first of a kind */
  add(kind: FaultKind, place: Place, got?: string): void;
  /** Kinds in the order of the rules. */
  list(): readonly SourceFault[];
}

const SHOWN = 80;

export function faultLog(): FaultLog {
  const faults = new Map<FaultKind, { count: number; readonly first: string }>();
  return {
    add: (kind, place, got) => {
      const known = faults.get(kind);
      if (known !== undefined) known.count += 1;
      else faults.set(kind, { count: 1, first: firstOf(place, got) });
    },
    list: () =>
      (Object.keys(faultRules) as FaultKind[]).flatMap((kind) => {
        const fault = faults.get(kind);
        return fault === undefined ? [] : [{ kind, rule: faultRules[kind], ...fault }];
      }),
  };
}

function firstOf(place: Place, got: string | undefined): string {
  if (got === undefined) return placeText(place);
  const line = got.replace(/\s+/gu, ' ').trim();
  const shown = line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
  return `${placeText(place)}: ${shown.replace(/\p{Surrogate}/gu, '')}`;
}
