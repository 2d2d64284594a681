/** @file Small files of data for the tests of readers, and what a conversion makes of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { convertData } from '../../src/app/data/convert-data.ts';
import type { ConvertDataOptions } from '../../src/app/data/convert-options.ts';
import type { Example } from '../../src/method/data/example.ts';
import type { Notice } from '../../src/method/data/notice.ts';
import { readExamples } from '../../src/method/data/source.ts';

/** A temporary folder of a test file, and conversions within it. */
export function dataFolder(name: string) {
  const folder = mkdtempSync(join(tmpdir(), `nextquill-${name}-`));
  afterAll(() => rmSync(folder, { recursive: true }));
  let files = 0;
  /** Writes a file; anything but text and bytes becomes JSON, in lines where its name says so. */
  const file = (name: string, content: unknown): string => {
    const path = join(folder, name);
    const lines = /\.(?:jsonl|ndjson)$/.test(name) && Array.isArray(content);
    const text = lines
      ? content.map((row) => JSON.stringify(row)).join('\n')
      : typeof content === 'string' || content instanceof Uint8Array
        ? content
        : JSON.stringify(content);
    writeFileSync(path, text);
    return path;
  };
  /** Converts, and reads the result as every command does. */
  const convert = async (
    format: string,
    sources: readonly string[],
    options: Partial<ConvertDataOptions> = {},
  ) => {
    const out = join(folder, `out-${++files}.jsonl`);
    const notes: string[] = [];
    const converted = await convertData({
      ...{ format, sources, out, onNote: (note: string) => notes.push(note) },
      ...options,
    });
    const warnings: Notice[] = [];
    const examples: Example[] = await readExamples(converted.out, {
      onNotice: (notice) => warnings.push(notice),
    });
    return {
      ...{ examples, notes, warnings, converted, out },
      faults: Object.fromEntries(converted.faults.map(({ kind, count }) => [kind, count])),
      first: Object.fromEntries(converted.faults.map(({ kind, first }) => [kind, first])),
    };
  };
  return { folder, file, convert };
}
