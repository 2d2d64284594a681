/** @file Tests a quickstart of the smallest size from end to end: its numbers, its page, its runs. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { quickstart } from '../../../src/app/quickstart/quickstart.ts';
import { readManifest } from '../../../src/method/runs/manifest.ts';

const out = mkdtempSync(join(tmpdir(), 'quickstart-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

test('two systems are trained beside the base, scored in both worlds, and drawn', {
  timeout: 600_000,
}, async () => {
  const result = await quickstart({
    out,
    threads: 1,
    sizes: { trainNew: 20, trainKnown: 4, testNew: 4, testKnown: 4 },
  });
  const names = ['base', 'sft', 'nextquill'];
  expect(result.systems.map(({ name }) => name)).toEqual(names);
  expect(result.knownWorld.systems.map(({ name }) => name)).toEqual(names);
  expect(result.effects.newWorld.map(({ system }) => system)).toEqual(names);
  const nll = result.systems.map(({ nllWithHistory }) => nllWithHistory!.value);
  // Three steps teach it some of the new words: nats a token.
  expect(nll[1]!).toBeLessThan(nll[0]! - 0.05);
  expect(nll[2]!).toBeLessThan(nll[0]! - 0.05);
  // It knew the other world before.
  expect(result.knownWorld.systems[0]!.nllWithHistory!.value).toBeLessThan(0.7);
  expect(result.effects.auc.value).toBeGreaterThan(0.85);
  for (const run of result.runs) expect((await readManifest(run)).status).toBe('done');
  const page = readFileSync(result.report, 'utf8');
  expect(page.match(/<article/g)!.length).toBe(7);
});
