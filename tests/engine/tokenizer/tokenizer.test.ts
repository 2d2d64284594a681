/** @file The tokenizer: ids, offsets and texts equal to Python's `tokenizers`; no user text becomes a special token. */
import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../../src/base/hash.ts';
import { createTokenizer, loadTokenizer, type Tokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import { checkTokenizerJson } from '../../../src/engine/tokenizer/tokenizer-json.ts';

const golden = (name: string) => fileURLToPath(new URL(`../../golden/${name}`, import.meta.url));
const readJson = async (file: string) => JSON.parse(await readFile(file, 'utf8'));

interface Encodings {
  patch: Record<string, unknown>;
  cases: { text: string; ids: number[]; starts: number[]; ends: number[]; decoded: string }[];
}

/** The tokenizer of a folder with the top-level parts of its tokenizer.json replaced. */
async function patched(folder: string, patch: Record<string, unknown>): Promise<Tokenizer> {
  const json = { ...(await readJson(join(golden(folder), 'tokenizer.json'))), ...patch };
  const configs = { tokenizer: { eos_token: '</s>' }, generation: { eos_token_id: 3 }, model: {} };
  return createTokenizer(checkTokenizerJson('tokenizer.json', json), {
    hash: '',
    configs,
    chatTemplate: undefined,
  });
}

const small = await loadTokenizer(golden('tokenizer-small'));
const fallback = await loadTokenizer(golden('tokenizer-fallback'));
const nfc = await patched('tokenizer-small', { normalizer: { type: 'NFC' } });

describe("Python's tokenizers", () => {
  test.each([
    ['byte-level BPE', 'tokenizer-small', 'tokenizer-small-encodings.json'],
    ['byte-level BPE with single digits', 'tokenizer-small', 'tokenizer-digits-encodings.json'],
    ["byte-level BPE cut as Llama 3's", 'tokenizer-small', 'tokenizer-llama3-encodings.json'],
    ["byte fallback without a prefix, as Gemma's", 'tokenizer-fallback', 'tokenizer-gemma-encodings.json'],
    [
      'BPE with a prefix space and bytes as a fallback',
      'tokenizer-fallback',
      'tokenizer-fallback-encodings.json',
    ],
  ])('%s gives the same ids, offsets and decoded texts', async (_, folder, file) => {
    const { patch, cases } = (await readJson(golden(file))) as Encodings;
    const tokenizer = await patched(folder, patch);
    expect(cases.length).toBeGreaterThan(150);
    for (const { text, ids, starts, ends, decoded } of cases) {
      const ours = tokenizer.encode(text);
      // A token of nothing but an inserted prefix spans nothing; Python's spans the text's first character.
      const isPrefix = ours.ends[0] === 0;
      expect(ours.ids, text).toEqual(ids);
      expect(ours.starts, text).toEqual(starts);
      expect(ours.ends, text).toEqual(isPrefix ? [0, ...ends.slice(1)] : ends);
      expect(tokenizer.decode(ids), text).toBe(decoded);
    }
  });

  test.each([
    ['NFC', 'tokenizer-nfc-encodings.json'],
    ["NFC and words cut as Qwen's", 'tokenizer-qwen-encodings.json'],
  ])('with %s the ids are the same, and offsets where the text is composed already', async (_, file) => {
    const { patch, cases } = (await readJson(golden(file))) as Encodings;
    const tokenizer = await patched('tokenizer-small', patch);
    let decomposed = 0;
    for (const { text, ids, starts, ends } of cases) {
      const ours = tokenizer.encode(text);
      expect(ours.ids, text).toEqual(ids);
      if (text === text.normalize('NFC')) expect({ ...ours }, text).toEqual({ ids, starts, ends });
      else decomposed++;
    }
    expect(decomposed).toBeGreaterThan(10);
  });

  test('the tokenizer of real texts covers what follows from its merges', () => {
    const text = 'Fellow-Citizens of the Senate and House of Representatives:';
    expect(small.encode(text).ids.length).toBeLessThan(25);
  });
});

describe('offsets', () => {
  const anyText = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'binary' }),
    fc.string({
      unit: fc.constantFrom('a', ' ', 'e', '\u0301', '\u0327', '\u1112', '\u1161', '\u11ab', '😀', '\n', '▁'),
    }),
  );

  test.each([
    ['byte-level', small],
    ['prefix space', fallback],
    ['NFC', nfc],
  ])('of any text cover it in order, characters whole (%s)', (_, tokenizer) => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { ids, starts, ends } = tokenizer.encode(text);
        expect(starts.length).toBe(ids.length);
        expect(ends.length).toBe(ids.length);
        let covered = 0;
        for (let t = 0; t < ids.length; t++) {
          expect(starts[t]!).toBeLessThanOrEqual(covered); // no gap; tokens of one character share its span
          expect(ends[t]!).toBeGreaterThanOrEqual(covered);
          expect(starts[t]!).toBeGreaterThanOrEqual(starts[t - 1] ?? 0);
          const splitsPair = (i: number) => /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(i - 1, i + 1));
          expect(splitsPair(starts[t]!) || splitsPair(ends[t]!)).toBe(false);
          covered = ends[t]!;
        }
        expect(covered).toBe(text.length);
      }),
      { numRuns: 300 },
    );
  });

  test('where a token holds whole characters its span is its text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { ids, starts, ends } = small.encode(text);
        ids.forEach((id, t) => {
          const token = small.tokenText(id);
          if (!token.includes('\ufffd')) expect(text.slice(starts[t], ends[t])).toBe(token);
        });
      }),
      { numRuns: 200 },
    );
  });

  test('an emoji of four byte tokens spans its two units each time', () => {
    const { ids, starts, ends } = small.encode('a😀b');
    expect(ids).toHaveLength(6);
    expect(starts).toEqual([0, 1, 1, 1, 1, 3]);
    expect(ends).toEqual([1, 3, 3, 3, 3, 4]);
  });

  // A composed character holds all that it was composed of: Python's offset ends after the letter.
  test('a character that normalisation composes spans its letter and its marks', () => {
    const { starts, ends } = nfc.encode('e\u0301x');
    expect([starts[0], ends.at(-2)]).toEqual([0, 2]);
    expect(starts.at(-1)).toBe(2);
  });

  test('every character that Unicode composes is composed, also between others', () => {
    const decomposed: string[] = [];
    for (let code = 0; code < 0x110000; code++) {
      if (code >= 0xd800 && code < 0xe000) continue;
      const character = String.fromCodePoint(code);
      if (character.normalize('NFD') !== character) decomposed.push(character.normalize('NFD'));
    }
    expect(decomposed.length).toBeGreaterThan(13_000);
    for (let i = 0; i < decomposed.length; i += 1000) {
      const text = decomposed.slice(i, i + 1000).join(i % 2000 === 0 ? '' : 'x');
      expect(nfc.decode(nfc.encode(text).ids)).toBe(text.normalize('NFC'));
    }
  });

  test('a leading space belongs to the word, also where it is written as a prefix character', () => {
    for (const tokenizer of [small, fallback]) {
      const { starts, ends } = tokenizer.encode('of the');
      expect('of the'.slice(starts.at(-1), ends.at(-1))).toBe(' the');
      expect(starts[0]).toBe(0);
    }
  });

  test('half of a surrogate pair is one character of one unit', () => {
    const { starts, ends } = small.encode('a\ud83db');
    expect([starts[1], ends.at(-2), starts.at(-1)]).toEqual([1, 2, 2]);
  });
});

describe('special tokens', () => {
  const spelled = ['<|pad|>', '<|user|>', '<|assistant|>', '<|end|>', '</s>', '<s>', '<unk>'];

  test("are never made of a user's text, wherever it spells them", () => {
    const pieces = fc.array(fc.oneof(fc.constantFrom(...spelled), fc.string({ maxLength: 4 })), {
      maxLength: 6,
    });
    for (const tokenizer of [small, nfc, fallback])
      fc.assert(
        fc.property(pieces, (parts) => {
          const text = parts.join('');
          const { ids } = tokenizer.encode(text);
          expect(ids.some((id) => tokenizer.isSpecial(id))).toBe(false);
          if (tokenizer === small) expect(tokenizer.decode(ids)).toBe(text);
        }),
      );
  });

  test('are recognised in the text of a template', () => {
    const ids = small.encodeTemplate('<|user|>hi<|end|>');
    expect(ids[0]).toBe(1);
    expect(ids.at(-1)).toBe(small.endOfTurnId);
    expect(ids.slice(1, -1)).toEqual(small.encode('hi').ids);
  });

  test('count only in the template of a mixed text, and the text between them is encoded as one', () => {
    const ids = small.encodeParts([
      { text: '<|user|>the ', isTemplate: true },
      { text: 'Senate<|end|>', isTemplate: false },
      { text: '<|end|>', isTemplate: true },
    ]);
    expect(ids).toEqual([1, ...small.encode('the Senate<|end|>').ids, small.endOfTurnId]);
  });

  // A vocabulary can hold a merge that spells a special token; user text must still not reach it.
  test('cannot be reached by merges either', async () => {
    const json = await readJson(join(golden('tokenizer-small'), 'tokenizer.json'));
    const merges = [...json.model.merges, ['<', '|'], ['<|', '>']];
    const vocab = { ...json.model.vocab, '<|': 1200, '<|>': 1201 };
    const added = [...json.added_tokens, { id: 1201, content: '<|>', special: true, normalized: false }];
    const tokenizer = await patched('tokenizer-small', {
      model: { ...json.model, merges, vocab },
      added_tokens: added,
    });
    expect(tokenizer.encode('<|>').ids).toEqual([1200, ...small.encode('>').ids]);
    expect(tokenizer.encodeTemplate('<|>')).toEqual([1201]);
  });

  test('that are not flagged but named by tokenizer_config.json are special too', async () => {
    const json = await readJson(join(golden('tokenizer-small'), 'tokenizer.json'));
    const unflagged = json.added_tokens.map((token: object) => ({ ...token, special: false }));
    const configs = { tokenizer: { eos_token: { content: '<|end|>' } }, generation: {}, model: {} };
    const checked = checkTokenizerJson('tokenizer.json', { ...json, added_tokens: unflagged });
    const tokenizer = createTokenizer(checked, { hash: '', configs, chatTemplate: undefined });
    expect(tokenizer.encode('<|end|>').ids).not.toContain(3);
    expect(tokenizer.encode('<|user|>').ids).toEqual([1]); // an added token that nothing calls special
  });

  test('end of turn, begin and pad follow the configuration', async () => {
    expect([small.endOfTurnId, small.beginId, small.padId]).toEqual([3, undefined, 0]);
    expect([fallback.endOfTurnId, fallback.beginId, fallback.padId]).toEqual([2, 1, 2]);
    expect((await patched('tokenizer-small', {})).endOfTurnId).toBe(3); // generation_config.json, as </s> is no token
  });

  test('generation ends at the end of a turn and at every end that the configuration names', async () => {
    const json = await readJson(join(golden('tokenizer-small'), 'tokenizer.json'));
    const ends = (generation: object, model: object) =>
      createTokenizer(checkTokenizerJson('tokenizer.json', json), {
        hash: '',
        configs: { tokenizer: { eos_token: '<|end|>' }, generation: { ...generation }, model: { ...model } },
        chatTemplate: undefined,
      }).endIds;
    expect(ends({ eos_token_id: [0, 3, -1, 'x'] }, { eos_token_id: 1 })).toEqual([3, 0]);
    expect(ends({}, { eos_token_id: 1 })).toEqual([3, 1]);
    expect(ends({}, {})).toEqual([3]);
  });
});

describe('ids that the model has no row for', () => {
  const withAdded = async (rows: number, special = true) => {
    const json = await readJson(join(golden('tokenizer-small'), 'tokenizer.json'));
    const added = [...json.added_tokens, { id: 1200, content: '<image>', special, normalized: false }];
    return createTokenizer(checkTokenizerJson('tokenizer.json', { ...json, added_tokens: added }), {
      hash: '',
      configs: { tokenizer: { eos_token: '<|end|>', pad_token: '<image>' }, generation: {}, model: {} },
      chatTemplate: undefined,
      rows,
    });
  };

  // Gemma 3's own tokenizer has one token more than its text models have rows, and was refused.
  test('are refused where a text or template yields them, and not before', async () => {
    const tokenizer = await withAdded(1200);
    expect(tokenizer.encode('an <image>').ids.every((id) => id < 1200)).toBe(true);
    expect(() => tokenizer.encodeTemplate('an <image>')).toThrow('(id 1200): expected one of');
    const plain = await withAdded(1200, false);
    expect(plain.encode('an image').ids.length).toBeGreaterThan(0);
    expect(tokenizer.padId).toBe(3); // what fills a batch needs a row too
    expect((await withAdded(1201)).encodeTemplate('<image>')).toEqual([1200]);
  });

  test('in the vocabulary itself make the tokenizer one of another model', async () => {
    await expect(withAdded(1199)).rejects.toMatchObject({ code: 'weights/tokenizer' });
  });
});

describe('a limit of tokens', () => {
  const texts = fc.string({ unit: fc.constantFrom('a', 'the ', 'x', ' ', '\n', '😀', 'é'), maxLength: 60 });

  test('cuts the encoding of longer texts, and changes no other', () => {
    fc.assert(
      fc.property(texts, fc.nat(12), (text, most) => {
        for (const tokenizer of [small, fallback, nfc]) {
          const { ids } = tokenizer.encode(text);
          const limited = tokenizer.encode(text, most).ids;
          if (ids.length <= most) expect(limited).toEqual(ids);
          else expect(limited.length).toBeGreaterThan(most);
          const parts = [
            { text: '<|user|>', isTemplate: true },
            { text, isTemplate: false },
          ];
          const whole = tokenizer.encodeParts(parts);
          const cut = tokenizer.encodeParts(parts, most);
          if (whole.length <= most) expect(cut).toEqual(whole);
          else expect(cut.length).toBeGreaterThan(most);
        }
      }),
      { numRuns: 200 },
    );
  });

  // A word of 5 MB took 2.3 GB.
  test('reads no more of one long word than shows that it is too long', () => {
    const word = 'Senate'.repeat(200_000);
    for (const tokenizer of [small, fallback]) {
      const { ids } = tokenizer.encode(word, 100);
      expect(ids.length).toBeGreaterThan(100);
      expect(ids.length).toBeLessThan(20_000);
    }
  });
});

describe('texts of tokens', () => {
  test('keep their leading space and show parts of characters as replacement characters', () => {
    expect(small.encode(' the').ids.map((id) => small.tokenText(id))).toEqual([' the']);
    expect(
      fallback
        .encode('the')
        .ids.map((id) => fallback.tokenText(id))
        .join(''),
    ).toBe(' the');
    expect(small.tokenText(small.encode('😀').ids[0]!)).toBe('\ufffd');
    expect(small.tokenText(3)).toBe('<|end|>');
  });

  test('decoding gives back any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(small.decode(small.encode(text).ids)).toBe(text);
        expect(fallback.decode(fallback.encode(text).ids)).toBe(text.replaceAll('▁', ' '));
      }),
    );
    expect(small.decode([])).toBe('');
  });

  test('an id that the tokenizer does not have is refused', () => {
    expect(small.vocabularySize).toBe(1200);
    expect(() => small.tokenText(1200)).toThrow('got 1200');
    expect(() => small.decode([0, -1])).toThrow('got -1');
  });
});

describe('loading', () => {
  const copy = async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nextquill-tokenizer-'));
    await cp(golden('tokenizer-small'), folder, { recursive: true });
    return folder;
  };

  test('the hash is that of tokenizer.json', async () => {
    expect(small.hash).toBe(sha256(await readFile(join(golden('tokenizer-small'), 'tokenizer.json'))));
  });

  test('chat_template.jinja goes before the template in tokenizer_config.json', async () => {
    const folder = await copy();
    await writeFile(
      join(folder, 'chat_template.jinja'),
      '{% for m in messages %}{{ m.content }}<|pad|>{% endfor %}',
    );
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.chatTemplate).toContain('<|pad|>');
    expect(tokenizer.endOfTurnId).toBe(0); // what the template writes after a response
  });

  // Only tokenizer_config.json was read: a template's bos_token rendered nothing.
  test('special_tokens_map.json names tokens too, unless tokenizer_config.json lists them itself', async () => {
    const folder = await copy();
    await writeFile(
      join(folder, 'special_tokens_map.json'),
      JSON.stringify({ bos_token: { content: '<|user|>' }, pad_token: '<|pad|>' }),
    );
    const template = '{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}';
    await writeFile(join(folder, 'chat_template.jinja'), template);
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.specialTokenTexts).toEqual({
      bos_token: '<|user|>',
      eos_token: '<|end|>',
      pad_token: '<|pad|>',
    });
    expect(tokenizer.warnings).toEqual([]);
    const config = { eos_token: '<|end|>', added_tokens_decoder: {} };
    await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
    const listed = await loadTokenizer(folder);
    expect(listed.specialTokenTexts).toEqual({ eos_token: '<|end|>' });
    expect(listed.warnings).toHaveLength(1);
    expect(listed.warnings[0]).toContain('bos_token');
  });

  test('a chat template that is neither a text nor named texts is refused', async () => {
    const folder = await copy();
    for (const chat_template of [[null], 5, [{ name: 'default' }]]) {
      await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify({ chat_template }));
      await expect(loadTokenizer(folder)).rejects.toMatchObject({ code: 'tokenizer/chat-template' });
    }
  });

  // These ended in errors of the library or of JavaScript.
  test('parts of another form are refused by name', async () => {
    const json = await readJson(join(golden('tokenizer-small'), 'tokenizer.json'));
    for (const [patch, part] of [
      [{ model: { ...json.model, merges: [5] } }, 'model.merges[0]'],
      [{ model: { ...json.model, unk_token: '?none' } }, 'model.unk_token'],
      [{ model: { ...json.model, dropout: 0.1 } }, 'model.dropout'],
      [{ decoder: { type: 'a' } }, 'decoder'],
      [{ decoder: { type: 'Sequence', decoders: {} } }, 'decoder.decoders'],
      [{ decoder: 5 }, 'decoder'],
      [{ normalizer: { type: 'Sequence', normalizers: [null] } }, 'normalizer.normalizers'],
      [{ normalizer: { type: 'Replace', pattern: null, content: '' } }, 'normalizer.pattern'],
      [{ pre_tokenizer: { type: 'Sequence', pretokenizers: 5 } }, 'pre_tokenizer.pretokenizers'],
    ] as const) {
      const loading = patched('tokenizer-small', patch);
      await expect(loading, part).rejects.toMatchObject({ code: 'tokenizer/unsupported' });
      await expect(loading, part).rejects.toThrow(`: ${part}: expected`);
    }
  });

  test('without tokenizer_config.json the usual names are looked for', async () => {
    const folder = await copy();
    await rm(join(folder, 'tokenizer_config.json'));
    expect((await loadTokenizer(folder)).endOfTurnId).toBe(3); // <|end|>
  });

  test('a missing, cut or foreign tokenizer.json is refused by name', async () => {
    const folder = await copy();
    const file = join(folder, 'tokenizer.json');
    await truncate(file, 1000);
    await expect(loadTokenizer(folder)).rejects.toThrow(`${file}: expected JSON`);
    for (const type of ['WordPiece', 'Unigram']) {
      await writeFile(file, JSON.stringify({ model: { type, vocab: {} } }));
      await expect(loadTokenizer(folder)).rejects.toThrow(`expected BPE, got "${type}"`);
    }
    await rm(file);
    await expect(loadTokenizer(folder)).rejects.toThrow(`${file}: expected a file, got none`);
  });

  test('a broken chat template and an unsupported normalizer are refused', async () => {
    const folder = await copy();
    await writeFile(join(folder, 'chat_template.jinja'), '{% for %}');
    await expect(loadTokenizer(folder)).rejects.toThrow('chat template: expected one that renders');
    await expect(patched('tokenizer-small', { normalizer: { type: 'BertNormalizer' } })).rejects.toThrow(
      'BertNormalizer',
    );
    for (const part of [
      { type: 'Punctuation', behavior: 'Isolated' },
      { type: 'Split', pattern: { Regex: 'a' }, behavior: 'Sideways' },
      { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' },
      { type: 'Sequence', pretokenizers: [{ type: 'ByteLevel' }, { type: 'Digits' }] },
    ])
      await expect(patched('tokenizer-small', { pre_tokenizer: part })).rejects.toMatchObject({
        code: 'tokenizer/unsupported',
      });
  });

  test('a text with a character that the vocabulary lacks is refused, not shortened', async () => {
    const json = await readJson(join(golden('tokenizer-small'), 'tokenizer.json'));
    const { q: _, ...vocab } = json.model.vocab;
    const tokenizer = await patched('tokenizer-small', { model: { ...json.model, vocab } });
    expect(() => tokenizer.encode('zq')).toThrow('expected tokens that spell "zq"');
  });
});
