import { randomUUID } from 'node:crypto';
import { testStore } from '@session-stores/conformance/vitest';
import { ExampleStore } from '../src/index.js';
import { onExample } from './helpers.js';

onExample('conformance', ({ url }) => {
  testStore(
    'ExampleStore',
    () => {
      // Requirements run side by side, each on data of its own.
      const prefix = `${randomUUID()}:`;
      const connect = () => new ExampleStore({ url, prefix, ttl: 100 });
      return {
        store: connect(),
        connect,
        grainMs: 1,
        fallbackMs: 100_000,
        cleanUp: (store: ExampleStore) => store.close(),
      };
    },
    // These read a session's deadline from the server: give the harness a `deadline`, and take them off.
    { unsupported: ['TTL-009', 'TTL-023', 'TTL-024'] },
  );
});
