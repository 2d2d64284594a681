/** @file Times as people's files have them (unix times, common dates, mail and Twitter forms), turned into ISO 8601 text. */
import { parseTime } from './time.ts';

/** How a time was written; files that mix forms are worth a word. */
export type TimeForm =
  | 'iso'
  | 'iso without a zone'
  | 'date'
  | 'year or month'
  | 'unix seconds'
  | 'unix milliseconds'
  | 'unix microseconds'
  | 'unix nanoseconds';

/** A time that was read. */
export interface ReadTime {
  /** ISO 8601, such as `2017-08-18` or `2017-08-18T10:00:00Z`; text that already was ISO stays as it is. */
  readonly iso: string;
  readonly form: TimeForm;
}

/** Options of {@link readTime}. */
export interface ReadTimeOptions {
  /** What `03/04/2021` means; without it such a date is not read, unless one of its numbers is above 12. */
  readonly dateOrder?: 'day-first' | 'month-first';
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const CLOCK = String.raw`(?:[T, ]\s*(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*([ap]\.?m\.?)?\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?(?:\s*\([^)]*\))?`;
const form = (pattern: string) => new RegExp(`^${pattern}$`, 'i');
const NUMERIC = form(String.raw`(\d{4})([/.-])(\d{1,2})\2(\d{1,2})${CLOCK}`);
const DAY_MONTH = form(String.raw`(\d{1,2})([/.-])(\d{1,2})\2(\d{4})${CLOCK}`);
const MONTH_DAY_COMMA = form(String.raw`(\d{1,2}) (\d{1,2}), (\d{4})`); // Amazon's reviewTime: 09 13, 2009
const NAMED_MONTH_FIRST = form(String.raw`([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})${CLOCK}`);
const NAMED_DAY_FIRST = form(
  String.raw`(?:[a-z]{3,9},? )?(\d{1,2})(?:st|nd|rd|th)?[ -]([a-z]{3,9})\.?,?[ -](\d{4})${CLOCK}`,
);
const CTIME = form(
  String.raw`[a-z]{3} ([a-z]{3})\s+(\d{1,2}) (\d{1,2}:\d{2}:\d{2})(?: ([+-]\d{4}|UTC|GMT))? (\d{4})`,
);

/**
 * A time in any of the forms that are plain: ISO 8601; unix seconds, milliseconds, microseconds and nanoseconds as a number or
 * in digits; `20170818`; `2017/8/18`; `18.08.2017` where one number is above 12 or `dateOrder` says which is which;
 * `August 18, 2017`; `Fri, 18 Aug 2017 10:00:00 +0200` (mail); `Wed Aug 27 13:08:45 +0000 2008` (Twitter, mbox).
 * A whole number of four digits is a year. Date-times without a zone are UTC.
 * @returns undefined where it is none of these, or ambiguous
 */
export function readTime(value: unknown, options: ReadTimeOptions = {}): ReadTime | undefined {
  if (typeof value === 'bigint') return readTime(Number(value), options);
  if (value instanceof Date)
    return Number.isFinite(value.getTime()) ? { iso: shortIso(value.getTime()), form: 'iso' } : undefined;
  if (typeof value === 'number') return fromNumber(value);
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (parseTime(text) !== undefined) return { iso: text, form: formOf(text) };
  if (/^-?\d{5,}(?:\.\d+)?$/.test(text)) return fromNumber(Number(text));
  const date = dateIn(text, options);
  if (date === undefined) return undefined;
  const iso = parseTime(date) === undefined ? undefined : date;
  return iso === undefined ? undefined : { iso, form: formOf(iso) };
}

function fromNumber(value: number): ReadTime | undefined {
  if (!Number.isFinite(value)) return undefined;
  if (Number.isInteger(value) && value >= 1000 && value <= 9999)
    return { iso: String(value), form: 'year or month' };
  if (Number.isInteger(value) && value >= 19000101 && value <= 29991231) {
    const digits = String(value);
    const iso = `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`;
    if (parseTime(iso) !== undefined) return { iso, form: 'date' };
  }
  // From 1973 on the units do not overlap; a smaller number would be a guess.
  const units = [
    [1e8, 1e11, 1000, 'unix seconds'],
    [1e11, 1e14, 1, 'unix milliseconds'],
    [1e14, 1e17, 1e-3, 'unix microseconds'],
    [1e17, 1e20, 1e-6, 'unix nanoseconds'],
  ] as const;
  const unit = units.find(([least, most]) => value >= least && value < most);
  if (unit === undefined) return undefined;
  const ms = Math.floor(value * unit[2]);
  return ms > 253_402_300_799_000 ? undefined : { iso: shortIso(ms), form: unit[3] };
}

/** The date or date-time of one of the common forms, in ISO's order; not checked. */
function dateIn(text: string, { dateOrder }: ReadTimeOptions): string | undefined {
  let match = NUMERIC.exec(text);
  if (match !== null) return joined(match[1]!, match[3]!, match[4]!, match.slice(5));
  match = DAY_MONTH.exec(text);
  if (match !== null) {
    const [first, second] = [Number(match[1]), Number(match[3])];
    const dayFirst = first > 12 || (second <= 12 && first !== second && dateOrder === 'day-first');
    const isPlain = first > 12 || second > 12 || first === second || dateOrder !== undefined;
    if (!isPlain) return undefined;
    const [day, month] = dayFirst ? [match[1]!, match[3]!] : [match[3]!, match[1]!];
    return joined(match[4]!, month, day, match.slice(5));
  }
  match = MONTH_DAY_COMMA.exec(text);
  if (match !== null) return joined(match[3]!, match[1]!, match[2]!, []);
  match = NAMED_MONTH_FIRST.exec(text);
  if (match !== null) return named(match[3]!, match[1]!, match[2]!, match.slice(4));
  match = NAMED_DAY_FIRST.exec(text);
  if (match !== null) return named(match[3]!, match[2]!, match[1]!, match.slice(4));
  match = CTIME.exec(text);
  if (match !== null) return named(match[5]!, match[1]!, match[2]!, [match[3]!, undefined, match[4]]);
  return clockOnly(text);
}

/** ISO's own date before a clock that is written another way, such as `2023-01-02 10:00:00 UTC`. */
function clockOnly(text: string): string | undefined {
  const match = form(String.raw`(\d{4})-(\d{2})-(\d{2})[T ](\d{2}:\d{2}:\d{2}(?:\.\d+)?)([+-]\d{2})`).exec(
    text,
  );
  return match === null
    ? undefined
    : joined(match[1]!, match[2]!, match[3]!, [match[4], undefined, `${match[5]}:00`]);
}

function named(year: string, month: string, day: string, clock: readonly (string | undefined)[]) {
  const place = MONTHS.indexOf(month.slice(0, 3).toLowerCase());
  return place < 0 ? undefined : joined(year, String(place + 1), day, clock);
}

function joined(
  year: string,
  month: string,
  day: string,
  [clock, half, zone]: readonly (string | undefined)[],
): string {
  const date = `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
  if (clock === undefined) return date;
  let [hours, ...rest] = clock.split(':');
  if (half !== undefined) {
    const twelve = Number(hours) % 12;
    hours = String(/^p/i.test(half) ? twelve + 12 : twelve);
  }
  const written = zone === undefined ? '' : /^(?:Z|UTC|GMT)$/i.test(zone) ? 'Z' : zone;
  return `${date}T${[hours!.padStart(2, '0'), ...rest].join(':')}${written}`;
}

function formOf(iso: string): TimeForm {
  if (/^\d{4}(?:-\d{2})?$/.test(iso)) return 'year or month';
  if (/^\d{4}-\d{2}-\d{2}$/.test(iso)) return 'date';
  return /(?:Z|[+-]\d{2}:?\d{2})$/i.test(iso) ? 'iso' : 'iso without a zone';
}

/** ISO 8601 in UTC, without milliseconds where they are zero. */
function shortIso(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}
