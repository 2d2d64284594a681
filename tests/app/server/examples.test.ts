/**
 * @file The examples on the server run as they are, with fewer users, and print what their audits find. Half a minute of
 * computation: NEXTQUILL_EXAMPLES=1 runs them, as `npm run check:server` does.
 */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = async (name: string, users: number): Promise<string> => {
  const script = resolve(import.meta.dirname, `../../../examples/assistant/${name}.ts`);
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, String(users)]);
  return stdout;
};
const estimate = String.raw`C = -?\d+\.\d{3} \[-?\d+\.\d{3}, -?\d+\.\d{3}\] nats a token`;

const isAsked = process.env.NEXTQUILL_EXAMPLES === '1';
if (!isAsked) process.stderr.write('SKIPPED: examples/assistant; set NEXTQUILL_EXAMPLES=1 to run them.\n');

it.runIf(isAsked).each([
  ['assistant', new RegExp(String.raw`audit of 3 users: ${estimate}\n[^]*is forgotten: \d+ items, complete`)],
  ['recommender', /audit: 3 users get [123] different orders/],
  [
    'tutor',
    new RegExp(
      String.raw`dial raised for \d of 3 pupils[^]*audit of the last texts of 3 pupils: ${estimate}`,
    ),
  ],
])('%s.ts', { timeout: 600_000 }, async (name, expected) => {
  expect(await run(name, 3)).toMatch(expected);
});
