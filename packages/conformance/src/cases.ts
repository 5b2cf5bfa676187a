import { requirementsOf } from './audit.js';
import type { AnyStore, Harness } from './harness.js';
import { judge } from './judge.js';
import { type Group, groups } from './requirement.js';
import { requirements } from './requirements/index.js';

/**
 * Lists are of ids, and of groups for all that is in them. They are exact: an id that is listed and passes is a failure, like one that
 * fails and is not listed.
 */
export interface Expectations {
  /** Requirements that this store is known not to meet, of whatever level. */
  readonly knownFailures?: readonly string[];
  /** Requirements that cannot be judged, because the store has no such method or the harness no means to look. */
  readonly unsupported?: readonly string[];
}

/** One requirement as a test. */
export interface Case {
  readonly group: Group;
  readonly label: string;
  /** Whether it must not run beside others. */
  readonly alone: boolean;
  /** Rejects when the store is not as expected. It ends by itself: a runner needs no time limit. */
  run(): Promise<void>;
}

/**
 * Every requirement as a test of this store.
 *
 * @throws {TypeError} for an id in the lists that no requirement has, or that is in both.
 */
function casesOf<S extends AnyStore>(harness: Harness<S>, expectations: Expectations): readonly Case[] {
  const [knownFailures, unsupported] = [idsIn(expectations.knownFailures), idsIn(expectations.unsupported)];
  const both = knownFailures.find((id) => unsupported.includes(id));
  if (both) throw new TypeError(`testStore: ${both} is listed both as a known failure and as unsupported`);
  return requirements.map((requirement) => {
    const { id, group, level, title, why, source, alone = false } = requirement;
    const want = knownFailures.includes(id) ? 'fail' : unsupported.includes(id) ? 'unsupported' : 'pass';
    return {
      group,
      label: `${id} ${level} ${title}${want === 'pass' ? '' : ` [known: ${want}]`}`,
      alone,
      run: async () => {
        const { status, evidence } = await judge(requirement, harness);
        if ((status === 'warn' ? 'fail' : status) === want) return;
        throw new Error(
          `${id}: ${status}, expected ${want}${evidence && `\n${evidence}`}\nWhy it matters: ${why}\n“${source.quote}” ${source.url}`,
        );
      },
    };
  });
}

/**
 * Registers one test for each requirement.
 *
 * @throws {TypeError} for an id in the lists that no requirement has, or that is in both.
 */
export type TestStore = <S extends AnyStore>(
  name: string,
  harness: Harness<S>,
  expectations?: Expectations,
) => void;

/** That for a runner which nests tests by `describe`; `register` takes the cases of one group. */
export function testStoreBy(
  describe: (title: string, nested: () => void) => unknown,
  register: (cases: readonly Case[]) => void,
): TestStore {
  return (name, harness, expectations = {}) => {
    const cases = casesOf(harness, expectations);
    describe(name, () => {
      for (const group of groups) {
        describe(group, () => register(cases.filter((each) => each.group === group)));
      }
    });
  };
}

const idsIn = (list: readonly string[] = []): readonly string[] =>
  list.flatMap(requirementsOf).map(({ id }) => id);
