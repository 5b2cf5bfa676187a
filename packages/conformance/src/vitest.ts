import { describe, test } from 'vitest';
import { casesOf, type Expectations } from './cases.js';
import type { AnyStore, Harness } from './harness.js';
import { groups } from './requirement.js';

export type { Expectations } from './cases.js';

/**
 * Registers one test for each requirement with vitest.
 *
 * @throws {TypeError} for an id in the lists that no requirement has, or that is in both.
 */
export function testStore<S extends AnyStore>(
  name: string,
  harness: Harness<S>,
  expectations: Expectations = {},
): void {
  const cases = casesOf(harness, expectations);
  describe(name, () => {
    describe.each(groups)('%s', (group) => {
      for (const { label, alone, run } of cases.filter((each) => each.group === group)) {
        (alone ? test : test.concurrent)(label, { timeout: 0 }, run);
      }
    });
  });
}
