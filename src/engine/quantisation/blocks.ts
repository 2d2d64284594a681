/**
 * @file Matrices of 4 or 8 bits: rows in blocks of numbers that share a scale, w = (q − 2^(bits−1)) · scale. The layout is
 * that of ONNX Runtime's MatMulNBits: 4-bit numbers two to a byte, the lower half first.
 */

/** Bits of a number. */
export type BaseBits = 4 | 8;

/** A quantised matrix f32[out, inputs]. */
export interface QuantisedRows {
  readonly numbers: Uint8Array; // [out · inputs · bits / 8]
  readonly scales: Float32Array; // [out · inputs / blockSize]
}

/** Numbers that share a scale in rows of `inputs`; undefined where rows do not divide into blocks, and stay f32. */
export function blockSizeOf(inputs: number): number | undefined {
  return [32, 16].find((size) => inputs % size === 0);
}

/**
 * Where the largest number of a block may lie, in steps from zero: at the end of the range, or short of it, where the others
 * are met better. 4 bits gain by the choice, 8 need none.
 */
const largest: Readonly<Record<BaseBits, readonly number[]>> = { 4: [8, 7.6, 7.2, 6.8, 6.4, 6], 8: [128] };

/** The nearest numbers by least squares, block by block, of the scales that {@link largest} and a fit allow. */
export function quantiseRows(values: Float32Array, blockSize: number, bits: BaseBits): QuantisedRows {
  const zero = 2 ** (bits - 1);
  const scales = new Float32Array(values.length / blockSize);
  const numbers = new Uint8Array((values.length * bits) / 8);
  const trial = new Int32Array(blockSize);
  const best = new Int32Array(blockSize);
  for (let block = 0; block < scales.length; block++) {
    const x = values.subarray(block * blockSize, (block + 1) * blockSize);
    const extreme = x.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
    let least = Number.POSITIVE_INFINITY;
    best.fill(0);
    for (const steps of extreme === 0 ? [] : largest[bits]) {
      // Negative: the extreme is met by −2^(bits−1), which has no positive counterpart.
      const rough = extreme / -steps;
      let [product, square] = [0, 0];
      for (let i = 0; i < blockSize; i++) {
        const q = Math.max(-zero, Math.min(zero - 1, Math.round(x[i]! / rough)));
        trial[i] = q;
        product += q * x[i]!;
        square += q * q;
      }
      const scale = Math.fround(product / square);
      let error = 0;
      for (let i = 0; i < blockSize; i++) error += (x[i]! - trial[i]! * scale) ** 2;
      if (error >= least) continue;
      least = error;
      best.set(trial);
      scales[block] = scale;
    }
    for (let i = 0; i < blockSize; i++) {
      const at = block * blockSize + i;
      const number = best[i]! + zero;
      if (bits === 8) numbers[at] = number;
      else numbers[at >> 1]! |= number << (4 * (at & 1));
    }
  }
  return { numbers, scales };
}

/** The f32 matrix that quantised rows stand for. */
export function dequantiseRows(
  { numbers, scales }: QuantisedRows,
  blockSize: number,
  bits: BaseBits,
): Float32Array {
  const zero = 2 ** (bits - 1);
  return Float32Array.from({ length: scales.length * blockSize }, (_, at) => {
    const number = bits === 8 ? numbers[at]! : (numbers[at >> 1]! >> (4 * (at & 1))) & 15;
    return (number - zero) * scales[Math.floor(at / blockSize)]!;
  });
}
