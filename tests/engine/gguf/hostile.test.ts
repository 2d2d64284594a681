/** @file Hostile and damaged GGUF files: an error that names the file and the place, never a crash or a giant allocation. */
import { readFileSync } from 'node:fs';
import { mkdtemp, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeightsError } from '../../../src/base/errors.ts';
import { parseHeader } from '../../../src/engine/gguf/header.ts';
import { modelFolderOfGguf } from '../../../src/engine/gguf/model-folder-of.ts';
import { openGguf } from '../../../src/engine/gguf/open-gguf.ts';
import { type GgufParts, ggufBytes, type MetadataToWrite, rewrittenGguf } from '../../support/gguf-bytes.ts';

const whole = new Uint8Array(readFileSync(resolve(import.meta.dirname, '../../golden/gguf/llama.gguf')));
const headerBytes = Math.min(
  ...[...parseHeader('llama.gguf', whole, whole.length).tensors.values()].map(({ byteOffset }) => byteOffset),
);

const folder = mkdtemp(join(tmpdir(), 'nextquill-hostile-'));
let count = 0;
async function written(bytes: Uint8Array): Promise<string> {
  const path = join(await folder, `${count++}.gguf`);
  await writeFile(path, bytes);
  return path;
}

const one = { name: 't', sizes: [4n], type: 0, offset: 0n };

describe('a header that lies', () => {
  const cases: readonly (readonly [what: string, parts: GgufParts, message: RegExp])[] = [
    ['another format', { magic: 'GGML' }, /begins with GGUF/],
    ['another version', { version: 1 }, /version 2 or 3, got 1/],
    ['big-endian numbers', { version: 3 << 24 }, /little-endian/],
    ['countless tensors', { tensorCount: 2n ** 62n }, /tensors that fit/],
    ['countless keys', { keyCount: 2n ** 40n }, /metadata keys that fit/],
    [
      'a key twice',
      {
        metadata: [
          ['a', 4, 1],
          ['a', 4, 2],
        ],
      },
      /"a": expected each key once/,
    ],
    ['a list of lists', { metadata: [['a', 9, [9, 1n]]] }, /"a": .*list of lists/],
    [
      'a list too long for the file',
      { metadata: [['a', 9, [8, 2n ** 50n]]] },
      /"a": expected values that fit/,
    ],
    ['a text too long for the file', { metadata: [['a', 8, 2n ** 33n]] }, /"a": expected 8589934592 bytes/],
    ['an unknown kind of value', { metadata: [['a', 77, 0]] }, /"a": .*kind from 0 to 12, got 77/],
    ['an odd alignment', { metadata: [['general.alignment', 4, 48]] }, /"general.alignment": .*power of two/],
    [
      'an alignment of zero',
      { metadata: [['general.alignment', 4, 0]] },
      /"general.alignment": .*power of two/,
    ],
    ['a name twice', { tensors: [one, { ...one, offset: 32n }] }, /"t": expected each name once/],
    [
      'too many dimensions',
      { tensors: [{ ...one, sizes: [1n, 1n, 1n, 1n, 1n] }] },
      /"t": .*dimensions, got 5/,
    ],
    ['sizes beyond all memory', { tensors: [{ ...one, sizes: [2n ** 40n, 2n ** 40n] }] }, /"t": .*product/],
    ['an empty tensor', { tensors: [{ ...one, sizes: [0n] }] }, /"t": .*product/],
    ['a format that we do not read', { tensors: [{ ...one, type: 10 }] }, /"t": .*got Q2_K/],
    [
      'a format that nobody knows',
      { tensors: [{ ...one, type: 4_000_000_000 }] },
      /"t": .*got type 4000000000/,
    ],
    ['rows of half a block', { tensors: [{ ...one, type: 2 }] }, /"t": .*multiple of 32 values for Q4_0/],
    ['an offset between', { tensors: [{ ...one, offset: 8n }] }, /"t": .*multiple of 32, got 8/],
    ['an offset outside', { tensors: [{ ...one, offset: 2n ** 63n }] }, /"t": .*file of/],
    ['bytes outside', { tensors: [{ ...one, sizes: [2n ** 40n] }] }, /"t": .*file of/],
    [
      'overlapping tensors',
      {
        tensors: [
          { ...one, sizes: [32n] },
          { ...one, name: 'u', offset: 32n },
        ],
      },
      /"u": .*overlap/,
    ],
  ];

  it.each(cases)('%s', async (_what, parts, message) => {
    const path = await written(ggufBytes({ data: new Uint8Array(256), ...parts }));
    const opening = openGguf(path);
    await expect(opening).rejects.toBeInstanceOf(WeightsError);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toThrow(path);
  });

  it('with a list of single bytes as long as a large file is refused before the list is made', () => {
    const start = ggufBytes({ metadata: [['a', 9, [0, 2n ** 25n]]] });
    expect(() => parseHeader('long.gguf', start, 2 ** 30)).toThrow(
      /long\.gguf: metadata "a": expected a list of at most 16777216 values, got 33554432/,
    );
  });

  it('with more tensors than any model has is refused before their list is made', () => {
    const start = ggufBytes({ tensorCount: 2n ** 20n });
    expect(() => parseHeader('many.gguf', start, 2 ** 30)).toThrow(
      /many\.gguf: expected at most 65536 tensors, got 1048576/,
    );
  });

  it('is not believed for want of bytes: a long header is read in steps', async () => {
    const long = 'x'.repeat(5 << 20);
    const file = await openGguf(await written(ggufBytes({ metadata: [['a', 8, long]] })));
    expect(file.metadata.get('a')).toBe(long);
  });
});

describe('a damaged file', () => {
  it('cut anywhere is an error that says so', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length - 1 }), (length) => {
        const cut = whole.subarray(0, length);
        expect(() => parseHeader('cut.gguf', cut, length)).toThrow(/cut\.gguf: /);
      }),
      { numRuns: 300 },
    );
  });

  it('with bytes changed in its header is read, or refused as a WeightsError that names it', () => {
    const change = fc.record({
      at: fc.integer({ min: 0, max: headerBytes - 1 }),
      to: fc.integer({ min: 0, max: 255 }),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const damaged = whole.slice();
        for (const { at, to } of changes) damaged[at] = to;
        let tensors: ReturnType<typeof parseHeader>['tensors'];
        try {
          ({ tensors } = parseHeader('damaged.gguf', damaged, damaged.length));
        } catch (error) {
          expect(error).toBeInstanceOf(WeightsError);
          expect(String(error)).toContain('damaged.gguf');
          return;
        }
        for (const { byteOffset, byteLength } of tensors.values())
          expect(byteOffset + byteLength).toBeLessThanOrEqual(damaged.length);
      }),
      { numRuns: 500 },
    );
  });

  it('with a word of its header changed becomes a model, or is refused before anything is written', async () => {
    const at = fc.integer({ min: 0, max: 700 });
    const to = fc.constantFrom(0, 1, 0x7fffffff, 0xffffffff);
    const cache = join(await folder, 'cache');
    await fc.assert(
      fc.asyncProperty(at, to, async (position, word) => {
        const damaged = whole.slice();
        new DataView(damaged.buffer).setUint32(position, word, true);
        const path = await written(damaged);
        const result = await modelFolderOfGguf(path, cache).catch((error: unknown) => error);
        if (typeof result !== 'string') {
          expect(result).toBeInstanceOf(WeightsError);
          expect(String(result)).toContain(path);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('that has lost its end says so', async () => {
    const path = await written(whole);
    await truncate(path, whole.length - 100);
    await expect(openGguf(path)).rejects.toMatchObject({ code: 'weights/truncated' });
  });
});

describe('metadata that do not fit the tensors', () => {
  const edited = (edit: (metadata: Map<string, MetadataToWrite>) => void) =>
    written(rewrittenGguf(whole, edit));
  const cases: readonly (readonly [string, string, MetadataToWrite | undefined, RegExp])[] = [
    [
      'an unknown architecture',
      'general.architecture',
      ['general.architecture', 8, 'rwkv'],
      /general.architecture: expected one of llama, .*got "rwkv"/,
    ],
    ['a missing size', 'llama.block_count', undefined, /"llama.block_count": expected a number, got none/],
    [
      'a text for a number',
      'llama.block_count',
      ['llama.block_count', 8, 'two'],
      /"llama.block_count": expected a number, got two/,
    ],
    [
      'another width',
      'llama.embedding_length',
      ['llama.embedding_length', 4, 64],
      /of shape \[.*64.*\], got one of shape/,
    ],
    [
      'more layers than there are',
      'llama.block_count',
      ['llama.block_count', 4, 3],
      /model\.layers\.2.* got none/,
    ],
    [
      'fewer layers than there are',
      'llama.block_count',
      ['llama.block_count', 4, 1],
      /"blk\.1\..*": expected none by the file's metadata, got one for model\.layers\.1/,
    ],
    [
      'experts',
      'llama.expert_count',
      ['llama.expert_count', 4, 8],
      /llama.expert_count: expected a dense model/,
    ],
    [
      'half a rotation',
      'llama.rope.dimension_count',
      ['llama.rope.dimension_count', 4, 4],
      /rope.dimension_count: expected the head size 8, got 4/,
    ],
    [
      'an unknown scaling',
      'llama.rope.scaling.type',
      ['llama.rope.scaling.type', 8, 'su'],
      /rope.scaling.type: .*got "su"/,
    ],
    [
      'an unknown tokenizer',
      'tokenizer.ggml.model',
      ['tokenizer.ggml.model', 8, 'rwkv'],
      /tokenizer.ggml.model: expected gpt2/,
    ],
    [
      'an unknown way to cut words',
      'tokenizer.ggml.pre',
      ['tokenizer.ggml.pre', 8, 'poro'],
      /tokenizer.ggml.pre: expected one of .*got poro/,
    ],
    [
      'kinds of other tokens',
      'tokenizer.ggml.token_type',
      ['tokenizer.ggml.token_type', 9, [1, 1]],
      /token_type: expected 460 of them/,
    ],
    [
      'an end of turn that is no token',
      'tokenizer.ggml.eot_token_id',
      ['tokenizer.ggml.eot_token_id', 4, 460],
      /eot_token_id: expected one of 460 tokens, got 460/,
    ],
    [
      'a broken merge',
      'tokenizer.ggml.merges',
      ['tokenizer.ggml.merges', 9, ['ab']],
      /merges: expected two parts/,
    ],
  ];

  it.each(cases)('%s: the key is named', async (_what, key, replacement, message) => {
    const path = await edited((metadata) => {
      if (replacement === undefined) metadata.delete(key);
      else metadata.set(key, replacement);
    });
    const reading = modelFolderOfGguf(path, join(await folder, 'cache'));
    await expect(reading).rejects.toBeInstanceOf(WeightsError);
    await expect(reading).rejects.toThrow(message);
  });

  it('nothing edited is still the model', async () => {
    const path = await edited(() => {});
    expect(await modelFolderOfGguf(path, join(await folder, 'cache'))).toContain('gguf-');
  });
});
