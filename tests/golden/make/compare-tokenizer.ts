/**
 * @file Compares a real model's tokenizer with encodings by Python's tokenizers (made by tokenizer-encodings.py).
 *
 * Run: npx tsx tests/golden/make/compare-tokenizer.ts FOLDER ENCODINGS.json
 * Offsets are compared where normalisation leaves the text alone; where it does not, Python's miss characters, and
 * ours must cover the text instead. A token of nothing but an inserted prefix spans nothing; Python's spans the
 * text's first character.
 */
import { readFile } from 'node:fs/promises';
import { loadTokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';

const [folder, golden] = process.argv.slice(2) as [string, string];
const { cases } = JSON.parse(await readFile(golden, 'utf8')) as {
  cases: { text: string; ids: number[]; starts: number[]; ends: number[]; decoded: string }[];
};
const began = performance.now();
const tokenizer = await loadTokenizer(folder);
const loaded = performance.now();
const wrong = { ids: 0, offsets: 0, cover: 0, decoded: 0 };
let composed = 0;
let prefixes = 0;
let shown = 0;
for (const { text, ids, starts, ends, decoded } of cases) {
  const ours = tokenizer.encode(text);
  const same = (a: readonly number[], b: readonly number[]) =>
    a.length === b.length && a.every((x, i) => x === b[i]);
  const found: (keyof typeof wrong)[] = [];
  if (!same(ours.ids, ids)) found.push('ids');
  if (text !== text.normalize('NFC') && tokenizer.decode(ids) !== text) {
    composed++;
    const covered = new Set(
      ours.starts.flatMap((start, t) => Array.from({ length: ours.ends[t]! - start }, (_, i) => start + i)),
    );
    if (covered.size !== text.length) found.push('cover');
  } else {
    const isPrefix = ours.starts[0] === 0 && ours.ends[0] === 0;
    if (isPrefix) prefixes++;
    const from = isPrefix ? 1 : 0;
    if (!same(ours.starts.slice(from), starts.slice(from)) || !same(ours.ends.slice(from), ends.slice(from)))
      found.push('offsets');
  }
  if (tokenizer.decode(ids) !== decoded) found.push('decoded');
  for (const kind of found) wrong[kind]++;
  if (found.length > 0 && shown++ < 12)
    console.log(found.join(), JSON.stringify(text), ours, { ids, starts, ends, decoded });
}
const { endOfTurnId, beginId, padId } = tokenizer;
console.log({
  folder,
  cases: cases.length,
  wrong,
  composed,
  prefixes,
  loadMs: Math.round(loaded - began),
  encodeMs: Math.round(performance.now() - loaded),
  endOfTurn: tokenizer.tokenText(endOfTurnId),
  begin: beginId === undefined ? undefined : tokenizer.tokenText(beginId),
  pad: tokenizer.tokenText(padId),
});
process.exitCode = Object.values(wrong).some((count) => count > 0) ? 1 : 0;
