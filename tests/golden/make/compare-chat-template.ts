/**
 * @file Compares our rendering of real chat templates with transformers' (made by chat-templates.py).
 *
 * Run: npx tsx tests/golden/make/compare-chat-template.ts RENDERED.json
 */
import { readFile } from 'node:fs/promises';
import { type RenderedChats, renderedByUs } from '../../support/chat-cases.ts';

const golden = JSON.parse(await readFile(process.argv[2]!, 'utf8')) as RenderedChats;
const wrong = golden.cases.filter((chat) => {
  const ours = renderedByUs(golden, chat);
  return chat.error === undefined ? ours.text !== chat.text : !ours.error?.includes(chat.error);
});
for (const chat of wrong.slice(0, 5)) console.log(chat, renderedByUs(golden, chat));
const refused = golden.cases.filter(({ error }) => error !== undefined).length;
console.log({ cases: golden.cases.length, refused, wrong: wrong.length });
process.exitCode = wrong.length > 0 ? 1 : 0;
