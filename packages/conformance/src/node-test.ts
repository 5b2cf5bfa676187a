import { describe, test } from 'node:test';
import { type TestStore, testStoreBy } from './cases.js';

export type { Expectations, TestStore } from './cases.js';

/** Registers the tests with `node:test`. */
export const testStore: TestStore = testStoreBy(describe, (cases) => {
  describe('side by side', { concurrency: 16 }, () => {
    for (const { label, run } of cases.filter(({ alone }) => !alone)) test(label, run);
  });
  for (const { label, run } of cases.filter(({ alone }) => alone)) test(label, run);
});
