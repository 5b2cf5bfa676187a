import { randomUUID } from 'node:crypto';
import { testBackend } from '@session-stores/test-kit';
import { expect } from 'vitest';
import { ExampleBackend } from '../src/example-backend.js';
import { onExample } from './helpers.js';

onExample('the backend', ({ url }) => {
  testBackend(() => {
    const prefix = `${randomUUID()}:`;
    const here = new ExampleBackend(url, prefix);
    return {
      here,
      there: new ExampleBackend(url, prefix),
      neighbours: () => [new ExampleBackend(url, `${prefix}neighbour:`)],
      // What the server holds, seen by other means than the backend: sessions that have ended count as well.
      records: () => expect.fail('records is not written yet'),
    };
  });
});
