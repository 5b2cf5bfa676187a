import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findChromium } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import { pageOf } from '../src/page.js';
import { hostile, matrix } from './matrices.js';

// On a busy machine a browser takes a second for what else takes a tenth.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), 'matrix-page-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'matrix.html');
writeFileSync(file, pageOf(matrix));
const address = pathToFileURL(file).href;

/** With all stores. */
const all = new URL('../../../docs/matrix.html', import.meta.url).href;

describeOnServer(
  async () => {
    const { file, env, sandbox } = await findChromium();
    const browser = await chromium.launch({ executablePath: file, env, chromiumSandbox: sandbox });
    return { browser, stop: () => browser.close() };
  },
  'in Chromium, the page',
  ({ browser }) => {
    /** The page from its file. What the browser complains of fails the test, and so does what it would load. */
    async function open(hash = '', options: BrowserContextOptions = {}): Promise<Page> {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
      const complaints: string[] = [];
      context.on('weberror', (error) => complaints.push(String(error.error())));
      context.on('console', (message) => complaints.push(message.text()));
      context.on('request', (request) => {
        if (!/^(file|data):/.test(request.url())) complaints.push(request.url());
      });
      onTestFinished(async () => {
        await context.close();
        expect(complaints).toEqual([]);
      });
      const page = await context.newPage();
      await page.goto(address + hash);
      return page;
    }

    const rows = (page: Page) => page.locator('tbody th .id').allTextContents();
    const stores = (page: Page) => page.locator('th.store').allTextContents();
    const cell = (page: Page, name: string) => page.locator(`[data-cell="${name}"]`);

    const focused = (page: Page) => page.evaluate('document.activeElement.dataset.cell');

    /** Whether what has the focus is seen from edge to edge, with nothing before it. */
    const isUncovered = (page: Page) =>
      page.evaluate(`(() => {
        const { left, right, top, bottom } = document.activeElement.getBoundingClientRect();
        return [left + 2, right - 2].every((x) =>
          [top + 2, bottom - 2].every((y) => document.elementFromPoint(x, y) === document.activeElement));
      })()`);

    test('shows every requirement and every store, and signs that are none but colours', async () => {
      const page = await open();
      expect(await rows(page)).toEqual(['CONTRACT-006MUST', 'IDS-010MUST', 'RACE-001SHOULD']);
      expect(await stores(page)).toEqual([
        'memory 1.2.3',
        'memorystore 1.2.3',
        'connect-redis-10 1.2.3redis 6.3.1, Redis 7.0.15',
        'express-session 1.2.3',
      ]);
      expect(await page.locator('td button').allTextContents()).toEqual([...'✓✗✓✓', ...'✓✓✗?', ...'✓!–!']);
      expect(await page.locator('.sum').allTextContents()).toEqual([
        'MUST not met, of 20110',
        'SHOULD not met, of 10101',
      ]);
      expect(await page.getByText('connect-mongo: No mongo server').count()).toBe(1);
    });

    test('is filtered by level, group, store and by what somebody does not meet', async () => {
      const page = await open();
      await page.getByLabel('SHOULD', { exact: true }).uncheck();
      expect(await rows(page)).toEqual(['CONTRACT-006MUST', 'IDS-010MUST']);
      await page.getByText('Groups and stores').click();
      await page.getByLabel('IDS', { exact: true }).uncheck();
      expect(await rows(page)).toEqual(['CONTRACT-006MUST']);
      await page.getByLabel('IDS', { exact: true }).check();
      await page.getByRole('button', { name: 'ours' }).click();
      expect(await stores(page)).toEqual(['memory 1.2.3']);
      await page.getByRole('button', { name: 'published' }).click();
      await page.getByRole('checkbox', { name: 'memorystore' }).uncheck();
      expect(await page.getByRole('status').textContent()).toBe('2 of 3 requirements, 2 of 4 stores');
      await page.getByLabel('Only where somebody does not meet it').check();
      expect(await rows(page)).toEqual(['IDS-010MUST']);
    });

    test('opens a cell to all that is known of it, as text', async () => {
      const page = await open();
      await cell(page, 'connect-redis-10/IDS-010').click();
      const dialog = page.getByRole('dialog', { name: 'Ids such as __proto__ work' });
      const text = (await dialog.textContent()) ?? '';
      expect(text).toContain('connect-redis-10 1.2.3 on redis 6.3.1, Redis 7.0.15: not met');
      expect(text).toContain(`What was seen${hostile}`);
      expect(text).toContain(`Why it matters${hostile.replaceAll('`', '')}`);
      expect(text).toContain('Not confirmed yet by reading its source.');
      expect(text).toContain('npm run matrix -- --store connect-redis-10 --only IDS-010');
      expect(text).toContain('2026-11-22, the suite 4.5.6, Node 20.20.2; it took 1,234 ms.');
      const link = dialog.getByRole('link');
      expect(await link.getAttribute('href')).toBe('https://example.org/source#here');
      expect(page.url()).toBe(`${address}#connect-redis-10/IDS-010`);
      await dialog.getByRole('button', { name: 'Close' }).click();
      expect(await dialog.count()).toBe(0);
      await expect.poll(() => page.url()).toBe(address);
      expect(await page.title()).toBe('Session stores: the matrix');
    });

    test('opens the cell that its address names, and none for an address that names none', async () => {
      const page = await open('#memorystore/RACE-001');
      const dialog = page.getByRole('dialog');
      expect(await dialog.textContent()).toContain('express-session does not promise this.');
      await page.evaluate("location.hash = '#memory/CONTRACT-006'");
      await page.getByRole('dialog', { name: 'get answers' }).waitFor();
      expect(await dialog.textContent()).toContain('memory 1.2.3: met');
      await page.evaluate("location.hash = '#memory/constructor'");
      await dialog.waitFor({ state: 'hidden' });
      for (const hash of ['#nobody/RACE-001', '#%E0%A4%A'])
        expect(await (await open(hash)).getByRole('dialog').count()).toBe(0);
    });

    test('shows, when a cell is closed that its address has opened, where in the grid it is', async () => {
      const page = await open();
      await page.goto(`${all}#connect-pg-simple/RACE-030`);
      await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
      await expect.poll(() => focused(page)).toBe('connect-pg-simple/RACE-030');
      expect(await isUncovered(page)).toBe(true);
      expect(await page.locator('td button[tabindex="0"]').count()).toBe(1);
    });

    test('names each cell by what became of it, its store and its requirement', async () => {
      const page = await open();
      const named = page.getByRole('button', {
        name: 'not met, memorystore 1.2.3, CONTRACT-006',
        exact: true,
      });
      expect(await named.getAttribute('data-cell')).toBe('memorystore/CONTRACT-006');
      await page.goto(all);
      const names = await page.locator('td button').evaluateAll((all) => all.map((each) => each.ariaLabel));
      expect(new Set(names).size).toBe(names.length);
    });

    test('shows a narrow window what each store does not meet, and leads to its column', async () => {
      const page = await open('', { viewport: { width: 390, height: 741 } });
      const totals = page.locator('.totals');
      expect(await totals.locator('tr').allTextContents()).toEqual([
        'Not metMUST, of 2SHOULD, of 1',
        'memory 1.2.300',
        'memorystore 1.2.311',
        'connect-redis-10 1.2.310',
        'express-session 1.2.301',
      ]);
      await page.goto(all);
      const head = await page.locator('.grid thead').boundingBox();
      expect(head?.height).toBeLessThan(741 / 4);
      for (const store of ['connect-pg-simple', 'memory', 'connect-pg-simple']) {
        await totals.locator(`[href="#${store}"]`).click();
        await expect.poll(() => focused(page)).toBe(`${store}/CONTRACT-001`);
        expect(await isUncovered(page)).toBe(true);
      }
      // Followed again, the address does not change.
      await page.evaluate('scrollTo(0, 0)');
      await totals.locator('[href="#connect-pg-simple"]').click();
      await expect.poll(() => focused(page)).toBe('connect-pg-simple/CONTRACT-001');
      await page.setViewportSize({ width: 1280, height: 900 });
      expect(await totals.isVisible()).toBe(false);
    });

    test('is used without a mouse', async () => {
      const page = await open();
      await cell(page, 'memory/CONTRACT-006').focus();
      await page.keyboard.press('ArrowRight');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      expect(await page.getByRole('dialog').textContent()).toContain('RACE-001');
      expect(await page.getByRole('dialog').textContent()).toContain('memorystore');
      await page.keyboard.press('Escape');
      expect(await page.getByRole('dialog').count()).toBe(0);
      expect(await focused(page)).toBe('memorystore/RACE-001');
      // One Tab leaves the grid.
      await page.keyboard.press('Tab');
      expect(await focused(page)).toBeUndefined();
    });

    test.each([1280, 390])('is no wider than a window of %d pixels', async (width) => {
      const page = await open('', { viewport: { width, height: 844 } });
      await page.goto(all);
      const widest = () => page.evaluate('document.documentElement.scrollWidth');
      expect(await widest()).toBe(width);
      await page.locator('summary').click();
      expect(await widest()).toBe(width);
      await cell(page, 'memory/CONTRACT-001').click();
      const box = await page.getByRole('dialog').boundingBox();
      expect(box?.x).toBeGreaterThanOrEqual(0);
      expect((box?.x ?? 0) + (box?.width ?? width)).toBeLessThanOrEqual(width);
      expect(await widest()).toBe(width);
    });
  },
);
