/** @file Names what a file is by its first bytes, where it is not the file of a model that its name promises. */
import { WeightsError } from './errors.ts';

/** As many bytes as {@link foreignFile} looks at. */
export const KIND_BYTES = 512;

interface Kind {
  /** Last part of the error's code. */
  readonly code: string;
  /** In words, after "got". */
  readonly words: string;
  readonly hint: string;
  readonly fits: (start: Uint8Array, text: string) => boolean;
}

const begins =
  (...bytes: readonly number[]) =>
  (start: Uint8Array) =>
    bytes.every((byte, i) => start[i] === byte);

const DOWNLOAD = 'Download the file itself: an address that shows a page or asks for a login gives no file.';

const kinds: readonly Kind[] = [
  {
    code: 'git-lfs-pointer',
    words: 'a Git LFS pointer in place of the file',
    hint: 'Run git lfs pull in the folder, or download the file itself.',
    fits: (_, text) => text.startsWith('version https://git-lfs.github.com/spec/'),
  },
  {
    code: 'html',
    words: 'an HTML page',
    hint: DOWNLOAD,
    fits: (_, text) => /^(\uFEFF|ï»¿)?\s*<(!doctype\s+html|html|head|body)\b/i.test(text),
  },
  {
    code: 'xml',
    words: 'an XML document',
    hint: DOWNLOAD,
    fits: (_, text) => /^\s*<\?xml\b/i.test(text),
  },
  {
    code: 'zip',
    words: 'a zip archive, as torch.save writes it',
    hint: 'Save the model with safe_serialization=True, or unpack the archive.',
    fits: begins(0x50, 0x4b, 0x03, 0x04),
  },
  {
    code: 'pickle',
    words: 'a Python pickle',
    hint: 'Save the model with safe_serialization=True; a pickle may run code and is never opened.',
    // A third byte of 0 would be the length of a safetensors header.
    fits: (start) => start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5 && (start[2] ?? 0) !== 0,
  },
  {
    code: 'gzip',
    words: 'gzip data',
    hint: 'Unpack it with gunzip.',
    fits: begins(0x1f, 0x8b, 0x08),
  },
  {
    code: 'utf-16',
    words: 'text in UTF-16',
    hint: 'Save the file as UTF-8.',
    fits: (start) => begins(0xff, 0xfe)(start) || begins(0xfe, 0xff)(start),
  },
  {
    code: 'gguf',
    words: 'a GGUF file',
    hint: 'Name the file itself as the model, with a name that ends in .gguf.',
    fits: begins(0x47, 0x47, 0x55, 0x46),
  },
];

/**
 * The error about a file whose beginning shows that it is something else; undefined where it does not.
 * @param start its first {@link KIND_BYTES} bytes, or all of them
 */
export function foreignFile(path: string, start: Uint8Array): WeightsError | undefined {
  const bytes = start.subarray(0, KIND_BYTES);
  const text = Buffer.from(bytes).toString('latin1');
  const kind = kinds.find(({ fits }) => fits(bytes, text));
  if (kind === undefined) return undefined;
  return new WeightsError(`${path}: expected a file of a model, got ${kind.words}`, {
    code: `weights/${kind.code}`,
    hint: kind.hint,
  });
}
