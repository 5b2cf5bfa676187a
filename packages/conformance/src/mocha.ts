import { describe, it } from 'mocha';
import { type TestStore, testStoreBy } from './cases.js';

export type { Expectations, TestStore } from './cases.js';

/** Registers the tests with mocha, which runs them one after the other. */
export const testStore: TestStore = testStoreBy(describe, (cases) => {
  for (const { label, run } of cases) it(label, run).timeout(0);
});
