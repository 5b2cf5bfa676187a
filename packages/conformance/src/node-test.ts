import { describe, test } from 'node:test';
import { casesOf, type Expectations } from './cases.js';
import type { AnyStore, Harness } from './harness.js';
import { groups } from './requirement.js';

export type { Expectations } from './cases.js';

/**
 * Registers one test for each requirement with `node:test`.
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
        const ours = cases.filter((each) => each.group === group);
        describe('side by side', { concurrency: 16 }, () => {
          for (const { label, run } of ours.filter(({ alone }) => !alone)) test(label, run);
        });
        for (const { label, run } of ours.filter(({ alone }) => alone)) test(label, run);
      });
    }
  });
}
