import { testBackend, testSweep } from '@session-stores/test-kit';
import { describe } from 'vitest';
import { MemoryBackend } from '../src/memory-store.js';

function place() {
  const backend = new MemoryBackend(Number.POSITIVE_INFINITY);
  return {
    here: backend,
    there: backend,
    neighbours: () => [new MemoryBackend(1)],
    records: () => backend.count(),
  };
}

describe('the backend', () => {
  testBackend(place);
  testSweep(place);
});
