import { describe, it } from 'mocha';
import { casesOf, type Expectations } from './cases.js';
import type { AnyStore, Harness } from './harness.js';
import { groups } from './requirement.js';

export type { Expectations } from './cases.js';

/**
 * Registers one test for each requirement with mocha, which runs them one after the other.
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
    for (const group of groups) {
      describe(group, () => {
        for (const { label, run } of cases.filter((each) => each.group === group)) it(label, run).timeout(0);
      });
    }
  });
}
