/** @file The two 16-bit float formats of model weights, f16 (IEEE 754 binary16) and bf16, to and from f32. */

const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

/** The f32 value of one f16, exact. */
export function f16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/**
 * The f16 nearest to an f32, ties to even; beyond the largest f16 (65504 and half a step) infinity, NaN stays NaN.
 * @param value an f32; any other number is rounded to f32 first
 * @returns 16 bits
 */
export function f16FromNumber(value: number): number {
  floatView[0] = value;
  return f16Bits(bitsView[0]!);
}

/**
 * The bf16 nearest to an f32, ties to even; NaN stays NaN.
 * @param value an f32; any other number is rounded to f32 first
 * @returns 16 bits
 */
export function bf16FromNumber(value: number): number {
  floatView[0] = value;
  return bf16Bits(bitsView[0]!);
}

/** The f32 value of one bf16, exact. */
export function bf16ToNumber(bits: number): number {
  bitsView[0] = bits << 16;
  return floatView[0]!;
}

/**
 * Converts f16 to f32, exactly.
 * @param source u16[n], the bits
 * @param target f32[n], written
 */
export function f32FromF16(source: Uint16Array, target: Float32Array): void {
  const table = f16Table();
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < source.length; i++) bits[i] = table[source[i]!]!;
}

/**
 * Converts bf16 to f32, exactly.
 * @param source u16[n], the bits
 * @param target f32[n], written
 */
export function f32FromBf16(source: Uint16Array, target: Float32Array): void {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16;
}

/**
 * Rounds f32 to f16, ties to even.
 * @param source f32[n]
 * @param target u16[n], written
 */
export function f16FromF32(source: Float32Array, target: Uint16Array): void {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) target[i] = f16Bits(bits[i]!);
}

/**
 * Rounds f32 to bf16, ties to even.
 * @param source f32[n]
 * @param target u16[n], written
 */
export function bf16FromF32(source: Float32Array, target: Uint16Array): void {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) target[i] = bf16Bits(bits[i]!);
}

function f16Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  // NaN: keep the top of the payload, made quiet so that it cannot turn into infinity.
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= 0x47800000) return sign | 0x7c00; // from 65536 on, infinity included
  if (magnitude >= 0x38800000) {
    // Normal: rebias the exponent from 127 to 15; a carry out of the fraction rightly raises the exponent.
    const rebiased = magnitude - 0x38000000;
    return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
  }
  if (magnitude <= 0x33000000) return sign; // up to half of the smallest subnormal, the tie goes to even zero
  const shift = 126 - (magnitude >>> 23);
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const kept = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}

function bf16Bits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

let table: Uint32Array | undefined;

/** The f32 bits of each f16, u32[65536]; made at the first use. */
function f16Table(): Uint32Array {
  if (table) return table;
  table = new Uint32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const isPayload = (bits & 0x7fff) > 0x7c00;
    floatView[0] = f16ToNumber(bits);
    table[bits] = isPayload ? ((bits & 0x8000) << 16) | 0x7f800000 | ((bits & 0x3ff) << 13) : bitsView[0]!;
  }
  return table;
}
