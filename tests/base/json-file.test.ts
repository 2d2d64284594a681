import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseJsonObject, readIfThere, readJsonFile } from '../../src/base/json-file.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'json-file-'));
});
afterAll(() => rm(folder, { recursive: true }));

const errorOf = (text: string) => {
  try {
    parseJsonObject('config.json', text);
  } catch (error) {
    return error as { code: string; message: string; hint: string };
  }
  throw new Error('accepted');
};

describe('JSON of a model folder', () => {
  // Was refused as truncated: JSON.parse takes no byte-order mark.
  it('may begin with a byte-order mark', async () => {
    await writeFile(join(folder, 'config.json'), '\uFEFF{"a":1}');
    expect(await readJsonFile(folder, 'config.json')).toEqual({ a: 1 });
  });

  it('is refused when it is not UTF-8', async () => {
    await writeFile(join(folder, 'a.json'), Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]));
    await expect(readIfThere(join(folder, 'a.json'))).rejects.toMatchObject({ code: 'weights/utf8' });
  });

  it('may be absent where that is allowed', async () => {
    expect(await readIfThere(join(folder, 'none.json'))).toBeUndefined();
    await expect(readJsonFile(folder, 'none.json')).rejects.toMatchObject({ code: 'weights/missing-file' });
  });

  // Was told as truncated, whatever was wrong.
  it('is guessed to be truncated only where the text ends too early', () => {
    for (const cut of ['', '{', '{"a"', '{"a": "b', '{"a": 1', '{"a": [1,', '{"a": tr'])
      expect(errorOf(cut).hint, cut).toMatch(/truncated/);
    for (const broken of ['{"a": 1,}', "{'a': 1}", '{"a": 1} x', '{"a" 1, "b": 2}', '[1]', '1'])
      expect(errorOf(broken).hint, broken).not.toMatch(/truncated/);
  });

  it("keeps the parser's words, and knows Python's numbers that JSON lacks", () => {
    const { code, message, hint } = errorOf('{"rope_theta": NaN}');
    expect(code).toBe('weights/malformed-json');
    expect(message).toContain("Unexpected token 'N'");
    expect(hint).toMatch(/NaN/);
    expect(errorOf('{"a": -Infinity}').hint).toMatch(/Infinity/);
  });

  // Was a RangeError wherever the value was printed or hashed.
  it('is refused when it is nested deeper than a recursion can follow', () => {
    const nested = (depth: number) => `{"a": ${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(parseJsonObject('a.json', nested(99))).toHaveProperty('a');
    expect(errorOf(nested(100)).code).toBe('weights/malformed-json');
    expect(errorOf(nested(20_000)).code).toBe('weights/malformed-json');
    expect(parseJsonObject('a.json', JSON.stringify({ a: `"${'[{'.repeat(200)}` }))).toHaveProperty('a');
  });
});
