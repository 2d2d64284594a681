/** @file GGUF's number formats: every bit pattern of random blocks becomes the f32 that ggml's Python package makes of it. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  blockFormat,
  formatName,
  readableFormats,
  readBlocks,
} from '../../../src/engine/gguf/block-formats.ts';

interface Golden {
  formats: Record<string, { type: number; blocks: string; values: string }>;
}

const golden = JSON.parse(
  readFileSync(join(resolve(import.meta.dirname, '../../golden'), 'gguf-blocks.json'), 'utf8'),
) as Golden;

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));

/** Bits, with all NaN alike. */
const bitsOf = (values: Float32Array) =>
  Array.from(new Uint32Array(values.buffer, values.byteOffset, values.length), (bits, i) =>
    Number.isNaN(values[i]) ? 'NaN' : bits,
  );

describe('GGUF number formats', () => {
  it('have a golden for every format that we read', () => {
    expect(Object.keys(golden.formats).sort()).toEqual([...readableFormats].sort());
  });

  it.each(Object.entries(golden.formats))(
    '%s: the values of random blocks are equal bit for bit',
    (name, made) => {
      const format = blockFormat(made.type)!;
      const blocks = bytesOf(made.blocks);
      const values = new Float32Array((blocks.length / format.blockBytes) * format.blockValues);
      readBlocks(format, blocks, values);
      expect(format.name).toBe(name);
      expect(bitsOf(values)).toEqual(bitsOf(new Float32Array(bytesOf(made.values).buffer)));
    },
  );

  it('that we do not read are still called by their names', () => {
    expect(blockFormat(10)).toBeUndefined();
    expect([10, 23, 250].map(formatName)).toEqual(['Q2_K', 'IQ4_XS', 'type 250']);
  });
});
