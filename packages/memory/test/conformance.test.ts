import { testStore } from '@session-stores/conformance/vitest';
import { MemoryStore } from '../src/index.js';

testStore(
  'MemoryStore',
  () => ({
    store: new MemoryStore({ ttl: 100 }),
    elsewhere: { module: new URL('fixtures/elsewhere.mjs', import.meta.url).href },
    cleanUp: (store) => store.close(),
    fallbackMs: 100_000,
  }),
  {
    unsupported: [
      'FAULT',
      // No server: no deadline to read from it, and no limit but the memory.
      ...['TTL-009', 'TTL-023', 'TTL-024', 'DATA-025', 'DATA-026', 'CAPABILITY-002', 'CAPABILITY-003'],
      // Nor a second connection to it, for this process or another.
      ...[
        'ISOLATION-009',
        'ISOLATION-010',
        'RACE-005',
        'RACE-022',
        'RACE-023',
        'RACE-041',
        'RACE-042',
        'RACE-043',
        'RACE-044',
      ],
    ],
  },
);
