/** @file Tests of times as people's files have them: each common form is read to the second, what is ambiguous is not. */
import { describe, expect, it } from 'vitest';
import { readTime } from '../../../src/method/data/read-time.ts';

describe('readTime', () => {
  it.each([
    ['2021-03-04', '2021-03-04', 'date'],
    ['1862', '1862', 'year or month'],
    [2021, '2021', 'year or month'],
    ['2020-01-02T10:00:00Z', '2020-01-02T10:00:00Z', 'iso'],
    ['2020-01-02 10:00:00', '2020-01-02 10:00:00', 'iso without a zone'],
    [1452647382000, '2016-01-13T01:09:42Z', 'unix milliseconds'],
    [1452647382, '2016-01-13T01:09:42Z', 'unix seconds'],
    [1452647382.5, '2016-01-13T01:09:42.500Z', 'unix seconds'],
    ['1452647382', '2016-01-13T01:09:42Z', 'unix seconds'],
    [1452647382000000, '2016-01-13T01:09:42Z', 'unix microseconds'],
    [1452647382000000000n, '2016-01-13T01:09:42Z', 'unix nanoseconds'],
    [20170818, '2017-08-18', 'date'],
    ['20170818', '2017-08-18', 'date'],
    ['2017/8/18', '2017-08-18', 'date'],
    ['2017.8.18 9:05', '2017-08-18T09:05', 'iso without a zone'],
    ['2023-01-02 10:00:00 UTC', '2023-01-02T10:00:00Z', 'iso'],
    ['2023-01-02 10:00:00+02', '2023-01-02T10:00:00+02:00', 'iso'],
    ['18.08.2017', '2017-08-18', 'date'],
    ['8/18/2017', '2017-08-18', 'date'],
    ['8/8/2017', '2017-08-08', 'date'],
    ['09 13, 2009', '2009-09-13', 'date'],
    ['August 18, 2017', '2017-08-18', 'date'],
    ['18 Aug 2017', '2017-08-18', 'date'],
    ['Fri, 18 Aug 2017 10:00:00 +0200', '2017-08-18T10:00:00+0200', 'iso'],
    ['Fri, 18 Aug 2017 10:00:00 +0200 (CEST)', '2017-08-18T10:00:00+0200', 'iso'],
    ['Wed Aug 27 13:08:45 +0000 2008', '2008-08-27T13:08:45+0000', 'iso'],
    ['Fri Aug 18 10:00:00 2017', '2017-08-18T10:00:00', 'iso without a zone'],
    ['8/18/2017 1:05:09 PM', '2017-08-18T13:05:09', 'iso without a zone'],
    ['8/18/2017 12:05 AM', '2017-08-18T00:05', 'iso without a zone'],
    [new Date('2017-08-18T10:00:00Z'), '2017-08-18T10:00:00Z', 'iso'],
  ])('reads %s as %s', (value, iso, form) => {
    expect(readTime(value)).toEqual({ iso, form });
  });

  it.each([
    ['3/4/2017'],
    ['2017/13/45'],
    ['31/31/2017'],
    ['yesterday'],
    [''],
    [12],
    [1234567],
    [Number.NaN],
    [null],
    [true],
    [new Date(Number.NaN)],
    ['Foo 18, 2017'],
  ])('does not guess at %s', (value) => {
    expect(readTime(value)).toBeUndefined();
  });

  it('reads a date of two small numbers by the order that is named', () => {
    expect(readTime('3/4/2017', { dateOrder: 'day-first' })!.iso).toBe('2017-04-03');
    expect(readTime('3/4/2017', { dateOrder: 'month-first' })!.iso).toBe('2017-03-04');
    expect(readTime('8/18/2017', { dateOrder: 'day-first' })!.iso).toBe('2017-08-18');
  });
});
