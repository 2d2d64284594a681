/** @file Pipelines put together at random give the ids and texts of Python's `tokenizers`, or are refused by name (tests/golden/make/tokenizer-pipelines.py). */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WeightsError } from '../../../src/base/errors.ts';
import { createTokenizer, type Tokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import { checkTokenizerJson } from '../../../src/engine/tokenizer/tokenizer-json.ts';

const folder = resolve(import.meta.dirname, '../../golden');
const readJson = (...name: string[]) => JSON.parse(readFileSync(join(folder, ...name), 'utf8'));

interface Pipeline {
  readonly base: 'tokenizer-small' | 'tokenizer-fallback' | 'unknown';
  readonly patch: { readonly pre_tokenizer: { readonly pretokenizers?: readonly { type: string }[] } };
  readonly model: object;
  readonly ids: readonly (readonly number[])[];
  readonly decoded: readonly string[];
}
const golden = readJson('tokenizer-pipelines.json') as { texts: string[]; pipelines: Pipeline[] };
const bases = {
  'tokenizer-small': readJson('tokenizer-small', 'tokenizer.json'),
  'tokenizer-fallback': readJson('tokenizer-fallback', 'tokenizer.json'),
  unknown: readJson('tokenizer-fallback', 'tokenizer.json'),
};

function tokenizerOf({ base, patch, model }: Omit<Pipeline, 'ids' | 'decoded'>): Tokenizer {
  const json = { ...bases[base], ...patch, model: { ...bases[base].model, ...model } };
  return createTokenizer(checkTokenizerJson('tokenizer.json', json), {
    hash: '',
    configs: {
      tokenizer: { eos_token: base === 'tokenizer-small' ? '<|end|>' : '</s>' },
      generation: {},
      model: {},
    },
    chatTemplate: undefined,
  });
}

const isBytesInside = ({ patch }: Pipeline) => {
  const types = (patch.pre_tokenizer.pretokenizers ?? []).map(({ type }) => type);
  return types.includes('ByteLevel') && types.at(-1) !== 'ByteLevel';
};

describe("Python's tokenizers", () => {
  // Metaspace behind another part was left out, a Split on " " was taken for idle, unknown white space was out of place.
  it.each(
    golden.pipelines
      .filter((each) => !isBytesInside(each))
      .map((each) => [JSON.stringify(each.patch), each] as const),
  )('gives the same ids and texts: %s', (_, pipeline) => {
    const tokenizer = tokenizerOf(pipeline);
    for (const [i, text] of golden.texts.entries()) {
      const { ids, starts, ends } = tokenizer.encode(text);
      expect(ids, JSON.stringify(text)).toEqual(pipeline.ids[i]);
      expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(pipeline.decoded[i]);
      for (let t = 0; t < ids.length; t++) {
        expect(starts[t]!).toBeGreaterThanOrEqual(starts[t - 1] ?? 0);
        expect(ends[t]!).toBeGreaterThanOrEqual(starts[t]!);
        expect(ends[t]!).toBeLessThanOrEqual(text.length);
      }
    }
  });

  it('does more behind ByteLevel, which is refused by name', () => {
    const refused = golden.pipelines.filter(isBytesInside);
    expect(refused.length).toBeGreaterThan(2);
    for (const pipeline of refused) {
      expect(() => tokenizerOf(pipeline)).toThrow(WeightsError);
      expect(() => tokenizerOf(pipeline)).toThrow('ByteLevel as the last part');
    }
  });
});

describe('Metaspace', () => {
  const tokenizer = (scheme: string) =>
    tokenizerOf({
      base: 'tokenizer-fallback',
      patch: {
        normalizer: null,
        pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: scheme },
      } as never,
      model: {},
    });

  // The text behind a special token of the template got a prefix, as if it began the prompt.
  it('with the scheme first puts none behind a special token', () => {
    const parts = [
      { text: '<s>', isTemplate: true },
      { text: 'the', isTemplate: false },
    ];
    const texts = (scheme: string) => {
      const { encodeParts, tokenText } = tokenizer(scheme);
      return encodeParts(parts).map(tokenText).join('|');
    };
    expect(texts('always')).toBe('<s>| the');
    expect(texts('first')).toBe(texts('never'));
    expect(tokenizer('first').encode('the')).toEqual(tokenizer('always').encode('the'));
  });
});
