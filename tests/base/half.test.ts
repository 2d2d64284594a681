/** @file Half precision: every f16 and bf16, and every rounding boundary between two of them. */
import { expect, test } from 'vitest';
import {
  bf16FromF32,
  bf16FromNumber,
  bf16ToNumber,
  f16FromF32,
  f16FromNumber,
  f16ToNumber,
  f32FromBf16,
  f32FromF16,
} from '../../src/base/half.ts';

const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
const bitsOf = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0]!;
const fromBits = (bits: number) => new Float32Array(Uint32Array.of(bits).buffer)[0]!;

test('every f16 has the value that its sign, exponent and fraction say', () => {
  const values = new Float32Array(65536);
  f32FromF16(all, values);
  expect(values[0x3c00]).toBe(1);
  expect(values[0x7bff]).toBe(65504);
  expect(values[0x0001]).toBe(2 ** -24);
  expect(values[0xc000]).toBe(-2);
  expect(Object.is(values[0x8000], -0)).toBe(true);
  expect(values[0x7c00]).toBe(Number.POSITIVE_INFINITY);
  let different = 0;
  for (let bits = 0; bits < 65536; bits++) if (!Object.is(values[bits], f16ToNumber(bits))) different++;
  expect(different).toBe(0);
  const steps = values.subarray(0, 0x7c01);
  expect(steps.every((value, i) => i === 0 || value > steps[i - 1]!)).toBe(true);
});

test('every f16 and bf16 survives the way through f32, NaN as NaN of the same sign', () => {
  for (const [widen, narrow, firstNaN] of [
    [f32FromF16, f16FromF32, 0x7c01],
    [f32FromBf16, bf16FromF32, 0x7f81],
  ] as const) {
    const values = new Float32Array(65536);
    const back = new Uint16Array(65536);
    widen(all, values);
    narrow(values, back);
    let wrong = 0;
    for (let bits = 0; bits < 65536; bits++) {
      const isPayload = (bits & 0x7fff) >= firstNaN;
      const fine = isPayload
        ? Number.isNaN(values[bits]) && (back[bits]! & 0x7fff) >= firstNaN && back[bits]! >> 15 === bits >> 15
        : back[bits] === bits;
      if (!fine) wrong++;
    }
    expect(wrong).toBe(0);
  }
});

test('between any two neighbours the nearer one is taken, and the even one in the middle', () => {
  for (const [toNumber, fromNumber, infinity, beyond] of [
    [f16ToNumber, f16FromNumber, 0x7c00, 65536],
    [bf16ToNumber, bf16FromNumber, 0x7f80, 2 ** 128],
  ] as const) {
    let wrong = 0;
    for (const sign of [1, -1]) {
      const signBit = sign === 1 ? 0 : 0x8000;
      for (let bits = 0; bits < infinity; bits++) {
        const next = bits + 1 === infinity ? beyond : toNumber(bits + 1);
        const middle = (toNumber(bits) + next) / 2; // exact: doubles hold it, and so does f32 (one bit more)
        const even = bits % 2 === 0 ? bits : bits + 1;
        const below = fromBits(bitsOf(middle) - 1);
        const above = fromBits(bitsOf(middle) + 1);
        if (fromNumber(sign * middle) !== (signBit | even)) wrong++;
        if (fromNumber(sign * below) !== (signBit | bits)) wrong++;
        if (fromNumber(sign * above) !== (signBit | (bits + 1))) wrong++;
      }
    }
    expect(wrong).toBe(0);
  }
});

test('values beyond the largest f16 become infinity, below half of the smallest zero', () => {
  expect(f16FromNumber(1e30)).toBe(0x7c00);
  expect(f16FromNumber(Number.NEGATIVE_INFINITY)).toBe(0xfc00);
  expect(f16FromNumber(2 ** -26)).toBe(0);
  expect(f16FromNumber(-(2 ** -149))).toBe(0x8000);
});
