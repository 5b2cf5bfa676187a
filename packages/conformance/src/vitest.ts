import { describe, test } from 'vitest';
import { judge } from './audit.js';
import type { AnyStore, Harness } from './harness.js';
import { groups } from './requirement.js';
import { requirements } from './requirements/index.js';

/** Lists are exact: an id that is listed and passes is a failure, like one that fails and is not listed. */
export interface Expectations {
  /** Requirements that this store is known not to meet. */
  readonly knownFailures?: readonly string[];
  /** Requirements that cannot be judged, because the store has no such method or the harness no means to look. */
  readonly unsupported?: readonly string[];
}

/**
 * Registers one test for each requirement with vitest.
 *
 * @throws {TypeError} for an id in the lists that no requirement has, or that is in both.
 */
export function testStore<S extends AnyStore>(
  name: string,
  harness: Harness<S>,
  { knownFailures = [], unsupported = [] }: Expectations = {},
): void {
  for (const id of [...knownFailures, ...unsupported]) {
    if (!requirements.some((requirement) => requirement.id === id)) {
      throw new TypeError(`testStore: there is no requirement ${id}`);
    }
    if (knownFailures.includes(id) && unsupported.includes(id)) {
      throw new TypeError(`testStore: ${id} is listed both as a known failure and as unsupported`);
    }
  }
  const expected = (id: string) =>
    knownFailures.includes(id) ? 'fail' : unsupported.includes(id) ? 'unsupported' : 'pass';

  describe(name, () => {
    describe.each(groups)('%s', (group) => {
      for (const requirement of requirements.filter((candidate) => candidate.group === group)) {
        const { id, level, title, why, source, alone } = requirement;
        const want = expected(id);
        const label = `${id} ${level} ${title}${want === 'pass' ? '' : ` [known: ${want}]`}`;
        (alone ? test : test.concurrent)(label, { timeout: 300_000 }, async () => {
          const { status, evidence } = await judge(requirement, harness);
          if (status === want) return;
          throw new Error(
            `${id}: ${status}, expected ${want}${evidence && `\n${evidence}`}\nWhy it matters: ${why}\n“${source.quote}” ${source.url}`,
          );
        });
      }
    });
  });
}
