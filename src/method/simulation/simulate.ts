/** @file Examples of simulated users: whose words, focus, length, tone and sign-off are known, and so the cause of every token. */
import { ConfigError } from '../../base/errors.ts';
import { randomStream } from '../../base/random.ts';
import type { Example, HistoryItem, Split } from '../data/example.ts';
import { drawItem, type Item } from './items.ts';
import {
  aspectCounts,
  drawUser,
  focusPairs,
  type Population,
  populationOf,
  type SimulatedUser,
} from './users.ts';
import type { World } from './worlds/world.ts';
import { type WorldName, worldNames, worlds } from './worlds/worlds.ts';
import { type WrittenReview, writeReview } from './write.ts';

/** What to simulate. */
export interface SimulationOptions {
  /** What they write about and in which words; default `reviews`. The embedded model knows nothing of `journeys`. */
  readonly world?: WorldName;
  /** Number of users, ≥ 1. */
  readonly users: number;
  /** Any safe integer; default 1. User i of a seed is the same whatever the number of users and examples. */
  readonly seed?: number;
  /** Examples of each user, ≥ 1; default 1. A later example of a user has the earlier ones in its history. */
  readonly examplesPerUser?: number;
  /** Earlier reviews in each example's history, or the range [least, most] to draw from uniformly; default 3. */
  readonly historyItems?: number | readonly [number, number];
  /** Chance that a choice follows the user, 0 to 1; default 0.9. 0 makes users alike, 1 makes them never deviate. */
  readonly strength?: number;
  /** Chance of a filler sentence that has to do with neither user nor item, 0 to 1; default 0.2. */
  readonly noise?: number;
  /**
   * How much the domain decides both sides, 0 to 1; default 0: with this chance an item comes from its user's home domain, and
   * with this weight the home domain's favourites enter the distribution of every trait.
   */
  readonly confounding?: number;
  /** Users are `{namePrefix}{index}`; default `s{seed}u`, so that ids of two seeds never meet. */
  readonly namePrefix?: string;
  /** Index of the first user, ≥ 0; default 0. Disjoint ranges of one seed are disjoint users. */
  readonly startIndex?: number;
  /** Shares of users for train, validation and test, ≥ 0 with sum 1; without it examples have no split. */
  readonly split?: Readonly<Record<Split, number>>;
}

interface Review {
  readonly item: Item;
  readonly written: WrittenReview;
  readonly time: string;
}

/**
 * Returns examples of simulated users, with `causes` and true log ratios, user by user, each user's in order of time.
 *
 * A user is a home domain and a vector of traits (own words, what they look at, length, tone, sign-off, name); an item is a domain,
 * a name, a value per aspect and a rating, all told by the query. Users share nothing, so user and query meet only in the text.
 *
 * logRatio = ln p(choice | user, query, prefix) − ln p(choice | query, prefix), nats, exact. In the first the user's traits
 * are known, and whether the user or chance chose is marginalised. In the second the user is marginalised as well: home domain
 * and all traits, with the population (given the domain that the query names) as prior and what the response says before the
 * choice as evidence. Nothing of the history enters. A word that settles several choices has the sum of their log ratios. A word
 * without logRatio has none because user and prefix leave it as it is: its ratio is 0.
 *
 * @throws {ConfigError} when an option is out of its range
 */
export function simulate(options: SimulationOptions): Example[] {
  const settings = validated(options);
  const population = populationOf(settings.world, settings.confounding);
  const examples: Example[] = [];
  for (let index = settings.startIndex; index < settings.startIndex + settings.users; index++)
    examples.push(...examplesOfUser(index, settings, population));
  return examples;
}

type Settings = ReturnType<typeof validated>;

function examplesOfUser(index: number, settings: Settings, population: Population): Example[] {
  const { seed, leastHistory, mostHistory, examplesPerUser, namePrefix, split } = settings;
  const stream = `simulation/user/${index}`;
  const user = drawUser(population, randomStream(seed, stream));
  const calendar = randomStream(seed, `${stream}/time`);
  const sizes = randomStream(seed, `${stream}/history`);
  const id = `${namePrefix}${String(index).padStart(6, '0')}`;
  const idOf = (review: number) => `${id}-r${review}`;
  let day = calendar.integer(1500);
  const reviews = Array.from({ length: mostHistory + examplesPerUser }, (_, review): Review => {
    day += 3 + calendar.integer(60);
    return reviewOf(user, settings, population, `${stream}/review/${review}`, day);
  });
  const historyItem = (review: number): HistoryItem => {
    const { item, written, time } = reviews[review]!;
    return { id: idOf(review), time, query: item.query, text: written.text, meta: metaOf(item) };
  };
  const traits = describeTraits(user, settings.world);
  return Array.from({ length: examplesPerUser }, (_, example): Example => {
    const last = mostHistory + example;
    const size = leastHistory + sizes.integer(mostHistory - leastHistory + 1);
    const { item, written, time } = reviews[last]!;
    return {
      id: idOf(last),
      user: id,
      time,
      query: item.query,
      response: written.text,
      history: Array.from({ length: size }, (_, step) => historyItem(last - size + step)),
      domain: item.domain.noun,
      ...(split && { split: splitOf(index, split) }),
      causes: written.causes,
      meta: { rating: item.rating, traits },
    };
  });
}

function reviewOf(
  user: SimulatedUser,
  settings: Settings,
  population: Population,
  stream: string,
  day: number,
): Review {
  const random = randomStream(settings.seed, stream);
  const item = drawItem(settings.world, user.home, settings.confounding, random);
  const written = writeReview(user, item, population, settings.strength, settings.noise, random);
  return { item, written, time: dateOf(day) };
}

const metaOf = (item: Item) => ({ domain: item.domain.noun, rating: item.rating });

/** Day 0 is 2015-01-01. */
const dateOf = (day: number) => new Date(Date.UTC(2015, 0, 1 + day)).toISOString().slice(0, 10);

/** The split of a user: multiples of the golden ratio fill [0, 1) evenly, so every range of users has nearly the shares asked for. */
function splitOf(index: number, shares: Readonly<Record<Split, number>>): Split {
  const position = (index * 0.618_033_988_749_894_9 + 0.5) % 1;
  if (position < shares.train) return 'train';
  return position < shares.train + shares.validation ? 'validation' : 'test';
}

/** Traits in words, for people who debug. */
function describeTraits({ traits }: SimulatedUser, world: World) {
  const [first, next] = focusPairs[traits.focus]!;
  const interests = ['substance', 'looks', 'ease', 'support', 'cost'];
  const start = (phrase: string) => phrase.split(' ')[0]!;
  const connector = world.connectors[traits.connector]!;
  return {
    opening: start(world.openings[traits.opening]!),
    frame: start(world.frames[traits.frame]!),
    focus: `${interests[first]}, ${interests[next]}`,
    intensifier: world.intensifiers[traits.intensifier]!,
    praise: world.praises[traits.praise]!,
    criticism: world.criticisms[traits.criticism]!,
    connector: `${start(connector.addition)} / ${start(connector.contrast)}`,
    third: start(world.thirdStarts[traits.third]!),
    fourth: start(world.fourthStarts[traits.fourth]!),
    length: aspectCounts[traits.length]!,
    tone: start(world.tones[traits.tone]!.good),
    companion: world.companions[traits.companion]!,
    signOff: start(world.signOffs[traits.signOff]!),
    writer: world.writers[traits.writer]!,
  };
}

function validated(options: SimulationOptions) {
  const { users, seed = 1, examplesPerUser = 1, historyItems = 3, startIndex = 0, split } = options;
  const {
    world = 'reviews',
    strength = 0.9,
    noise = 0.2,
    confounding = 0,
    namePrefix = `s${seed}u`,
  } = options;
  const [leastHistory, mostHistory] = rangeOf(historyItems);
  requireInteger('users', users, 1);
  requireInteger('seed', seed, Number.MIN_SAFE_INTEGER);
  requireInteger('examplesPerUser', examplesPerUser, 1);
  requireInteger('historyItems', leastHistory, 0);
  requireInteger('historyItems', mostHistory, leastHistory);
  requireInteger('startIndex', startIndex, 0);
  requireShare('strength', strength);
  requireShare('noise', noise);
  requireShare('confounding', confounding);
  if (split !== undefined) {
    const shares = [split.train, split.validation, split.test];
    for (const share of shares) requireShare('split', share);
    const total = shares.reduce((sum, share) => sum + share, 0);
    if (Math.abs(total - 1) > 1e-9)
      throw optionError('split', 'shares that sum to 1', String(total), 'Give three shares that sum to 1.');
  }
  if (!Object.hasOwn(worlds, world))
    throw optionError('world', worldNames.join(' or '), String(world), 'Name one of these worlds.');
  return {
    world: worlds[world] as World,
    users,
    seed,
    examplesPerUser,
    leastHistory,
    mostHistory,
    startIndex,
    split,
    strength,
    noise,
    confounding,
    namePrefix,
  };
}

/** @param value checked: who calls from JavaScript may give anything */
function rangeOf(value: SimulationOptions['historyItems'] & {}): readonly [number, number] {
  if (typeof value === 'number') return [value, value];
  if (Array.isArray(value) && value.length === 2) return value as [number, number];
  throw optionError(
    'historyItems',
    'a number or a pair of numbers',
    JSON.stringify(value) ?? String(value),
    'Give one number, or [least, most].',
  );
}

function requireInteger(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least)
    throw optionError(name, `a whole number ≥ ${least}`, String(value), `Give ${name} as a whole number.`);
}

function requireShare(name: string, value: number): void {
  if (!(value >= 0 && value <= 1))
    throw optionError(name, 'a number from 0 to 1', String(value), `Give ${name} between 0 and 1.`);
}

const optionError = (name: string, expected: string, got: string, hint: string) =>
  new ConfigError(`simulation ${name}: expected ${expected}, got ${got}`, {
    code: 'simulation/option',
    hint,
  });
