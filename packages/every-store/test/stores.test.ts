import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import session, { type SessionData } from 'express-session';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  driverOf,
  newNamespace,
  productOf,
  type Settings,
  type StoreName,
  storeKind,
  storeNames,
} from '../src/index.js';

// For a machine that does much else; each test takes a fraction of it.
vi.setConfig({ testTimeout: 60_000 });

const folder = mkdtempSync(join(tmpdir(), 'every-store-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function open(name: StoreName, settings: Settings) {
  const { store, close } = await storeKind(name).open(settings);
  onTestFinished(async () => void (await close()));
  return {
    set: promisify<string, SessionData>(store.set.bind(store)),
    get: promisify<string, SessionData | null | undefined>(store.get.bind(store)),
  };
}

function sessionFor(seconds: number): SessionData {
  const cookie = new session.Cookie();
  cookie.maxAge = seconds * 1000;
  return { cookie };
}

function tests(name: StoreName, url: string): void {
  const kind = storeKind(name);

  test('keeps a session, and its data apart from what another has', async () => {
    const settings = { url, namespace: newNamespace() };
    await kind.prepare?.(settings);
    const look = await kind.look?.(url);
    onTestFinished(async () => void (await look?.close()));
    const isShared = kind.server !== undefined || kind.inFolder === true;
    try {
      const store = await open(name, settings);
      const ada = sessionFor(600);
      await store.set('ada', ada);
      expect(await store.get('ada')).toMatchObject({ cookie: { originalMaxAge: ada.cookie.originalMaxAge } });
      const other = await open(name, { ...settings, connections: 1 });
      expect(Boolean(await other.get('ada'))).toBe(isShared);

      const elsewhere = { url, namespace: newNamespace() };
      await kind.prepare?.(elsewhere);
      const stranger = await open(name, elsewhere);
      await stranger.set('grace', sessionFor(600));
      expect(await stranger.get('ada').catch((error) => error.code === 'ENOENT' && null)).toBeFalsy();
      await look?.drop(elsewhere.namespace);

      if (look) {
        // Deadlines may be rounded to the second.
        expect(Math.abs(((await look.left(settings.namespace, 'ada')) ?? 0) - 600_000)).toBeLessThan(30_000);
        expect(await look.left(settings.namespace, 'nobody')).toBeUndefined();
      }
    } finally {
      await look?.drop(settings.namespace);
    }
  });

  test('says what it is', () => {
    expect(productOf(kind.package).version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(driverOf(kind)?.name).toBe(kind.driver);
  });
}

for (const name of storeNames) {
  const { server, inFolder } = storeKind(name);
  if (server !== undefined) describeOnServer(server, name, ({ url }) => tests(name, url));
  else describe(name, () => tests(name, inFolder ? folder : ''));
}

test('the driver that a package brings is the one that counts', () => {
  const brought = driverOf(storeKind('connect-mongodb-session'));
  expect(brought?.version).toMatch(/^6\./);
  expect(brought?.version).not.toBe(productOf('mongodb').version);
});
