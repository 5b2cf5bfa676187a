import { findChromium, startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { storeNames, stores } from '../src/stores.js';
import { Demo } from './demo.js';

// On a busy machine a browser takes a second for what else takes a tenth.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

describeOnServer(
  async () => {
    const { file, env, sandbox } = await findChromium();
    const browser = await chromium.launch({
      executablePath: file,
      env,
      chromiumSandbox: sandbox,
      // People's browsers have this cache, and a page that is kept in it could show up after a logout.
      ignoreDefaultArgs: ['--disable-back-forward-cache'],
    });
    return { browser, stop: () => browser.close() };
  },
  'in Chromium, the demo',
  ({ browser }) => {
    for (const name of storeNames) {
      const { label, server } = stores[name];
      if (server === undefined) describe(`on ${label}`, () => tests(browser, { SESSION_STORE: name }));
      else {
        describeOnServer(
          () => startServer(server.name, { private: true }),
          `on ${label}`,
          ({ url }) => tests(browser, { SESSION_STORE: name, [server.urlVariable]: url }),
        );
      }
    }
  },
);

function tests(browser: Browser, env: { readonly SESSION_STORE: string; readonly [name: string]: string }) {
  let demo: Demo;
  let address: string;

  beforeAll(async () => {
    demo = new Demo({ PORT: '0', ...env });
    address = await demo.address();
  });
  afterAll(() => demo.kill());

  /** Somebody's first tab, in a browser without cookies. What the browser complains of fails the test. */
  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ baseURL: address, ...options });
    const complaints: string[] = [];
    context.on('weberror', (error) => complaints.push(String(error.error())));
    context.on('console', (message) => {
      // That a page is itself a refusal is worth a line to the browser; that one of its parts is missing is a fault.
      const ofPage = message.location().url === message.page()?.url();
      if (!(ofPage && /status of 40[14]/.test(message.text()))) complaints.push(message.text());
    });
    onTestFinished(async () => {
      await context.close();
      expect(complaints).toEqual([]);
    });
    const page = await context.newPage();
    await page.goto('/');
    return page;
  }

  async function login(page: Page, username = 'alice', password = 'wonderland'): Promise<void> {
    await page.getByLabel('Username').fill(username);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Log in' }).click();
  }

  async function logout(page: Page): Promise<void> {
    await page.getByRole('button', { name: 'Log out' }).click();
  }

  /** One of the facts at the top of the page. */
  function fact(page: Page, term: string): Promise<string | null> {
    return page.locator('.hero dl > div', { hasText: term }).locator('dd').textContent();
  }

  const user = (page: Page) => fact(page, 'Logged in as');

  test('counts views, for each browser by itself', async () => {
    const page = await open();
    expect(await fact(page, 'Page views')).toBe('1');
    await page.reload();
    expect(await fact(page, 'Page views')).toBe('2');
    const other = await open();
    expect(await fact(other, 'Page views')).toBe('1');
    await login(other);
    expect(await user(other)).toBe('alice');
    await page.reload();
    expect(await fact(page, 'Page views')).toBe('3');
    expect(await user(page)).toBe('nobody');
  });

  test('refuses a wrong password, then logs in with a message that is shown once', async () => {
    const page = await open();
    await login(page, 'alice', 'looking-glass');
    expect(await page.getByRole('alert').textContent()).toBe('Wrong username or password.');
    expect(await user(page)).toBe('nobody');
    await login(page);
    expect(await page.getByRole('status').textContent()).toMatch('Welcome, alice.');
    expect(await user(page)).toBe('alice');
    await page.reload();
    expect(await page.getByRole('status').count()).toBe(0);
    expect(await user(page)).toBe('alice');
  });

  test('shows a logout to the other tab', async () => {
    const page = await open();
    await login(page);
    const tab = await page.context().newPage();
    await tab.goto('/');
    expect(await user(tab)).toBe('alice');
    await logout(page);
    expect(await user(page)).toBe('nobody');
    await tab.reload();
    expect(await user(tab)).toBe('nobody');
  });

  test('shows the sessions to an admin, and nobody to the back button after the logout', async () => {
    await login(await open());
    const page = await open();
    await login(page, 'admin', 'looking-glass');
    await page.getByRole('link', { name: 'Show all live sessions' }).click();
    const rows = page.getByRole('row');
    expect(await rows.filter({ hasText: 'alice' }).count()).toBeGreaterThan(0);
    expect(await rows.filter({ hasText: 'you' }).textContent()).toMatch('admin');
    await page.getByRole('link', { name: 'Back to your session' }).click();
    await logout(page);
    expect(await user(page)).toBe('nobody');

    await page.goBack();
    expect(await user(page)).toBe('nobody');
    await page.goBack();
    expect(await page.getByRole('main').textContent()).toMatch('Log in as an admin to see the sessions.');
    expect(await rows.count()).toBe(0);
    await page.goBack();
    expect(await user(page)).toBe('nobody');
  });

  test(`${env.SESSION_STORE === 'memory' ? 'forgets' : 'knows'} its visitors when it was started again`, async () => {
    const page = await open();
    await login(page);
    // With the page goes what the browser may still be fetching for it.
    await page.goto('about:blank');
    expect(await demo.end('SIGTERM')).toBe(0);
    demo = new Demo({ ...env, PORT: new URL(address).port });
    expect(await demo.address()).toBe(address);
    await page.goto('/');
    expect(await user(page)).toBe(env.SESSION_STORE === 'memory' ? 'nobody' : 'alice');
  });

  test('shows the races, without a word of JavaScript', async () => {
    const page = await open({ javaScriptEnabled: false });
    await page.getByRole('link', { name: 'Run this race' }).click();
    await page.getByLabel('Rounds').fill('2');
    await page.getByRole('button', { name: 'Run' }).click();
    const rows = page.getByRole('row');
    expect(await rows.nth(1).getByRole('cell').allTextContents()).toEqual(['2', '0 of 2', '0 of 20']);
    expect(await rows.nth(2).getByRole('cell').allTextContents()).toEqual(['2', '2 of 2', '18 of 20']);
    expect(await page.getByText('nobody is logged in').count()).toBe(1);
    expect(await page.getByText('Ada is logged in again').count()).toBe(1);
  });

  test('fits a phone', async () => {
    const page = await open({ viewport: { width: 390, height: 844 } });
    await login(page, 'admin', 'looking-glass');
    const width = () => page.evaluate('document.documentElement.scrollWidth');
    for (const path of ['/', '/debug/sessions', '/nowhere', '/race']) {
      await page.goto(path);
      expect(await width(), path).toBe(390);
    }
    await page.getByRole('button', { name: 'Run' }).click();
    await page.getByRole('table').waitFor();
    expect(await width()).toBe(390);
  });
}
