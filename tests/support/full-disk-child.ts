/** @file A server on a small disk: `node --import tsx full-disk-child.ts STORE OUTPUT` writes until it is refused, and tells what still works. */
import { writeFileSync } from 'node:fs';
import { filesOf, formOf, randomAdapter } from './adapter-files.ts';
import { ADMIN, embeddedModel, served } from './serving.ts';

const [folder, output] = process.argv.slice(2);
const files = await filesOf(randomAdapter((await embeddedModel()).model, 1, 64));
await using at = await served({ folder: folder! });
const codeOf = async (response: Response) => [
  response.status,
  ((await response.json()) as { error?: { code: string } }).error?.code,
];

await at.call('PUT', '/v1/nextquill/users/u', {});
let written = 0;
let refused: unknown[] = [];
for (let i = 0; i < 2000; i++) {
  const items = [{ id: `i${i}`, query: 'q', text: 'x'.repeat(15_000) }];
  const response = await at.call('POST', '/v1/nextquill/users/u/history', { items });
  const [status, code] = await codeOf(response);
  if (status !== 200) {
    refused = [status, code];
    break;
  }
  written += 1;
}
const user = await at.call('GET', '/v1/nextquill/users/u');
const body = {
  ...{ model: 'embedded', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 4 },
  nextquill: { user: 'u' },
};
writeFileSync(
  output!,
  JSON.stringify({
    written,
    refused,
    adapter: await codeOf(await at.call('PUT', '/v1/nextquill/adapters/a', formOf(files))),
    user: user.status,
    kept: ((await user.json()) as { historyItems: number }).historyItems === written,
    chat: (await at.call('POST', '/v1/chat/completions', body, { authorization: `Bearer ${ADMIN}` })).status,
    health: (await at.call('GET', '/health')).status,
    check: await at.store.check(),
  }),
);
