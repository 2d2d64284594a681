/** @file The number formats of GGUF tensors: how many values a block holds in how many bytes, and how it becomes f32. */
import { f16ToNumber } from '../../base/half.ts';

/** A format whose values we can read. */
export interface BlockFormat {
  readonly name: string;
  /** Values of one block; a row is a whole number of blocks. */
  readonly blockValues: number;
  readonly blockBytes: number;
  /**
   * Writes the values of one block: the same f32, bit for bit, as ggml's own reading.
   * @param bytes holds the block at `at`
   * @param target f32, written from `to` on
   */
  readonly read: (bytes: DataView, at: number, target: Float32Array, to: number) => void;
}

const f16 = (bytes: DataView, at: number) => f16ToNumber(bytes.getUint16(at, true));

/** 4 bits: 16 bytes hold values 0 to 15 in their low halves, 16 to 31 in their high ones. */
function nibbles(bytes: DataView, at: number, i: number): number {
  const byte = bytes.getUint8(at + (i & 15));
  return i < 16 ? byte & 15 : byte >>> 4;
}

function simple(name: string, blockBytes: number, read: (bytes: DataView, at: number) => number) {
  const one: BlockFormat['read'] = (bytes, at, target, to) => {
    target[to] = read(bytes, at);
  };
  return { name, blockValues: 1, blockBytes, read: one };
}

/** 32 values with one scale and, where `hasMinimum`, one value that zero stands for; else zero is the middle. */
function legacy(name: string, bits: 4 | 5, hasMinimum: boolean): BlockFormat {
  const head = hasMinimum ? 4 : 2;
  const lows = head + (bits === 5 ? 4 : 0);
  return {
    name,
    blockValues: 32,
    blockBytes: lows + 16,
    read: (bytes, at, target, to) => {
      const scale = f16(bytes, at);
      const minimum = hasMinimum ? f16(bytes, at + 2) : 0;
      const middle = hasMinimum ? 0 : 1 << (bits - 1);
      const fifth = bits === 5 ? bytes.getUint32(at + head, true) : 0;
      for (let i = 0; i < 32; i++) {
        const value = nibbles(bytes, at + lows, i) | (((fifth >>> i) & 1) << 4);
        const scaled = scale * (value - middle);
        target[to + i] = hasMinimum ? scaled + minimum : scaled; // a sum with 0 would lose the sign of -0
      }
    },
  };
}

/** Scale and minimum, 6 bits each, of one of the 8 groups of a K block; 12 bytes hold all of them. */
function groupScale(bytes: DataView, at: number, group: number): { scale: number; minimum: number } {
  const byte = (i: number) => bytes.getUint8(at + i);
  if (group < 4) return { scale: byte(group) & 63, minimum: byte(group + 4) & 63 };
  const rest = byte(group + 4);
  return {
    scale: (rest & 15) | ((byte(group - 4) >>> 6) << 4),
    minimum: (rest >>> 4) | ((byte(group) >>> 6) << 4),
  };
}

/** 256 values in 8 groups of 32, each with a scale and a minimum that are themselves scaled. */
function grouped(name: string, bits: 4 | 5): BlockFormat {
  const highs = 16;
  const lows = highs + (bits === 5 ? 32 : 0);
  return {
    name,
    blockValues: 256,
    blockBytes: lows + 128,
    read: (bytes, at, target, to) => {
      const scale = f16(bytes, at);
      const minimum = f16(bytes, at + 2);
      for (let group = 0; group < 8; group++) {
        const own = groupScale(bytes, at + 4, group);
        const factor = scale * own.scale;
        const less = minimum * own.minimum;
        const from = at + lows + (group >>> 1) * 32;
        for (let i = 0; i < 32; i++) {
          const low = (bytes.getUint8(from + i) >>> ((group & 1) * 4)) & 15;
          const high = bits === 5 ? ((bytes.getUint8(at + highs + i) >>> group) & 1) << 4 : 0;
          target[to + group * 32 + i] = factor * (low | high) - less;
        }
      }
    },
  };
}

const q8: BlockFormat = {
  name: 'Q8_0',
  blockValues: 32,
  blockBytes: 34,
  read: (bytes, at, target, to) => {
    const scale = f16(bytes, at);
    for (let i = 0; i < 32; i++) target[to + i] = scale * bytes.getInt8(at + 2 + i);
  },
};

/** 256 values of 6 bits in 16 groups of 16: 128 bytes of low halves, 64 of high quarters, 16 scales, one scale of scales. */
const q6: BlockFormat = {
  name: 'Q6_K',
  blockValues: 256,
  blockBytes: 210,
  read: (bytes, at, target, to) => {
    const scale = f16(bytes, at + 208);
    for (let i = 0; i < 256; i++) {
      const half = i >>> 7;
      const quarter = (i >>> 5) & 3;
      const low = bytes.getUint8(at + half * 64 + (i & 63)) >>> ((quarter >>> 1) * 4);
      const high = bytes.getUint8(at + 128 + half * 32 + (i & 31)) >>> (quarter * 2);
      const value = ((low & 15) | ((high & 3) << 4)) - 32;
      target[to + i] = scale * bytes.getInt8(at + 192 + (i >>> 4)) * value;
    }
  },
};

const word = new DataView(new ArrayBuffer(4));

/** The formats by the number that stands for them in a file. */
const formats: Readonly<Record<number, BlockFormat>> = {
  0: simple('F32', 4, (bytes, at) => bytes.getFloat32(at, true)),
  1: simple('F16', 2, f16),
  2: legacy('Q4_0', 4, false),
  3: legacy('Q4_1', 4, true),
  6: legacy('Q5_0', 5, false),
  7: legacy('Q5_1', 5, true),
  8: q8,
  12: grouped('Q4_K', 4),
  13: grouped('Q5_K', 5),
  14: q6,
  30: simple('BF16', 2, (bytes, at) => {
    word.setUint32(0, bytes.getUint16(at, true) << 16);
    return word.getFloat32(0);
  }),
};

/** Names of formats that other programs write and we do not read. */
const otherNames: Readonly<Record<number, string>> = {
  9: 'Q8_1',
  10: 'Q2_K',
  11: 'Q3_K',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  24: 'I8',
  25: 'I16',
  26: 'I32',
  27: 'I64',
  28: 'F64',
  29: 'IQ1_M',
  34: 'TQ1_0',
  35: 'TQ2_0',
  39: 'MXFP4',
};

/** The format of a number in a file; undefined where we do not read it. */
export function blockFormat(type: number): BlockFormat | undefined {
  return Object.hasOwn(formats, type) ? formats[type] : undefined;
}

/** What people call a format, for messages. */
export function formatName(type: number): string {
  return blockFormat(type)?.name ?? otherNames[type] ?? `type ${type}`;
}

/** Names of all formats that we read. */
export const readableFormats: readonly string[] = Object.values(formats).map(({ name }) => name);

/**
 * The f32 values of whole blocks.
 * @param bytes n blocks
 * @param target f32[n · blockValues], written
 */
export function readBlocks(format: BlockFormat, bytes: Uint8Array, target: Float32Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { blockBytes, blockValues, read } = format;
  for (let block = 0; block * blockBytes < bytes.byteLength; block++)
    read(view, block * blockBytes, target, block * blockValues);
}
