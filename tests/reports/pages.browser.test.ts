/**
 * @file Every page in a real browser: no accessibility violation, no horizontal scroll, no request, no error, and a
 * keyboard reaches everything. Needs Chromium: NEXTQUILL_CHROMIUM, or /usr/bin/chromium. NEXTQUILL_SCREENSHOTS names a
 * folder for pictures of the pages.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { examplePages } from './example-pages.ts';

const executablePath = process.env.NEXTQUILL_CHROMIUM ?? '/usr/bin/chromium';
const hasBrowser = existsSync(executablePath);
if (!hasBrowser)
  process.stderr.write(
    `SKIPPED: pages in a browser, since there is no Chromium at ${executablePath}; set NEXTQUILL_CHROMIUM\n`,
  );

const FLAGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
];

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe says; the script is run by the test, which the page's own policy does not bind. */
interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

let browser: Browser;
let folder: string;

describe.skipIf(!hasBrowser)('every page', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nextquill-pages-'));
    browser = await chromium.launch({ executablePath, args: FLAGS });
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true });
  });

  const shots = process.env.NEXTQUILL_SCREENSHOTS;
  const cases = Object.entries(examplePages).flatMap(([name, page]) =>
    // Either width and either scheme; no rule of a page joins one of each. Screenshots are taken of all four.
    [
      { width: 390, scheme: 'light' as const },
      { width: 1280, scheme: 'dark' as const },
      ...(shots === undefined
        ? []
        : [
            { width: 390, scheme: 'dark' as const },
            { width: 1280, scheme: 'light' as const },
          ]),
    ].map((view) => ({ name, page, ...view })),
  );

  it.each(cases)(
    '$name at $width px, $scheme',
    async ({ name, page: render, width, scheme }) => {
      const file = join(folder, `${name}.html`);
      await writeFile(file, render());
      const page = await browser.newPage({
        viewport: { width, height: width < 500 ? 844 : 800 },
        colorScheme: scheme,
      });
      const [requests, errors]: [string[], string[]] = [[], []];
      page.on('request', (request) => requests.push(request.url()));
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text());
      });
      page.on('pageerror', (error) => errors.push(error.message));
      const url = pathToFileURL(file).href;
      await page.goto(url);
      if (shots !== undefined) {
        await mkdir(shots, { recursive: true });
        await page.screenshot({ path: join(shots, `${name}-${width}-${scheme}.png`) });
      }
      // The answer is on the first screen.
      const answer = await page.locator('.answer').boundingBox();
      expect(answer!.y + answer!.height).toBeLessThan(width < 500 ? 844 : 800);
      await page.evaluate('for (const fold of document.querySelectorAll("details")) fold.open = true');
      if (shots !== undefined)
        await page.screenshot({
          path: join(shots, `${name}-${width}-${scheme}-all.png`),
          fullPage: true,
        });
      expect(
        await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'),
      ).toBe(0);
      await page.evaluate(axe);
      const { violations } = (await page.evaluate(
        '(() => axe.run(document, { resultTypes: ["violations"] }))()',
      )) as AxeResult;
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html}`)).toEqual([]);
      expect(requests).toEqual([url]);
      expect(errors).toEqual([]);
      await page.close();
    },
    60_000,
  );

  it('opens a section and walks the tokens by keyboard alone', async () => {
    const file = join(folder, 'keyboard.html');
    await writeFile(file, examplePages.explain!());
    const page = await browser.newPage();
    await page.goto(pathToFileURL(file).href);
    await page.locator('.prose .t').first().focus();
    expect(await page.locator('#tip').isVisible()).toBe(true);
    const first = await page.locator('#tip strong').textContent();
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('#tip strong').textContent()).not.toBe(first);
    await page.keyboard.press('Escape');
    expect(await page.locator('#tip').isVisible()).toBe(false);
    await page.locator('summary').last().focus();
    await page.keyboard.press('Enter');
    expect(await page.locator('details').last().getAttribute('open')).not.toBeNull();
    await page.close();
  }, 60_000);
});
