/** @file Tests of the State of the Union examples on the real data: passages, times, splits, no leakage, determinism. */
import { describe, expect, it } from 'vitest';
import { checkLeakage } from '../../../src/method/data/leakage.ts';
import { normaliseText } from '../../../src/method/data/normalise.ts';
import { countWords } from '../../../src/method/data/sentences.ts';
import { type SotuOptions, sotuExamples } from '../../../src/method/data/sotu.ts';
import { cleanAddress, cutPassages, sotuPassages } from '../../../src/method/data/sotu-passages.ts';

const passages = sotuPassages();
const examples = sotuExamples();

describe('cleanAddress', () => {
  it.each([
    ['I did not say that. [Laughter] But he did. (Applause.) Yes.', 'I did not say that. But he did. Yes.'],
    ['&quot;National Guard,&quot; he said', '"National Guard," he said'],
    ['protected by peace.We will pass', 'protected by peace. We will pass'],
    ['upon the [p.3] accomplishments.[1] Then', 'upon the accomplishments. Then'],
    ['“We the People” don’t — ever -– fail', '"We the People" don\'t - ever - fail'],
    ['U.S.A.! Audience members. U.S.A.! U.S.A.! The President. My friends', 'U.S.A.! My friends'],
    ['what is not less .important, now', 'what is not less important, now'],
    ['than elsewhere&mdash;better', 'than elsewhere - better'],
    ['ISIS’s Al‑Baghdadi', "ISIS's Al-Baghdadi"],
  ])('turns %j into %j', (text, clean) => {
    expect(cleanAddress(text)).toBe(clean);
  });
});

describe('cutPassages', () => {
  it('leaves out tables and what is too short, and never joins what a table parts', () => {
    const sentence = (name: string) => `${`${name} `.repeat(29)}end.`;
    const table = 'Receipts 1,410,420 - 1930 - $410,420,000.';
    const text = `${sentence('Alpha')} ${sentence('Beta')} ${table} ${sentence('Gamma')}`;
    expect(cutPassages(text)).toEqual([`${sentence('Alpha')} ${sentence('Beta')}`]);
  });
});

describe('sotuPassages', () => {
  it('has 50 to 120 words a passage and nearly all of the addresses', () => {
    const words = passages.map(({ opening, text }) => countWords(opening) + countWords(text));
    expect(Math.min(...words)).toBeGreaterThanOrEqual(50);
    expect(Math.max(...words)).toBeLessThanOrEqual(120);
    // 1.79 million words of addresses; tables and leftovers are less than a twentieth.
    expect(words.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0.95 * 1_794_884);
  });

  it('has clean text: no markup, stage directions, control characters or doubled spaces', () => {
    for (const { id, opening, text } of passages) {
      expect(`${id} ${opening} ${text}`).not.toMatch(
        /&\w+;|\[laughter|\[applause|\(applause|[\p{Cc}\u201c\u201d\u2018\u2019\u2014]| {2}|_{2}/iu,
      );
    }
  });

  it('has unique ids and texts', () => {
    expect(new Set(passages.map(({ id }) => id)).size).toBe(passages.length);
    const texts = passages.map(({ opening, text }) => normaliseText(`${opening} ${text}`));
    expect(new Set(texts).size).toBe(passages.length);
  });

  it('takes two terms apart for one president, and presidents of one surname for several', () => {
    const yearsOf = (user: string) =>
      new Set(passages.filter((passage) => passage.user === user).map(({ year }) => year));
    expect([...yearsOf('Grover Cleveland')]).toEqual([1885, 1886, 1887, 1888, 1893, 1894, 1895, 1896]);
    expect([...yearsOf('John Adams')]).toEqual([1797, 1798, 1799, 1800]);
    expect([...yearsOf('John Quincy Adams')]).toEqual([1825, 1826, 1827, 1828]);
    expect(yearsOf('William McKinley').size).toBe(4);
  });

  it('splits by time within each president, train before validation before test', () => {
    const years = new Map<string, Record<string, number[]>>();
    for (const { user, split, year } of passages) {
      const own = years.get(user) ?? {};
      own[split] = [...(own[split] ?? []), year];
      years.set(user, own);
    }
    let held = 0;
    for (const [user, { train = [], validation = [], test = [] }] of years) {
      if (validation.length + test.length === 0) continue;
      held++;
      expect(Math.max(...train), user).toBeLessThan(Math.min(...validation));
      expect(Math.max(...validation), user).toBeLessThan(Math.min(...test));
      expect(new Set(test).size, user).toBe(1);
    }
    expect(held).toBeGreaterThan(35);
    const splitsOf = (user: string) =>
      new Set(passages.filter((passage) => passage.user === user).map(({ split }) => split));
    expect([...splitsOf('Warren G Harding')]).toEqual(['train']);
    expect([...splitsOf('Zachary Taylor')]).toEqual(['train']);
  });
});

describe('sotuExamples', () => {
  it('asks with year and opening, and the query does not hold the response', () => {
    for (const { query, response, time } of examples) {
      expect(query).toMatch(new RegExp(`^State of the Union, ${time}: (\\S+ ){7}\\S+$`));
      expect(query).not.toContain(response.slice(0, 40));
    }
  });

  it('has only strictly earlier addresses of the same president as history, oldest first', () => {
    const byId = new Map(passages.map((passage) => [passage.id, passage]));
    for (const { user, time, history } of examples) {
      expect(history).toHaveLength(6);
      const years = history.map((item) => Number(item.time));
      expect(years).toEqual(years.toSorted((a, b) => a - b));
      expect(years.at(-1)).toBeLessThan(Number(time));
      expect(new Set(history.map((item) => byId.get(item.id)?.user))).toEqual(new Set([user]));
      expect(new Set(history.map(({ id }) => id)).size).toBe(6);
    }
  });

  it('shares the history among the three latest earlier addresses', () => {
    const years = (id: string) =>
      examples.find((example) => example.id.startsWith(id))!.history.map((h) => h.time);
    expect(years('sotu-1836-andrew-jackson')).toEqual(['1833', '1833', '1834', '1834', '1835', '1835']);
    expect(years('sotu-1798-john-adams')).toEqual(Array(6).fill('1797'));
  });

  it('passes the leakage check', () => {
    expect(() => checkLeakage(examples)).not.toThrow();
  });

  it('repeats exactly for a seed and differs for another', () => {
    expect(sotuExamples()).toEqual(examples);
    expect(sotuExamples({ seed: 1 }).map(({ id }) => id)).not.toEqual(examples.map(({ id }) => id));
  });

  it('obeys its options', () => {
    const options: SotuOptions = {
      passagesPerAddress: 2,
      historySize: 4,
      historyWords: 30,
      withoutHistory: true,
    };
    const few = sotuExamples(options);
    expect(few).toHaveLength(2 * 233);
    const firsts = few.filter(({ history }) => history.length === 0);
    expect(firsts).toHaveLength(2 * new Set(passages.map(({ user }) => user)).size);
    for (const { history } of few) {
      expect([0, 4]).toContain(history.length);
      for (const { text } of history) expect(countWords(text)).toBeLessThanOrEqual(30);
    }
  });
});
