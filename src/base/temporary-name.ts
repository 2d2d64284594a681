/** @file Names of temporary files and folders: the final name in front, cut where it would grow too long for a file system. */
import { sha256 } from './hash.ts';

/** File systems allow 255 bytes; a process id, random letters and an ending come after it. */
const MOST_BYTES = 200;

/** The name, or the beginning of it with its hash: what a temporary name begins with. */
export function stemOf(name: string): string {
  if (Buffer.byteLength(name) <= MOST_BYTES) return name;
  return `${[...name].slice(0, 40).join('')}-${sha256(name).slice(0, 16)}`;
}
