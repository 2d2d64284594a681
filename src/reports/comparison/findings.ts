/** @file What the numbers say in plain words: only what an interval supports is found, everything else is named as not found. */

import { decimal, digitsOf, pValueText, signed } from '../../base/number-format.ts';
import { type Estimate, FEWEST_FOR_INTERVAL, shownSide } from '../../base/statistics/estimate.ts';
import {
  type AuthorIdentification,
  type Evaluation,
  type HistoryEffect,
  measureDescriptions,
  type PairedDifference,
  type SystemResult,
} from '../../method/evaluation/results.ts';

/** Sentences; each stands alone. */
export interface Findings {
  readonly found: readonly string[];
  /** What was not shown, and warnings. */
  readonly notFound: readonly string[];
}

export interface FindingsOptions {
  /** The system that training started from; its no-history NLL is what the cold-start guard compares with. Default `base`. */
  readonly baseSystem?: string;
}

/** Fewer users than this, and the sentence about the intervals is added. */
const FEW_USERS = 20;

/** What to do where a system got worse for users without history. */
const COLD_START_REMEDY =
  'Against it, where not on yet: no gradient into the pass without history (stopGradient), or an anchor of that pass to the starting model (anchorWeight).';

/**
 * The findings of one or several evaluations, in the order: history effects, effects against known causes, author
 * identification, differences between systems, cold-start guard, number of users.
 * A sign counts as found where the 95% interval excludes zero (or chance) and at least {@link FEWEST_FOR_INTERVAL} users
 * gave it; a worse result is a finding, too.
 */
export function describeFindings(
  evaluations: readonly Evaluation[],
  { baseSystem = 'base' }: FindingsOptions = {},
): Findings {
  const found: string[] = [];
  const notFound: string[] = [];
  for (const evaluation of evaluations) {
    const where = evaluations.length > 1 ? `${evaluation.name}: ` : '';
    for (const { text, shown } of sentences(evaluation, baseSystem)) {
      (shown ? found : notFound).push(where + text);
    }
  }
  return { found, notFound };
}

interface Sentence {
  readonly text: string;
  readonly shown: boolean;
}

function* sentences(evaluation: Evaluation, baseSystem: string): Generator<Sentence> {
  const { users, systems, historyEffects = [], effectAuc = [], differences = [] } = evaluation;
  yield* totalSentences(
    historyEffects.map(({ system, total }) => ({ system, estimate: total })),
    users,
  );
  yield* specificSentences(historyEffects, users);
  yield* aucSentences(
    effectAuc.map((estimate) => ({ system: estimate.system, estimate })),
    users,
  );
  yield* identificationSentences(systems, users);
  for (const difference of differences) {
    const guard = difference.measure === 'nllWithoutHistory' && difference.baseline === baseSystem;
    yield guard ? coldStartSentence(difference, users) : differenceSentence(difference, users);
  }
  if (users < FEW_USERS) {
    const text =
      users === 1
        ? 'There is one held-out user only, so nothing here says how users differ: the intervals have no width.'
        : `The intervals rest on ${users} held-out users only; with so few, bootstrap intervals are too narrow.`;
    yield { text, shown: false };
  }
}

/** A number of a system. */
interface Entry {
  readonly system: string;
  readonly estimate: Estimate;
}

function* totalSentences(entries: readonly Entry[], users: number): Generator<Sentence> {
  const { above, below, open } = bySide(entries, users);
  if (above.length > 0) {
    const list = listed(above, ({ system, estimate }) => `${system} ${sizeText(estimate)}`);
    yield {
      text: `With its history, the text of a new user costs less, in nats a token: ${list}.`,
      shown: true,
    };
  }
  if (below.length > 0) {
    const list = listed(below, ({ system, estimate }) => `${system} ${sizeText(estimate)}`);
    yield {
      text: `The history hurts: with it, the text of a new user costs more, in nats a token: ${list}.`,
      shown: true,
    };
  }
  if (open.length > 0) {
    const list = listed(open, ({ system, estimate }) => `${system} (${interval(estimate)} nats a token)`);
    yield {
      text: `A gain from the history was not shown for ${list}: ${whyOpen(users)}.`,
      shown: false,
    };
  }
}

function* specificSentences(effects: readonly HistoryEffect[], users: number): Generator<Sentence> {
  const generic = new Map(effects.map((effect) => [effect.system, effect.generic]));
  const entries = effects.map(({ system, userSpecific }) => ({ system, estimate: userSpecific }));
  const { above, below, open } = bySide(entries, users);
  if (above.length > 0) {
    const list = listed(above, ({ system, estimate }) => `${system} ${sizeText(estimate)}`);
    const rest = listed(above, ({ system }) => `${system} ${signed(generic.get(system)!.value)}`);
    yield {
      text: `A user’s own history is worth more than another user’s, in nats a token: ${list}. Another user’s alone gives ${rest}.`,
      shown: true,
    };
  }
  if (below.length > 0) {
    const list = listed(below, ({ system, estimate }) => `${system} ${sizeText(estimate)}`);
    yield {
      text: `Another user’s history is better than the user’s own, in nats a token: ${list}.`,
      shown: true,
    };
  }
  if (open.length > 0) {
    const list = listed(open, ({ system, estimate }) => `${system} (${interval(estimate)} nats a token)`);
    yield {
      text: `That it matters whose history it is was not shown for ${list}: ${whyOpen(users)}.`,
      shown: false,
    };
  }
}

function* aucSentences(entries: readonly Entry[], users: number): Generator<Sentence> {
  const { above, below, open } = bySide(entries, users, 0.5);
  const value = ({ system, estimate }: Entry) => {
    const digits = digitsOf(estimate);
    return `${system} ${decimal(estimate.value, digits)} (95% ${interval(estimate, digits)})`;
  };
  if (above.length > 0) {
    const best = above.reduce((a, b) => (b.estimate.value > a.estimate.value ? b : a));
    yield {
      text: `The effects find the tokens that the user is known to have caused: AUC ${listed(above, value)}. A token that the user caused gets a larger effect from ${best.system} than another token ${percent(best.estimate.value)} of the time.`,
      shown: true,
    };
  }
  if (below.length > 0) {
    yield { text: `The effects run against the known causes: AUC ${listed(below, value)}.`, shown: true };
  }
  if (open.length > 0) {
    yield {
      text: `That effects follow the known causes was not shown: AUC ${listed(open, value)}, and 0.5 is chance.`,
      shown: false,
    };
  }
}

function* identificationSentences(systems: readonly SystemResult[], users: number): Generator<Sentence> {
  // Systems are compared with the same candidates; should they not be, each kind gets sentences of its own.
  const kinds = new Map<string, { system: string; estimate: AuthorIdentification }[]>();
  for (const { name, authorIdentification } of systems) {
    if (authorIdentification === undefined) continue;
    const kind = `${authorIdentification.k}/${authorIdentification.matching}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), { system: name, estimate: authorIdentification }]);
  }
  for (const entries of kinds.values()) {
    const { k, matching } = entries[0]!.estimate;
    const { above, below, open } = bySide(entries, users, 1 / k);
    const among = `among ${k} histories (matched by ${matching}; chance ${percent(1 / k)})`;
    const value = ({ system, estimate: { value, low, high } }: Entry) =>
      `${system} ${percent(value)} (95% ${percent(low)} to ${percent(high)})`;
    if (above.length > 0) {
      yield {
        text: `A text tells whose it is: ${among} the true user’s makes it likeliest in this share of texts: ${listed(above, value)}.`,
        shown: true,
      };
    }
    if (below.length > 0) {
      yield {
        text: `A text speaks against whose it is: ${among} the true user’s makes it likeliest less often than chance, in this share of texts: ${listed(below, value)}.`,
        shown: true,
      };
    }
    if (open.length > 0) {
      yield {
        text: `That a text tells whose it is was not shown: ${among} the true user’s makes it likeliest in this share of texts: ${listed(open, value)}.`,
        shown: false,
      };
    }
  }
}

/** Entries by where their whole interval lies. */
function bySide<E extends Entry>(
  entries: readonly E[],
  users: number,
  reference = 0,
): { above: E[]; below: E[]; open: E[] } {
  const of = (side: number) =>
    entries.filter(({ estimate }) => shownSide(estimate, users, reference) === side);
  return { above: of(1), below: of(-1), open: of(0) };
}

/** Why neither side was shown. */
const whyOpen = (users: number) =>
  users < FEWEST_FOR_INTERVAL ? `${usersText(users)} cannot show it` : 'the interval includes 0';

const usersText = (users: number) => (users === 1 ? 'one user' : `${users} users`);

/** `a, b and c`. */
function listed<E>(entries: readonly E[], text: (entry: E) => string): string {
  const texts = entries.map(text);
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}`;
}

function differenceSentence(
  { system, baseline, measure, estimate, pValue }: PairedDifference,
  users: number,
): Sentence {
  const { phrase, better, unit } = measureDescriptions[measure];
  const side = shownSide(estimate, users);
  const share = measure === 'authorIdentification';
  const range = share ? pointsInterval(estimate) : interval(estimate);
  const size = share ? `${decimal(100 * Math.abs(estimate.value), 1)} points` : `${amount(estimate)} ${unit}`;
  if (side === 0) {
    const why = users < FEWEST_FOR_INTERVAL ? `${usersText(users)} cannot show it` : 'which includes 0';
    return {
      text: `${system} and ${baseline} do not differ in ${phrase} as far as these data show: 95% of the difference ${range}, ${why} (${pValueText(pValue)}).`,
      shown: false,
    };
  }
  const higher = side > 0;
  const verdict = (better === 'higher') === higher ? 'better' : 'worse';
  return {
    text: `${system} is ${verdict} than ${baseline} in ${phrase}: ${size} ${higher ? 'higher' : 'lower'} (95% of the difference ${range}, ${pValueText(pValue)}).`,
    shown: true,
  };
}

function coldStartSentence({ system, baseline, estimate }: PairedDifference, users: number): Sentence {
  const side = shownSide(estimate, users);
  const range = `95% of the difference ${interval(estimate)}`;
  if (side > 0) {
    return {
      text: `Warning, users without history: ${system} got worse for them, by ${amount(estimate)} nats a token against ${baseline} (${range}). ${COLD_START_REMEDY}`,
      shown: false,
    };
  }
  if (side < 0) {
    return {
      text: `Users without history gain, too: without any history ${system} costs ${amount(estimate)} nats a token less than ${baseline} (${range}).`,
      shown: true,
    };
  }
  return {
    text: `For users without history no change was shown: ${system} against ${baseline}, ${interval(estimate)} nats a token: ${whyOpen(users)}.`,
    shown: false,
  };
}

const amount = (estimate: Estimate) => decimal(Math.abs(estimate.value), digitsOf(estimate));

function interval(estimate: Estimate, digits = digitsOf(estimate)): string {
  return `${decimal(estimate.low, digits)} to ${decimal(estimate.high, digits)}`;
}

/** `0.31 (95% 0.27 to 0.35)`, without the sign of the value. */
function sizeText({ value, low, high }: Estimate): string {
  const size = value < 0 ? { value: -value, low: -high, high: -low } : { value, low, high };
  return `${amount(size)} (95% ${interval(size)})`;
}

const percent = (share: number) => `${decimal(100 * share, 0)}%`;

const pointsInterval = ({ low, high }: Estimate) =>
  `${decimal(100 * low, 1)} to ${decimal(100 * high, 1)} points`;
