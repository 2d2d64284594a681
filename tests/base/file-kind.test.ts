import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readIfThere } from '../../src/base/json-file.ts';
import { openGgufFile } from '../../src/engine/gguf/gguf-file.ts';
import { openSafetensors, writeSafetensors } from '../../src/engine/weights/safetensors.ts';

const POINTER =
  'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n';

const kinds: Readonly<Record<string, Buffer>> = {
  'git-lfs-pointer': Buffer.from(POINTER),
  html: Buffer.from('\n<!DOCTYPE html>\n<html><body>Log in</body></html>'),
  xml: Buffer.from('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'),
  zip: Buffer.concat([Buffer.from('PK\x03\x04\x14\0\0\0\x08\0'), deflateRawSync('data')]),
  pickle: Buffer.from([0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]),
  gzip: gzipSync('{"a": 1}'),
  'utf-16': Buffer.from('\uFEFF{"a": 1}', 'utf16le'),
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'file-kind-'));
});
afterAll(() => rm(folder, { recursive: true }));

// Was told as a truncated file, or as a header of 2336927755350992400 bytes.
describe.each(Object.entries(kinds))('%s in place of a file of a model', (kind, bytes) => {
  it.each([
    ['tokenizer.json', readIfThere],
    ['model.safetensors', openSafetensors],
    ['model.gguf', openGgufFile],
  ] as const)('is named for what it is: %s', async (name, open) => {
    const path = join(folder, name);
    await writeFile(path, bytes);
    await expect(open(path)).rejects.toMatchObject({ code: `weights/${kind}` });
  });
});

it('a GGUF file under the name of safetensors is named', async () => {
  const path = join(folder, 'other.safetensors');
  await writeFile(path, Buffer.from('GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'));
  await expect(openSafetensors(path)).rejects.toMatchObject({ code: 'weights/gguf' });
});

it('a header whose length looks like a pickle is read', async () => {
  const path = join(folder, 'long-header.safetensors');
  const metadata = { text: '' };
  const write = () =>
    writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [1], data: Float32Array.of(1) }], metadata);
  // 640 = 0x280: the file begins with the bytes 80 02, as a pickle does.
  metadata.text = 'x'.repeat(540);
  await write();
  const length = Number((await readFile(path)).readBigUInt64LE(0));
  metadata.text = 'x'.repeat(540 + 640 - length);
  await write();
  expect((await readFile(path)).subarray(0, 2)).toEqual(Buffer.from([0x80, 0x02]));
  expect((await openSafetensors(path)).tensors.has('a')).toBe(true);
});
