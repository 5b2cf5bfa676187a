import { describe, test } from 'vitest';
import { type TestStore, testStoreBy } from './cases.js';

export type { Expectations, TestStore } from './cases.js';

/** Registers the tests with vitest. */
export const testStore: TestStore = testStoreBy(describe, (cases) => {
  for (const { label, alone, run } of cases) (alone ? test : test.concurrent)(label, { timeout: 0 }, run);
});
