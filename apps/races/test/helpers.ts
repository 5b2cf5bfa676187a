import { describeOnServer } from '@session-stores/test-servers/vitest';
import { describe, onTestFinished, vi } from 'vitest';
import { Applications } from '../src/applications.js';
import { type StoreName, storeKind, storeNames } from '../src/stores.js';

// For a machine that does much else; each test takes a fraction of it.
vi.setConfig({ testTimeout: 120_000 });

export const ourStores = storeNames.filter((name) => storeKind(name).ours);
export const peers = storeNames.filter((name) => !storeKind(name).ours);

/** Nobody keeps the hosts of our stores' applications in time. */
const SKEW = 5 * 60_000;

/** Runs the tests with applications on a store, on the shared server where it needs one. They are stopped after each test. */
export function describeOnStore(
  name: StoreName,
  title: string,
  tests: (start: () => Promise<Applications>) => void,
): void {
  const starter = (url?: string) => async () => {
    const applications = await Applications.start(name, url, storeKind(name).ours ? SKEW : 0);
    onTestFinished(() => applications.stop());
    return applications;
  };
  const { server } = storeKind(name);
  if (server === undefined) describe(title, () => tests(starter()));
  else describeOnServer(server, title, ({ url }) => tests(starter(url)));
}
