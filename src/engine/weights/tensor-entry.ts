/** @file What a weights file says of one tensor: name, dtype, shape and where its bytes are. */

/** Bytes of one element, by the dtype names of the safetensors format. */
export const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const satisfies Record<string, number>;

export type Dtype = keyof typeof DTYPE_BYTES;

/** One tensor of a file. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** The file that holds it: its real path once it is open. */
  readonly file: string;
  /** From the beginning of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** Tensors of one file or of several: what is read, mapped and converted. */
export interface TensorDirectory {
  /** The file, or what names all of them, for messages. */
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

/** Whether the name is one of the dtypes that the format and this project know. */
export function isDtype(name: unknown): name is Dtype {
  return typeof name === 'string' && Object.hasOwn(DTYPE_BYTES, name);
}

/** The number of elements of a shape, or undefined when it is no list of sizes or passes 2^53. */
export function elementCount(shape: unknown): number | undefined {
  if (!Array.isArray(shape)) return undefined;
  let count = 1;
  for (const size of shape as unknown[]) {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
    count *= size;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}
