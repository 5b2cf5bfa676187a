import type { Answer, SessionStore } from '@session-stores/core';
import { expect, onTestFinished, test } from 'vitest';
import { failure } from './answers.js';
import { runModule } from './module.js';
import { sessionWith } from './sessions.js';

/** How the tests come to stores and their connections. */
export interface Clients {
  /** A store on a client of the test's own, and whether that client still serves. */
  given(): { store: SessionStore; serves(): Promise<boolean> };
  /** A store that connects by itself, and how many connections it has open. */
  opened(): Answer<{ store: SessionStore; connections(): Promise<number> }>;
  /** The same as code: imports, an expression that makes a store which connects to its server, and such that find none. */
  readonly code: { readonly imports: string; readonly store: string; readonly lost: readonly string[] };
}

/** What becomes of connections: whose they are, how many it takes, and when a process can end. */
export function testClients({ given, opened, code }: Clients): void {
  test('is left open by `close` when it was given', async () => {
    const { store, serves } = given();
    await store.set('a', sessionWith());
    await store.close();
    expect(await serves()).toBe(true);
    expect(await failure(store.get('a'))).toMatchObject({ code: 'CLOSED' });
  });

  test('is closed by `close` when the store opened it', async () => {
    const { store, connections } = await opened();
    await store.length();
    expect(await connections()).toBeGreaterThan(0);
    await store.close();
    await expect.poll(connections, { timeout: 5000 }).toBe(0);
  });

  test('serves two hundred first calls at once without a warning', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on('warning', listen);
    onTestFinished(() => void process.off('warning', listen));
    for (const { store } of [given(), await opened()]) {
      const ids = Array.from({ length: 200 }, (_, n) => `id${n}`);
      await Promise.all(ids.map((id) => store.set(id, sessionWith()).then(() => store.get(id))));
      expect(await store.length()).toBe(200);
    }
    await new Promise(setImmediate);
    expect(warnings).toEqual([]);
  });

  test('lets the process end once the store is closed', async () => {
    const { lingeredMs, ...ended } = await runModule(`${code.imports}
      const store = ${code.store};
      await store.set('a', { cookie: {} });
      await store.close();`);
    expect(ended).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect(lingeredMs).toBeLessThan(1000);
  });

  test.each(code.lost)(
    'that finds no server neither ends the process nor makes noise, and lets it end: %s',
    async (lost) => {
      const { lingeredMs, ...ended } = await runModule(`${code.imports}
      const store = ${lost};
      console.log((await store.get('a').catch((error) => error)).code);
      await store.close();`);
      expect(ended).toEqual({ exitCode: 0, stdout: 'UNAVAILABLE\n', stderr: '' });
      expect(lingeredMs).toBeLessThan(1000);
    },
  );
}
