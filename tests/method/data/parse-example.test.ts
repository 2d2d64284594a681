/** @file Tests of the check of one example: every error names the place, the key, what was expected and what was there. */
import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { parseExample } from '../../../src/method/data/parse-example.ts';

const valid = {
  id: 'e1',
  user: 'u1',
  time: '2021-03-04',
  query: 'Write the review title',
  response: 'Quietly devastating',
  history: [
    { id: 'h1', time: '2019', query: 'a', text: 'An older text', meta: { rating: 5 } },
    { id: 'h2', time: '2020-01-02', query: 'b', text: 'A newer text' },
  ],
};
const item = valid.history[0]!;

/** The error of a changed example. */
function errorOf(change: Record<string, unknown>): DataError {
  try {
    parseExample({ ...valid, ...change }, 'data.jsonl:7');
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return error as DataError;
  }
  throw new Error(`expected an error for ${JSON.stringify(change)}`);
}

describe('parseExample', () => {
  it('keeps a valid example as it is', () => {
    expect(parseExample(valid, 'x:1')).toEqual(valid);
  });

  it('keeps split and causes, and drops nothing of a cause', () => {
    const causes = [
      { start: 0, end: 7, cause: 'user', logRatio: 1.5 },
      { start: 7, end: 19, cause: 'neither' },
    ];
    const example = { ...valid, split: 'test', causes };
    expect(parseExample(example, 'x:1')).toEqual(example);
  });

  it.each([
    [{ user: undefined }, 'data.jsonl:7: user: expected a string, got nothing'],
    [{ query: undefined }, 'data.jsonl:7: query: expected a string, got nothing'],
    [{ response: undefined }, 'data.jsonl:7: response: expected a string, got nothing'],
    [{ history: undefined }, 'data.jsonl:7: history: expected an array of items, got nothing'],
    [{ id: undefined }, 'data.jsonl:7: id: expected a string, got nothing'],
    [{ id: true }, 'data.jsonl:7: id: expected a string, got the boolean true'],
    [{ user: 1e300 }, 'data.jsonl:7: user: expected a string or a whole number that is exact, got the'],
    [{ user: null }, 'data.jsonl:7: user: expected a string, got null'],
    [{ query: ['x'] }, 'data.jsonl:7: query: expected a string, got an array of 1'],
    [{ user: ' ' }, 'data.jsonl:7: user: expected text, got only white space'],
    [{ response: '' }, 'data.jsonl:7: response: expected text, got an empty string'],
    [{ response: ' \n\t' }, 'data.jsonl:7: response: expected text, got only white space'],
    [{ response: 'half \ud83d' }, 'data.jsonl:7: response: expected well-formed Unicode, got "half of'],
    [{ time: 12 }, 'data.jsonl:7: time: expected an ISO 8601 date or date-time, got the number 12'],
    [{ time: '3/4/2021' }, 'data.jsonl:7: time: expected an ISO 8601 date or date-time, got "3/4/2021"'],
    [{ domain: [] }, 'data.jsonl:7: domain: expected a string, got an array of 0'],
    [
      { history: [{ ...item, authors: 'me' }] },
      'data.jsonl:7: history[0].authors: expected an array of names, got "me"',
    ],
    [{ time: 'May 2021' }, 'data.jsonl:7: time: expected an ISO 8601 date or date-time, got "May 2021"'],
    [{ split: 'dev' }, 'data.jsonl:7: split: expected one of train, validation, test, got "dev"'],
    [{ meta: 3 }, 'data.jsonl:7: meta: expected an object, got the number 3'],
    [{ history: {} }, 'data.jsonl:7: history: expected an array of items, got an object'],
    [{ history: ['a'] }, 'data.jsonl:7: history[0]: expected an object with text, got "a"'],
    [{ history: [item, { id: 'h2' }] }, 'data.jsonl:7: history[1].text: expected a string, got nothing'],
    [
      { history: [{ ...item, text: false }] },
      'data.jsonl:7: history[0].text: expected a string, got the boolean false',
    ],
    [
      { history: [{ ...item, text: '  ' }] },
      'data.jsonl:7: history[0].text: expected text, got only white space',
    ],
    [
      { history: [item, { ...item, text: 'other' }] },
      'data.jsonl:7: history[1].id: expected an id that no other item has, got "h1" as history[0]',
    ],
    [
      { history: [{ ...item, time: '2021-03-04' }] },
      'data.jsonl:7: history[0].time: expected a time strictly before the response\'s 2021-03-04, got "2021-03-04"',
    ],
    [
      { history: [{ ...item, time: '2021' }] },
      "history[0].time: expected a time strictly before the response's 2021-03-04",
    ],
    [
      { history: [valid.history[1], item] },
      'data.jsonl:7: history[1].time: expected a time no earlier than history[0]\'s 2020-01-02 (oldest first), got "2019"',
    ],
  ])('refuses %j with "%s"', (change, message) => {
    const error = errorOf(change);
    expect(error.message).toContain(message);
    expect(error.hint).toMatch(/^[A-Z].*\.$/);
  });

  const span = { start: 0, end: 19, cause: 'user' };
  it.each([
    [{}, 'causes: expected an array of spans, got an object'],
    [[{ ...span, end: 10 }], "causes: expected spans up to the response's length 19, got the number 10"],
    [[{ ...span, start: 1 }], 'causes[0].start: expected 0, where the span before ends (no gap, no overlap)'],
    [
      [
        { ...span, end: 8 },
        { ...span, start: 7 },
      ],
      'causes[1].start: expected 8',
    ],
    [
      [
        { ...span, end: 8 },
        { ...span, start: 9 },
      ],
      'causes[1].start: expected 8',
    ],
    [[{ ...span, end: 20 }], "causes[0].end: expected at most the response's length 19, got the number 20"],
    [[{ ...span, end: 0 }], 'causes[0].end: expected an integer above the start 0, got the number 0'],
    [[{ ...span, end: 1.5 }], 'causes[0].end: expected an integer above the start 0'],
    [[{ ...span, cause: 'me' }], 'causes[0].cause: expected one of user, query, both, neither, got "me"'],
    [[{ ...span, logRatio: '1' }], 'causes[0].logRatio: expected a finite number of nats, got "1"'],
    [[{ ...span, colour: 1 }], 'causes[0].colour: expected one of the keys start, end, cause, logRatio'],
    [[], "causes: expected spans up to the response's length 19, got the number 0"],
  ])('refuses the causes %j with "%s"', (causes, message) => {
    const error = errorOf({ causes });
    expect(error.message).toContain(`data.jsonl:7: ${message}`);
    expect(error.code).toMatch(/^data\/(causes|wrong-type)$/);
  });

  it.each([[null], [[]], ['text'], [3]])('refuses %j in place of an example', (value) => {
    expect(() => parseExample(value, 'f:1')).toThrow(/^f:1: expected a JSON object, got/);
  });

  it('moves unknown keys to meta beside what is there, and reports their paths', () => {
    const paths: string[] = [];
    const value = { ...valid, stars: 4, meta: { shop: 's' }, history: [{ ...item, likes: 2 }] };
    const example = parseExample(value, 'x:1', { onUnknownKey: (path) => paths.push(path) });
    expect(example.meta).toEqual({ shop: 's', stars: 4 });
    expect(example.history[0]!.meta).toEqual({ rating: 5, likes: 2 });
    expect(paths.sort()).toEqual(['history[].likes', 'stars']);
  });

  it('refuses an unknown key that meta has as well', () => {
    expect(errorOf({ stars: 4, meta: { stars: 5 } }).message).toContain('stars: expected a key given once');
  });

  // pandas and datasets write null for what is absent; ids of tables are numbers, and times unix or with slashes.
  it('takes null for absence, numbers for names, and plain times of any form', () => {
    const loose = {
      ...{ id: null, user: 7, time: 1614816000, query: 'q', response: 'r', split: null, meta: null },
      ...{ causes: null, domain: null },
      history: [
        { id: 3, time: '2017/8/18', query: null, text: 'a', meta: null, authors: null },
        { id: null, time: null, text: 'b' },
      ],
    };
    expect(parseExample(loose, 'x:1', { fallbackId: '1' })).toEqual({
      ...{ id: '1', user: '7', time: '2021-03-04T00:00:00Z', query: 'q', response: 'r' },
      history: [
        { id: '3', time: '2017-08-18', query: '', text: 'a' },
        { id: 'h2', query: '', text: 'b' },
      ],
    });
  });

  it('says to fill in a needed field that is null', () => {
    const error = errorOf({ response: null });
    expect(error.message).toContain('response: expected a string, got null');
    expect(error.hint).toContain('Fill it in');
  });

  it('keeps domain and authors, and finds them in meta', () => {
    const paths: string[] = [];
    const onUnknownKey = (path: string) => paths.push(path);
    const named = { ...valid, domain: 'books', history: [{ ...item, authors: ['a', 'b'] }] };
    expect(parseExample(named, 'x:1', { onUnknownKey })).toEqual(named);
    expect(paths).toEqual([]);
    const inMeta = {
      ...valid,
      meta: { domain: 'books', shop: 's' },
      history: [{ ...item, meta: { authors: ['a', 'b'] } }],
    };
    const found = parseExample(inMeta, 'x:1');
    expect([found.domain, found.meta]).toEqual(['books', { shop: 's' }]);
    expect(found.history[0]).toMatchObject({ authors: ['a', 'b'] });
    expect(found.history[0]!.meta).toBeUndefined();
    expect(errorOf({ domain: 'books', meta: { domain: 'films' } }).message).toContain('given once');
  });

  it('names history items without id by their place, and gives those without query an empty one', () => {
    const { history } = parseExample({ ...valid, history: [{ text: 'a' }, { text: 'b' }] }, 'x:1');
    expect(history).toEqual([
      { id: 'h1', query: '', text: 'a' },
      { id: 'h2', query: '', text: 'b' },
    ]);
  });

  it('does not compare times where one of both is missing', () => {
    const { time: _, ...timeless } = valid;
    expect(parseExample(timeless, 'x:1').history).toHaveLength(2);
    expect(
      parseExample({ ...valid, history: [{ id: 'h0', text: 'no time' }, item] }, 'x:1').history,
    ).toHaveLength(2);
  });
});
