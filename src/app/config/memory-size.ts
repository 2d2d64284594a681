/** @file Sizes of memory as people write them. */

/** `4G`, `512 MiB`, `1.5GB` or bytes; letters count in powers of 1024. */
export const MEMORY_SIZE = /^\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*$/i;

/** Bytes of a text that {@link MEMORY_SIZE} accepts. */
export function bytesOfSize(text: string): number {
  const [, number, unit] = MEMORY_SIZE.exec(text)!;
  return Math.round(Number(number) * 1024 ** ' KMGT'.indexOf((unit || ' ').toUpperCase()));
}
