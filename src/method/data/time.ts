/** @file Times of examples: ISO 8601 text as a stretch of time, so that "strictly before" is decidable at any precision. */

/** A stretch of time in milliseconds since 1970 UTC, end exclusive; an instant lasts one millisecond. */
export interface TimeSpan {
  readonly start: number;
  readonly end: number;
}

const DATE = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/;
const DATE_TIME =
  /^(\d{4}-\d{2}-\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?$/i;
const MS_PER_YEAR = 365.2425 * 86_400_000;

/**
 * The stretch of time that an ISO 8601 text names, or undefined when it is none.
 * A year, month or day is as long as it is; a date-time is an instant, in UTC where no zone is given.
 * @param text such as `1862`, `2020-01`, `2020-01-02`, `2020-01-02T10:00:00Z`
 */
export function parseTime(text: string): TimeSpan | undefined {
  const date = DATE.exec(text);
  if (date !== null) return dateSpan(Number(date[1]), date[2], date[3]);
  const time = DATE_TIME.exec(text);
  if (time === null) return undefined;
  const day = parseTime(time[1]!);
  const [hours, minutes, seconds] = [Number(time[2]), Number(time[3]), Number(time[4] ?? 0)];
  if (day === undefined || hours > 23 || minutes > 59 || seconds > 60) return undefined;
  const milliseconds = Math.floor(Number(`0.${time[5] ?? 0}`) * 1000);
  const start =
    day.start + ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds - zoneOffset(time[6]);
  return { start, end: start + 1 };
}

/** True when all of `earlier` lies before `later` begins: `1861` before `1862`, but not before `1861-05`. */
export function isStrictlyBefore(earlier: TimeSpan, later: TimeSpan): boolean {
  return earlier.end <= later.start;
}

/** The middle of a time as a fractional year, for distances in years; undefined without a readable time. */
export function yearOf(time: string | undefined): number | undefined {
  const span = time === undefined ? undefined : parseTime(time);
  return span && 1970 + (span.start + span.end) / 2 / MS_PER_YEAR;
}

function dateSpan(year: number, month: string | undefined, day: string | undefined): TimeSpan | undefined {
  const m = month === undefined ? 1 : Number(month);
  const d = day === undefined ? 1 : Number(day);
  const start = utc(year, m - 1, d);
  const read = new Date(start);
  if (read.getUTCMonth() !== m - 1 || read.getUTCDate() !== d) return undefined; // such as February 30
  const end =
    day !== undefined ? start + 86_400_000 : month !== undefined ? utc(year, m, 1) : utc(year + 1, 0, 1);
  return { start, end };
}

/** Date.UTC without its reading of the years 0 to 99 as 1900 to 1999. */
function utc(year: number, monthIndex: number, day: number): number {
  const date = new Date(Date.UTC(2000, 0, 1));
  return date.setUTCFullYear(year, monthIndex, day);
}

function zoneOffset(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === 'Z') return 0;
  const sign = zone.startsWith('-') ? -1 : 1;
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))) * 60_000;
}
