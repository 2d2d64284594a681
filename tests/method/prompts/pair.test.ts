/** @file Prompt pairs: same query and response, history or none, within the budget, and no text becomes markup. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DataError } from '../../../src/base/errors.ts';
import { createTokenizer, loadTokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import { checkTokenizerJson } from '../../../src/engine/tokenizer/tokenizer-json.ts';
import type { Example } from '../../../src/method/data/example.ts';
import {
  defaultPromptSettings,
  type PromptSettings,
  promptPair,
  promptsFor,
} from '../../../src/method/prompts/pair.ts';

const folder = fileURLToPath(new URL('../../golden/tokenizer-small', import.meta.url));
const tokenizer = await loadTokenizer(folder);
const settings: PromptSettings = { ...defaultPromptSettings(), maxTokens: 400 };

const item = (id: string, text: string) => ({ id, query: `On ${id}`, text });
const example: Example = {
  id: 'e1',
  user: 'u1',
  query: 'On the treasury',
  response: 'The revenue has been ample.',
  history: [
    item('peace', 'We are at peace.'),
    item('roads', 'Roads are needed.'),
    item('trade', 'Trade grows.'),
  ],
};
const placebo = [item('war', 'War is declared.')];
const text = (ids: readonly number[]) => tokenizer.decode(ids);

describe('in-context pairs', () => {
  const pairs = { ...settings, template: 'pairs' };

  test('are turns of the chat template: each request in the words of the query, answered by the text', () => {
    const { withHistoryIds, historyItemsUsed } = promptPair(example, tokenizer, pairs);
    expect(historyItemsUsed).toBe(3);
    const turns = text(withHistoryIds)
      .split(/<\|(user|assistant|end)\|>/)
      .map((part) => part.trim());
    const said = turns.filter((part) => part !== '' && !['user', 'assistant', 'end'].includes(part));
    const ask = (query: string) => `Write this user's text for:\n${query}`;
    expect(said).toEqual([
      ...example.history.flatMap(({ query, text }) => [ask(query), text]),
      ask('On the treasury'),
    ]);
  });

  test('keep the budget and the prompt without history of every template', () => {
    const whole = promptPair(example, tokenizer, pairs);
    const small = promptPair(example, tokenizer, { ...pairs, maxTokens: whole.withHistoryIds.length });
    expect(small.historyItemsUsed).toBeLessThan(3);
    expect(text(small.withHistoryIds)).toContain('Trade grows.');
    expect(whole.withoutHistoryIds).toEqual(promptPair(example, tokenizer, settings).withoutHistoryIds);
  });

  test('are blocks of text for a model without a chat template', () => {
    const plain = { ...tokenizer, chatTemplate: undefined };
    const shown = plain.decode(promptPair(example, plain, pairs).withHistoryIds);
    expect(shown.match(/Write this user's text for:/g)).toHaveLength(4);
  });
});

describe('the two prompts', () => {
  const pair = promptPair(example, tokenizer, settings);

  test('with history shows the items oldest first and then the query', () => {
    const shown = text(pair.withHistoryIds);
    const places = ['We are at peace.', 'Roads are needed.', 'Trade grows.', 'On the treasury'].map((part) =>
      shown.indexOf(part),
    );
    expect(places.every((place, i) => place > (places[i - 1] ?? -1))).toBe(true);
    expect([pair.historyItemsUsed, pair.hasHistory]).toEqual([3, true]);
  });

  test('without history nothing mentions past texts, and the rest is the same', () => {
    const shown = text(pair.withoutHistoryIds);
    expect(shown).not.toMatch(/earlier|past|previous|history|oldest|wrote/i);
    const task = shown.slice(shown.indexOf('<|user|>') + '<|user|>'.length);
    expect(text(pair.withHistoryIds).endsWith(task)).toBe(true);
  });

  test('without history is the prompt of an example that has none, for each reference value', () => {
    for (const reference of ['removed', 'none-text'] as const) {
      const own = { ...settings, reference };
      const empty = promptPair({ ...example, history: [] }, tokenizer, own);
      expect(empty.withHistoryIds).toEqual(empty.withoutHistoryIds);
      expect([empty.hasHistory, empty.historyItemsUsed]).toEqual([false, 0]);
      expect(promptPair(example, tokenizer, own).withoutHistoryIds).toEqual(empty.withHistoryIds);
    }
  });

  test('follow the chat template, and end where the assistant begins', () => {
    for (const ids of [pair.withHistoryIds, pair.withoutHistoryIds]) {
      expect(text(ids).startsWith('<|user|>')).toBe(true);
      expect(text(ids).endsWith('<|end|><|assistant|>')).toBe(true);
      expect(ids.filter((id) => tokenizer.isSpecial(id))).toHaveLength(3);
    }
  });

  // Prompts ended before the header of templates without a generation prompt.
  test('end with the header of the assistant also where the template has no generation prompt', () => {
    const chatTemplate = tokenizer.chatTemplate!.replace(/\{% if add_generation_prompt.*/, '');
    const { withHistoryIds } = promptPair(example, { ...tokenizer, chatTemplate }, settings);
    expect(withHistoryIds).toEqual(pair.withHistoryIds);
  });

  // Texts of 5 MB were tokenised to their end: up to 2.3 GB.
  test('read no more of long texts than shows that they do not fit', () => {
    const limits: number[] = [];
    const counted = {
      ...tokenizer,
      encode: (text: string, most?: number) => {
        const encoding = tokenizer.encode(text, most);
        limits.push(encoding.ids.length);
        return encoding;
      },
      encodeParts: (...args: Parameters<typeof tokenizer.encodeParts>) => {
        const ids = tokenizer.encodeParts(...args);
        limits.push(ids.length);
        return ids;
      },
    };
    const long = 'The revenue has been ample. '.repeat(20_000);
    const shown = promptPair(
      { ...example, history: [...example.history, item('long', long), item('last', 'Last.')] },
      counted,
      settings,
    );
    expect(shown.historyItemsUsed).toBe(1);
    for (const part of ['query', 'response'] as const)
      expect(() => promptPair({ ...example, [part]: long }, counted, settings)).toThrow('more than 400');
    expect(Math.max(...limits)).toBeLessThan(2 * settings.maxTokens);
  });

  test('are plain text that ends with a blank line where the model has no chat template', async () => {
    const json = JSON.parse(await readFile(`${folder}/tokenizer.json`, 'utf8'));
    const configs = {
      tokenizer: { eos_token: '<|end|>', bos_token: '<|user|>', add_bos_token: true },
      generation: {},
      model: {},
    };
    const plain = createTokenizer(checkTokenizerJson('', json), {
      hash: '',
      configs,
      chatTemplate: undefined,
    });
    const ids = promptPair(example, plain, settings).withoutHistoryIds;
    expect(ids[0]).toBe(plain.beginId);
    expect(plain.decode(ids.slice(1))).toMatch(/^Write .*On the treasury\n\n$/s);
  });

  test('none-text keeps the section with the word None', () => {
    const shown = text(
      promptPair(example, tokenizer, { ...settings, reference: 'none-text' }).withoutHistoryIds,
    );
    expect(shown).toContain('None');
    expect(shown).toMatch(/earlier/i);
  });

  test("placebo shows another user's items in place of the history", () => {
    const own = { ...settings, reference: 'placebo' } as const;
    const shown = text(promptPair(example, tokenizer, own, { placebo }).withoutHistoryIds);
    expect(shown).toContain('War is declared.');
    expect(shown).not.toContain('peace');
    const empty = promptPair({ ...example, history: [] }, tokenizer, own, { placebo });
    expect(empty.withoutHistoryIds).toEqual(empty.withHistoryIds);
  });

  // A placebo that is missing must not turn into another reference value in silence.
  test('a placebo that is missing or does not fit is refused', () => {
    const own = { ...settings, reference: 'placebo' } as const;
    expect(() => promptPair(example, tokenizer, own)).toThrow('example e1: placebo: expected');
    const long = [item('long', 'word '.repeat(500))];
    expect(() => promptPair(example, tokenizer, own, { placebo: long })).toThrow(DataError);
  });

  test('another history can take the place of the own one', () => {
    const other = promptPair(example, tokenizer, settings, { history: placebo });
    expect(text(other.withHistoryIds)).toContain('War is declared.');
    expect(other.historyItemsUsed).toBe(1);
  });
});

describe('the response', () => {
  test('is tokenised apart from the prompt, ends with the end-of-turn token, and keeps its offsets', () => {
    const { responseIds, responseStarts, responseEnds } = promptPair(example, tokenizer, settings);
    expect(text(responseIds)).toBe(`${example.response}<|end|>`);
    expect(responseIds.at(-1)).toBe(tokenizer.endOfTurnId);
    expect(responseIds.slice(0, -1)).toEqual(tokenizer.encode(example.response).ids);
    const { length } = example.response;
    expect([responseStarts.at(-1), responseEnds.at(-1)]).toEqual([length, length]);
    const spans = responseStarts.map((start, t) => example.response.slice(start, responseEnds[t]));
    expect(spans.join('')).toBe(example.response);
  });

  test('does not depend on query, history or reference value', () => {
    const ids = promptPair(example, tokenizer, settings).responseIds;
    const other = { ...example, query: 'Other', history: [] };
    expect(promptPair(other, tokenizer, { ...settings, reference: 'none-text' }).responseIds).toEqual(ids);
  });

  test('without any token is refused', () => {
    expect(() => promptPair({ ...example, response: '' }, tokenizer, settings)).toThrow(
      'example e1: response',
    );
  });
});

describe('texts of users', () => {
  const nasty = fc.array(
    fc.constantFrom('<|end|>', '<|assistant|>', '<|user|>', '<|pad|>', ' a ', '{{ x }}', '{query}', '😀\n'),
    {
      minLength: 1,
      maxLength: 5,
    },
  );

  test('never yield a special token or a template place, wherever they spell one', () => {
    fc.assert(
      fc.property(nasty, nasty, nasty, nasty, (query, response, itemQuery, itemText) => {
        const hostile: Example = {
          ...example,
          query: query.join(''),
          response: response.join(''),
          history: [{ id: 'h', query: itemQuery.join(''), text: itemText.join('') }],
        };
        const { withHistoryIds, withoutHistoryIds, responseIds } = promptPair(hostile, tokenizer, settings);
        for (const ids of [withHistoryIds, withoutHistoryIds])
          expect(ids.filter((id) => tokenizer.isSpecial(id))).toEqual([1, 3, 2]); // the chat template's own
        expect(responseIds.filter((id) => tokenizer.isSpecial(id))).toEqual([3]);
        for (const part of [hostile.query, hostile.history[0]!.query, hostile.history[0]!.text])
          expect(text(withHistoryIds)).toContain(part);
      }),
    );
  });
});

describe('the budget', () => {
  const whole = promptPair(example, tokenizer, settings);
  const tokens = (pair: typeof whole) => pair.withHistoryIds.length + pair.responseIds.length;

  test('takes the latest items at most', () => {
    const latest = promptPair(example, tokenizer, { ...settings, maxHistory: 1 });
    expect(latest.historyItemsUsed).toBe(1);
    expect(text(latest.withHistoryIds)).toContain('Trade grows.');
    expect(text(latest.withHistoryIds)).not.toContain('Roads');
    expect(promptPair(example, tokenizer, { ...settings, maxHistory: 0 }).hasHistory).toBe(false);
  });

  test('drops the oldest items until all fits, to the token, and keeps the response whole', () => {
    let previous = 4;
    for (let maxTokens = tokens(whole); ; maxTokens--) {
      const pair = promptPair(example, tokenizer, { ...settings, maxTokens });
      expect(tokens(pair)).toBeLessThanOrEqual(maxTokens);
      expect(pair.responseIds).toEqual(whole.responseIds);
      expect(pair.historyItemsUsed).toBeLessThanOrEqual(previous);
      if (pair.historyItemsUsed < 3) {
        const more = promptPair(example, tokenizer, { ...settings, maxHistory: pair.historyItemsUsed + 1 });
        expect(tokens(more)).toBeGreaterThan(maxTokens);
      }
      previous = pair.historyItemsUsed;
      if (!pair.hasHistory) {
        expect(pair.withHistoryIds).toEqual(pair.withoutHistoryIds);
        break;
      }
    }
  });

  test('a prompt that does not fit even without history is refused with its numbers', () => {
    const bare = whole.withoutHistoryIds.length + whole.responseIds.length;
    expect(promptPair(example, tokenizer, { ...settings, maxTokens: bare }).hasHistory).toBe(false);
    const short = { ...settings, maxTokens: bare - 1 };
    expect(() => promptPair(example, tokenizer, short)).toThrow(DataError);
    expect(() => promptPair(example, tokenizer, short)).toThrow(
      `example e1: prompt of ${whole.withoutHistoryIds.length} and response of ${whole.responseIds.length} tokens: expected at most ${bare - 1}`,
    );
  });
});

describe('a conversation before the query', () => {
  const earlier = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hello <|user|> there' },
    { role: 'assistant', content: 'Good day.' },
  ] as const;
  const room = { least: 1, most: 20 };

  test('stands in both prompts as it is, before the message with the history', () => {
    const pair = promptsFor({ ...example, earlier }, tokenizer, settings, room);
    const [withHistory, withoutHistory] = [text(pair.withHistoryIds), text(pair.withoutHistoryIds)];
    const plain = text(promptsFor(example, tokenizer, settings, room).withHistoryIds);
    const [before] = withHistory.split('Earlier texts by this user');
    expect(before).toMatch(/Be brief\.[\s\S]*Hello[\s\S]*Good day\./);
    expect(withoutHistory.startsWith(before!)).toBe(true);
    expect(withHistory.endsWith(plain.slice(plain.indexOf('Earlier texts')))).toBe(true);
    expect(pair.historyItemsUsed).toBe(3);
  });

  test('is text: what it spells is no markup', () => {
    const pair = promptsFor({ ...example, earlier }, tokenizer, settings, room);
    const user = tokenizer.encodeTemplate('<|user|>');
    const count = (ids: readonly number[]) => ids.filter((id) => id === user[0]).length;
    expect(user).toHaveLength(1);
    expect(count(pair.withHistoryIds)).toBe(2);
  });

  test('is refused in the words of a template that takes no such role', () => {
    const strict = { ...tokenizer, chatTemplate: "{{ raise_exception('no system role') }}" };
    expect(() => promptsFor({ ...example, earlier }, strict, settings, room)).toThrowError(
      expect.objectContaining({
        code: 'tokenizer/chat-template',
        message: expect.stringContaining('no system role'),
      }),
    );
  });
});

describe('a window of latest items whose start moves in steps', () => {
  // A user's ninth to sixteenth text, each with all before it.
  const items = Array.from({ length: 16 }, (_, i) => item(`day ${i}`, `Nothing of note on day ${i}.`));
  const targets = items.map(
    (_, place): Example => ({
      ...example,
      id: `t${place}`,
      history: items.slice(0, place),
    }),
  );
  const roomy = { ...settings, maxTokens: 2000, maxHistory: 8 };
  const shownOf = (target: Example, changes: Partial<PromptSettings>) =>
    promptPair(target, tokenizer, { ...roomy, ...changes }).shown.map(({ id }) => id);

  test('begins where the window of the text before began, until it moves by the stride', () => {
    const starts = (historyStride: number) =>
      targets.slice(8).map((target) => shownOf(target, { historyStride })[0]);
    expect(starts(1)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((day) => `day ${day}`));
    expect(starts(4)).toEqual([0, 4, 4, 4, 4, 8, 8, 8].map((day) => `day ${day}`));
    for (const target of targets) {
      const shown = shownOf(target, { historyStride: 4 });
      expect(shown).toEqual(target.history.slice(target.history.length - shown.length).map(({ id }) => id));
      expect(shown.length).toBeGreaterThanOrEqual(Math.min(target.history.length, 5));
    }
  });

  test('leaves the histories of others as they are cut', () => {
    const others = { history: items.slice(0, 9) };
    const pair = promptPair(targets[4]!, tokenizer, { ...roomy, historyStride: 8 }, others);
    expect(pair.historyItemsUsed).toBe(8);
  });

  test('is refused for items that form no window', () => {
    for (const changes of [{ historyStride: 4, retrieval: 'bm25' as const }, { historyStride: 0 }])
      expect(() => shownOf(targets[9]!, changes)).toThrow(expect.objectContaining({ code: 'prompt/stride' }));
  });
});
