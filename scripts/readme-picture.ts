/**
 * @file The README's picture: a press release of a US senator under a real model, and what the senator's earlier releases
 * change at each token. The releases are works of the US government, in the public domain.
 *
 *     npx tsx scripts/readme-picture.ts MODEL senate-press-2004-2008.jsonl.gz docs/images/heat-map-senate.png
 *
 * Needs Chromium: NEXTQUILL_CHROMIUM, or /usr/bin/chromium.
 */
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { type Example, explain, open, renderEffectMapHtml } from '../src/index.ts';

interface Release {
  readonly id: string;
  readonly senator: string;
  readonly date: string;
  readonly text: string;
}

const [modelName, file, image] = process.argv.slice(2);
if (modelName === undefined || file === undefined || image === undefined)
  throw new Error('usage: readme-picture.ts MODEL RELEASES.jsonl.gz IMAGE.png');

const releases = gunzipSync(await readFile(file))
  .toString('utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Release);

const model = await open(modelName);
const map = await explain(model, exampleOf('Grassley-2007-12-14-40a6d7'));
const browser = await chromium.launch({
  executablePath: process.env.NEXTQUILL_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu'],
});
const page = await browser.newPage({ viewport: { width: 840, height: 800 }, deviceScaleFactor: 2 });
await page.setContent(renderEffectMapHtml([map]));
// The text, its query and the scale: without the controls that a picture cannot offer.
await page.locator('.tools fieldset').evaluate((controls) => {
  controls.style.visibility = 'hidden';
});
const boxes = await Promise.all(
  ['.legend[data-effect=logRatio]', '.query', '.prose'].map((part) =>
    page.locator(part).first().boundingBox(),
  ),
);
const [top, bottom] = [
  Math.min(...boxes.map((box) => box!.y)),
  Math.max(...boxes.map((box) => box!.y + box!.height)),
];
await page.screenshot({ path: image, clip: { x: 0, y: top - 16, width: 840, height: bottom - top + 32 } });
await browser.close();

/** A release after its first dozen words, which are its headline, with the six before it as the history. */
function exampleOf(id: string): Example {
  const target = releases.find((release) => release.id === id)!;
  const { senator, date } = target;
  const history = releases
    .filter((release) => release.senator === senator && release.date < date)
    .sort((a, b) => (a.date < b.date ? -1 : 1))
    .slice(-6)
    .map((release) => ({ id: release.id, time: release.date, ...split(release, 90) }));
  const { query, text } = split(target, 95);
  return { id, user: senator, time: date, query, response: text, history };
}

/** The headline as the query, and whole sentences of what follows, about so many words. */
function split({ date, text }: Release, words: number): { query: string; text: string } {
  const all = text.split(' ');
  const body = all.slice(12, 12 + words).join(' ');
  const end = Math.max(body.lastIndexOf('. '), body.lastIndexOf('." '));
  return {
    query: `Continue the press release of ${date}: ${all.slice(0, 12).join(' ')}`,
    text: end > body.length / 2 ? body.slice(0, end + 1) : body,
  };
}
