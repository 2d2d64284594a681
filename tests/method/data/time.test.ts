/** @file Tests of times as stretches: what is strictly before what, at every precision. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStrictlyBefore, parseTime, yearOf } from '../../../src/method/data/time.ts';

const before = (a: string, b: string) => isStrictlyBefore(parseTime(a)!, parseTime(b)!);

describe('parseTime', () => {
  it.each([
    ['1862', '1862-01-01T00:00:00Z', '1863-01-01T00:00:00Z'],
    ['2020-02', '2020-02-01T00:00:00Z', '2020-03-01T00:00:00Z'],
    ['2020-12', '2020-12-01T00:00:00Z', '2021-01-01T00:00:00Z'],
    ['2020-02-29', '2020-02-29T00:00:00Z', '2020-03-01T00:00:00Z'],
    ['2020-01-01T12:30', '2020-01-01T12:30:00Z', '2020-01-01T12:30:00.001Z'],
    ['2020-01-01 12:30:01.25+02:00', '2020-01-01T10:30:01.250Z', '2020-01-01T10:30:01.251Z'],
    ['2020-01-01T12:30:01-0130', '2020-01-01T14:00:01Z', '2020-01-01T14:00:01.001Z'],
  ])('reads %s', (text, start, end) => {
    expect(parseTime(text)).toEqual({ start: Date.parse(start), end: Date.parse(end) });
  });

  it.each(['', '20', '2020-13', '2021-02-29', '2020-1-1', '2020-01-01T24:00', 'yesterday', '2020-01-01Tx'])(
    'refuses "%s"',
    (text) => {
      expect(parseTime(text)).toBeUndefined();
    },
  );

  it('agrees with the calendar of the platform on every instant of four-digit years', () => {
    const day = { min: new Date('0100-01-01T00:00:00Z'), max: new Date('9999-12-31T00:00:00Z') };
    fc.assert(
      fc.property(fc.date({ ...day, noInvalidDate: true }), (date) => {
        expect(parseTime(date.toISOString())?.start).toBe(date.getTime());
      }),
    );
  });
});

describe('isStrictlyBefore', () => {
  it.each([
    ['1861', '1862', true],
    ['1862', '1862', false],
    ['1862', '1862-05-01', false],
    ['1862-04-30', '1862-05', true],
    ['2020-01-02T10:00', '2020-01-02', false],
    ['2020-01-02T10:00:00Z', '2020-01-02T10:00:00.001Z', true],
    ['2020-01-02T10:00:00Z', '2020-01-02T10:00:00Z', false],
  ])('says of %s and %s: %s', (a, b, expected) => {
    expect(before(a, b)).toBe(expected);
  });

  it('is never true both ways', () => {
    const times = fc.constantFrom('2020', '2020-01', '2020-01-31', '2020-02', '2021', '2020-01-31T05:00');
    fc.assert(fc.property(times, times, (a, b) => !(before(a, b) && before(b, a))));
  });
});

describe('yearOf', () => {
  it('is the middle of the time in years, and undefined without a time', () => {
    expect(yearOf('1862')).toBeCloseTo(1862.5, 2);
    expect(yearOf('2020-01-01')).toBeCloseTo(2020, 2);
    expect(yearOf('soon')).toBeUndefined();
    expect(yearOf(undefined)).toBeUndefined();
  });
});
