/** @file Tests of the published schema of examples: it is current, and it and the reader take and refuse the same. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exampleJsonSchema, exampleSchema } from '../../../src/app/config/example-schema.ts';
import { parseExample } from '../../../src/method/data/parse-example.ts';

const good = { id: 'e', user: 'u', query: 'q', response: 'r', history: [{ text: 't' }] };
const causes = [{ start: 0, end: 1, cause: 'user', logRatio: 1 }];

describe('the schema of examples', () => {
  it('is current: npx tsx scripts/example-schema.ts writes it', () => {
    const path = new URL('../../../recipes/example.schema.json', import.meta.url);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(exampleJsonSchema());
  });

  it.each([
    [{}],
    [{ id: 5, user: 7, time: 1614816000, domain: 3 }],
    [{ id: null, time: null, split: null, meta: null, domain: null, causes: null }],
    [{ split: 'validation', domain: 'books', meta: { a: 1 }, extra: true, causes }],
    [{ history: [{ id: 1, time: '2020', query: null, text: 't', authors: ['u'], meta: {}, extra: 1 }] }],
    [{ history: [] }],
  ])('and the reader take %j', (change) => {
    const value = { ...good, ...change };
    expect(exampleSchema.safeParse(value).success).toBe(true);
    expect(() => parseExample(value, 'x:1', { fallbackId: '1' })).not.toThrow();
  });

  it.each([
    [{ user: undefined }],
    [{ user: null }],
    [{ query: null }],
    [{ response: '' }],
    [{ response: 5 }],
    [{ history: undefined }],
    [{ history: {} }],
    [{ history: [{ id: 'h' }] }],
    [{ history: [{ text: 't', authors: 'u' }] }],
    [{ split: 'dev' }],
    [{ meta: [] }],
    [{ domain: [] }],
    [{ time: true }],
    [{ causes: [{ ...causes[0], colour: 1 }] }],
    [{ causes: [{ ...causes[0], cause: 'me' }] }],
  ])('and the reader refuse %j', (change) => {
    const value = { ...good, ...change };
    expect(exampleSchema.safeParse(value).success).toBe(false);
    expect(() => parseExample(value, 'x:1', { fallbackId: '1' })).toThrow();
  });
});
