/** @file Models in several GGUF files: the parts together are the model that they were cut from. */
import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WeightsError } from '../../../src/base/errors.ts';
import { parseHeader } from '../../../src/engine/gguf/header.ts';
import { modelFolderOfGguf } from '../../../src/engine/gguf/model-folder-of.ts';
import { openGguf } from '../../../src/engine/gguf/open-gguf.ts';
import { ggufBytes, ggufTypes, type MetadataToWrite, metadataToWrite } from '../../support/gguf-bytes.ts';

const whole = resolve(import.meta.dirname, '../../golden/gguf/llama.gguf');
const bytes = new Uint8Array(readFileSync(whole));
const { metadata, tensors } = parseHeader('llama.gguf', bytes, bytes.length);
const all = [...tensors.values()];
const COUNT = 3;
const nameOf = (no: number) => `m-0000${no + 1}-of-0000${COUNT}.gguf`;

/** Part `no` of the golden model: every third tensor, the metadata in the first. */
function partBytes(no: number, claims: { no?: number; count?: number; tensors?: number } = {}): Uint8Array {
  const own = all.filter((_, i) => i % COUNT === no);
  const split: MetadataToWrite[] = [
    ['split.no', 2, claims.no ?? no],
    ['split.count', 2, claims.count ?? COUNT],
    ['split.tensors.count', 4, claims.tensors ?? all.length],
  ];
  let offset = 0;
  const placed = own.map(({ byteOffset, byteLength, name, shape, format }) => {
    const tensor = {
      name,
      sizes: [...shape].reverse().map(BigInt),
      type: ggufTypes[format.name]!,
      offset: BigInt(offset),
    };
    const data = new Uint8Array(Math.ceil(byteLength / 32) * 32);
    data.set(bytes.subarray(byteOffset, byteOffset + byteLength));
    offset += data.length;
    return { tensor, data };
  });
  return ggufBytes({
    metadata: [...(no === 0 ? metadataToWrite(metadata).values() : []), ...split],
    tensors: placed.map(({ tensor }) => tensor),
    data: Buffer.concat(placed.map(({ data }) => data)),
  });
}

async function writeParts(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nextquill-parts-'));
  for (let no = 0; no < COUNT; no++) await writeFile(join(folder, nameOf(no)), partBytes(no));
  return folder;
}

describe('a model in three parts', () => {
  it('is the model that it was cut from, to the last byte', async () => {
    const folder = await writeParts();
    const file = await openGguf(join(folder, nameOf(0)));
    expect(file.files).toHaveLength(COUNT);
    const joined = await modelFolderOfGguf(join(folder, nameOf(0)), folder);
    const single = await modelFolderOfGguf(whole, folder);
    for (const name of ['model.safetensors', 'config.json', 'tokenizer.json'])
      expect((await readFile(join(joined, name))).equals(await readFile(join(single, name))), name).toBe(
        true,
      );
    // Any part that changes makes another model.
    expect(joined).not.toBe(single);
  });

  it.each<[string, (folder: string) => Promise<string>, RegExp, RegExp]>([
    [
      'by another part says which to name',
      async (folder) => join(folder, nameOf(1)),
      /m-00002-of-00003\.gguf: expected the first part of a model, got part 2 of 3/,
      /Name m-00001-of-00003\.gguf/,
    ],
    [
      'with a part missing names it',
      async (folder) => {
        await rm(join(folder, nameOf(2)));
        return join(folder, nameOf(0));
      },
      /m-00003-of-00003\.gguf: expected a readable file, got none/,
      /path/,
    ],
    [
      'with a part twice names the file',
      async (folder) => {
        await copyFile(join(folder, nameOf(1)), join(folder, nameOf(2)));
        return join(folder, nameOf(0));
      },
      /m-00003-of-00003\.gguf: expected part 3 of 3, got part 2 of 3/,
      /beside each other/,
    ],
    [
      'with tensors of an earlier part names one',
      async (folder) => {
        await writeFile(join(folder, nameOf(2)), partBytes(1, { no: 2 }));
        return join(folder, nameOf(0));
      },
      /m-00003-of-00003\.gguf: expected tensors that no earlier part has, got "/,
      /beside each other/,
    ],
    [
      'with a whole model in place of a part says so',
      async (folder) => {
        await copyFile(whole, join(folder, nameOf(1)));
        return join(folder, nameOf(0));
      },
      /m-00002-of-00003\.gguf: expected part 2 of 3, got a whole model/,
      /beside each other/,
    ],
    [
      'under another name says what the name should be',
      async (folder) => {
        await rename(join(folder, nameOf(0)), join(folder, 'model.gguf'));
        return join(folder, 'model.gguf');
      },
      /expected a name that ends in -00001-of-00003\.gguf, as its metadata say, got model\.gguf/,
      /llama-gguf-split --merge/,
    ],
    [
      'with fewer tensors than it should have says how many',
      async (folder) => {
        await writeFile(join(folder, nameOf(0)), partBytes(0, { tensors: 500 }));
        return join(folder, nameOf(0));
      },
      /expected 500 tensors in all parts, got \d+/,
      /beside each other/,
    ],
    [
      'with a count that no name can hold is refused',
      async (folder) => {
        await writeFile(join(folder, nameOf(0)), partBytes(0, { no: 7 }));
        return join(folder, nameOf(0));
      },
      /expected metadata of a part of at most 99999, got split\.no 7, split\.count 3/,
      /beside each other/,
    ],
  ])('%s', async (_what, damage, message, hint) => {
    const path = await damage(await writeParts());
    const error = await openGguf(path).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(WeightsError);
    expect((error as WeightsError).message).toMatch(message);
    expect((error as WeightsError).hint).toMatch(hint);
  });
});
