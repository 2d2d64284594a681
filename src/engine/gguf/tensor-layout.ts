/** @file How the numbers of a GGUF tensor become those of Hugging Face's: rows put back, axes swapped, one taken away. */

/** What is done to the pieces of a tensor. */
export interface TensorLayout {
  /** Rows that must come together. */
  readonly rowsPerGroup: number;
  readonly swapsAxes: boolean;
  /** @param piece f32 of whole groups of rows; may be changed */
  apply(piece: Float32Array): Float32Array;
}

export const asStored: TensorLayout = { rowsPerGroup: 1, swapsAxes: false, apply: (piece) => piece };

/** For norms that are stored as 1 + weight. */
export const lessOne: TensorLayout = {
  rowsPerGroup: 1,
  swapsAxes: false,
  apply: (piece) => piece.map((value) => value - 1),
};

/**
 * For rows that hold the two halves of each head in turn: rows 2i and 2i + 1 of a head go to i and to half + i.
 * @param shape [rows, columns], or [rows] of a bias
 */
export function interleavedHalves(shape: readonly number[], heads: number): TensorLayout {
  const headRows = shape[0]! / heads;
  const half = headRows / 2;
  const width = shape[1] ?? 1;
  return {
    // A bias is one row that holds all heads.
    rowsPerGroup: shape.length === 1 ? 1 : headRows,
    swapsAxes: false,
    apply: (piece) => {
      const result = new Float32Array(piece.length);
      for (let row = 0; row * width < piece.length; row++) {
        const inHead = row % headRows;
        const to = row - inHead + (inHead >>> 1) + (inHead & 1) * half;
        result.set(piece.subarray(row * width, (row + 1) * width), to * width);
      }
      return result;
    },
  };
}

/**
 * Rows as GGUF wants them, from Hugging Face's: what {@link interleavedHalves} undoes.
 * @param values f32[rows, columns], whole heads
 */
export function interleaveHalves(values: Float32Array, rows: number, heads: number): Float32Array {
  const headRows = rows / heads;
  const half = headRows / 2;
  const width = values.length / rows;
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const inHead = row % headRows;
    const to = row - inHead + 2 * (inHead % half) + Math.floor(inHead / half);
    result.set(values.subarray(row * width, (row + 1) * width), to * width);
  }
  return result;
}

/** For matrices that Hugging Face keeps the other way round. @param shape [rows, columns] of the file */
export function transposed(shape: readonly number[]): TensorLayout {
  const [rows, columns] = shape as [number, number];
  return {
    rowsPerGroup: rows,
    swapsAxes: true,
    apply: (piece) => {
      const result = new Float32Array(piece.length);
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++)
          result[column * rows + row] = piece[row * columns + column]!;
      return result;
    },
  };
}
