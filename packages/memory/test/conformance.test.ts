import { testStore } from '@session-stores/conformance/vitest';
import { MemoryStore } from '../src/index.js';

testStore(
  'MemoryStore',
  () => ({
    store: new MemoryStore({ ttl: 100 }),
    cleanUp: (store) => store.close(),
    grainMs: 1,
    fallbackMs: 100_000,
  }),
  // No server: no second connection to it, and no deadline to read from it.
  { unsupported: ['TTL-009', 'TTL-023', 'TTL-024', 'ISOLATION-009', 'ISOLATION-010', 'RACE-005'] },
);
