/** @file Tests of histories: strictly earlier at every precision, repeats and equal ids out, the latest kept. */
import { describe, expect, it } from 'vitest';
import { examplesOfUser, type HistoryOptions } from '../../../src/method/corpus/histories.ts';
import { faultLog } from '../../../src/method/corpus/source-faults.ts';
import { paperTargets } from '../../../src/method/corpus/target-splits.ts';
import type { UserText } from '../../../src/method/corpus/user-text.ts';
import { checkLeakage } from '../../../src/method/data/leakage.ts';

const options: HistoryOptions = {
  targets: { rule: 'none', counts: { ...paperTargets, train: 98 }, seed: 0, shares: {} },
  minHistory: 1,
  maxHistory: 32,
};
const text = (words: string, time?: string, rest: Partial<UserText> = {}): UserText => ({
  ...{ user: 'u', query: `about ${words}`, text: words, place: { file: 'f', line: 1 } },
  ...(time !== undefined && { time }),
  ...rest,
});
const historiesOf = (texts: readonly UserText[], change: Partial<HistoryOptions> = {}) => {
  const faults = faultLog();
  const examples = examplesOfUser(texts, { ...options, ...change }, faults);
  expect(() => checkLeakage(examples)).not.toThrow();
  return {
    histories: Object.fromEntries(examples.map((e) => [e.response, e.history.map((item) => item.text)])),
    faults: Object.fromEntries(faults.list().map(({ kind, count }) => [kind, count])),
    examples,
  };
};

describe('examplesOfUser', () => {
  it('gives each response the texts whose whole time lies before it', () => {
    const { histories, faults } = historiesOf([
      text('a', '2020'),
      text('b', '2020-05-01'),
      text('c', '2020-05-01T10:00:00Z'),
      text('d', '2020-05-02'),
      text('e', '2021'),
    ]);
    // b lies within the year of a, c within the day of b: both are no earlier.
    expect(histories).toEqual({ d: ['b', 'c'], e: ['a', 'b', 'c', 'd'] });
    expect(faults).toEqual({ 'no-earlier-text': 3, 'same-time': 1 });
  });

  it('takes the order of the source for time where there is none', () => {
    const { histories } = historiesOf([text('a'), text('b'), text('c')]);
    expect(histories).toEqual({ b: ['a'], c: ['a', 'b'] });
  });

  it('keeps the latest items, and says where older ones are left out', () => {
    const texts = ['1', '2', '3', '4'].map((day) => text(`text ${day}`, `2020-01-0${day}`));
    const { histories, faults } = historiesOf(texts, { maxHistory: 2 });
    expect(histories['text 4']).toEqual(['text 2', 'text 3']);
    expect(faults['history-cut']).toBe(1);
  });

  it('leaves out repeats of the user and texts of an id that is there, and names the rest by place', () => {
    const { histories, faults, examples } = historiesOf([
      text('Great book!', '2020-01-01', { id: '2' }),
      text('great BOOK', '2020-01-02'),
      text('other', '2020-01-03', { id: '2' }),
      text('third', '2020-01-04'),
      text('fourth', '2020-01-05', { id: 'x' }),
    ]);
    expect(histories).toEqual({ third: ['Great book!'], fourth: ['Great book!', 'third'] });
    expect(faults).toMatchObject({ 'repeated-text': 1, 'duplicate-id': 1 });
    expect(examples.map(({ id }) => id)).toEqual(['u/4', 'u/x']);
  });

  it('has ids that no other user and text can have', () => {
    const slash = text('b', undefined, { user: 'u/v', id: 'w' });
    const ids = [
      ...historiesOf([text('a', undefined, { user: 'u/v' }), slash]).examples,
      ...historiesOf([text('a'), text('b', undefined, { id: 'v/w' })]).examples,
    ].map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
  });

  it('is fast for a user of many texts', () => {
    const texts = Array.from({ length: 20_000 }, (_, i) => text(`text ${i}`, String(1_600_000_000 + i)));
    const dated = texts.map((each) => ({ ...each, time: new Date(Number(each.time) * 1000).toISOString() }));
    const { examples } = historiesOf(dated, { targets: { ...options.targets, counts: paperTargets } });
    expect(examples).toHaveLength(10);
    expect(examples.every(({ history }) => history.length === 32)).toBe(true);
  }, 20_000);
});
