import { randomUUID } from 'node:crypto';
import { testStore } from '@session-stores/conformance/vitest';
import { ExampleStore } from '../src/index.js';
import { onExample } from './helpers.js';

onExample('conformance', ({ url }) => {
  testStore(
    'ExampleStore',
    () => {
      // Requirements run side by side, each on data of its own.
      const options = { url, prefix: `${randomUUID()}:`, ttl: 100, timeoutMs: 30_000 };
      const connect = () => new ExampleStore(options);
      return {
        store: connect(),
        connect,
        elsewhere: { module: new URL('fixtures/elsewhere.mjs', import.meta.url).href, options },
        fallbackMs: 100_000,
        cleanUp: (store: ExampleStore) => store.close(),
      };
    },
    // These look at the server: give the harness a `deadline` and, where there is a limit, `maxBytes`, and take them off.
    { unsupported: ['TTL-009', 'TTL-023', 'TTL-024', 'DATA-025', 'DATA-026', 'FAULT'] },
  );
});
