import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { audit, requirementOf } from '../src/audit.js';
import { gate } from '../src/gate.js';
import { judge, type Result } from '../src/judge.js';
import { requirements } from '../src/requirements/index.js';
import { killTable } from './kill-table.js';
import { mutants, sharedMutants } from './mutants.js';
import { harnessOf, ReferenceStore } from './reference-store.js';
import { sharedHarness, type stores } from './shared-stores.js';

/** The ids of what did not pass; what could not be judged aside. */
function failures(results: readonly Result[]): string {
  return results
    .filter(({ status }) => status !== 'pass' && status !== 'unsupported')
    .map(({ id, status }) => (status === 'fail' || status === 'warn' ? id : `${id}:${status}`))
    .join(' ');
}

describe('a store that is broken in one place is caught by exactly the requirements that say so', () => {
  for (const [name, { store, caught, abreast = 16 }] of Object.entries(mutants)) {
    test(name, { timeout: 120_000 }, async () => {
      const results = await audit(harnessOf(store), { abreast });
      expect(failures(results)).toBe(caught);
    });
  }
});

/** The requirements that need another process, which most of the mutants have no means to share their sessions with. */
const ELSEWHERE = ['RACE-023', 'RACE-042', 'RACE-044', 'CAPABILITY-001'];

describe('a store that is broken only for another process is caught there', () => {
  test.concurrent.each(Object.entries(sharedMutants) as [keyof typeof stores, string][])(
    '%s',
    { timeout: 120_000 },
    async (name, caught) => {
      const results = await Promise.all(
        requirements
          .filter(({ id }) => ELSEWHERE.includes(id))
          .map((each) => judge(each, sharedHarness(name))),
      );
      expect(failures(results)).toBe(caught);
    },
  );
});

test('every requirement catches a mutant', () => {
  const idle = killTable().filter(({ kills }) => kills.length === 0);
  expect(idle.map(({ requirement }) => requirement.id)).toEqual([]);
});

test('a store that does not answer is caught', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const asked = gate();
  class Silent extends ReferenceStore {
    override length() {
      asked.open();
      return undefined;
    }
  }
  const judged = judge(requirementOf('CALLBACK-006'), harnessOf(Silent));
  await asked.opened;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(await judged).toMatchObject({
    status: 'fail',
    evidence: 'length did not call back within 20000 ms',
  });
});

test('what the suite or the harness does wrong is an error, not a failure of the store', async () => {
  const [requirement] = requirements;
  const harness = () => {
    throw new Error('no server');
  };
  expect(requirement && (await judge(requirement, harness))).toMatchObject({ status: 'error' });
});
