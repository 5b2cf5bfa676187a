import type { Answer, SessionStore } from '@session-stores/core';
import { expect, test } from 'vitest';
import { failure } from './answers.js';
import { sessionWith } from './sessions.js';

/** What a busy machine may add to a time limit. */
const MARGIN = 1000;

/** A store with the sessions `a`, `b` and `c`, connected and used before, and another client of its server that can lock them. */
export interface Lockable {
  readonly store: SessionStore;
  /** Lets that client lock them, and the place of a session `new`; answers what unlocks them and undoes what that client did. */
  lock(): Answer<() => Answer<unknown>>;
  /** All that is stored, deadlines included. */
  rows(): Answer<unknown[]>;
  /** Resolves when nothing of what the store was asked waits or runs any more. */
  settled(): Answer<unknown>;
}

type Write = (store: SessionStore) => Promise<unknown>;

/** The ways to write that may come in any order. */
export const writes: Readonly<Record<string, Write>> = {
  set: (store) => store.set('a', sessionWith({ text: 'new' })),
  'set of a new one': (store) => store.set('new', sessionWith()),
  touch: (store) => store.touch('a', sessionWith({}, 1000_000)),
  destroy: (store) => store.destroy('a'),
  clear: (store) => store.clear(),
};

async function saveInRequest(store: SessionStore): Promise<void> {
  const session = await store.load('a');
  if (session === undefined) throw new Error('there is no session');
  session.text = 'new';
  await store.set('a', session);
}

/**
 * That a call on a session that another client has locked is answered in time, and never carried out after that.
 *
 * @param open Opens such a store with a time limit in milliseconds, each in a place of its own.
 * @param limits The time limits to try.
 * @param others More ways to write that wait for such a lock.
 */
export function testLocked(
  open: (timeoutMs: number) => Promise<Lockable>,
  limits: readonly number[],
  others: Readonly<Record<string, Write>> = {},
): void {
  const all = { ...writes, 'save in a request': saveInRequest, ...others };
  test.each(limits)('is neither changed nor made after an error, which comes within %i ms', async (limit) => {
    await Promise.all(
      Object.entries(all).map(async ([name, write]) => {
        const { store, lock, rows, settled } = await open(limit);
        const before = await rows();
        expect(before).toHaveLength(3);
        const unlock = await lock();
        const error = await failure(write(store));
        // The server may have given up before the store did.
        expect(['TIMEOUT', 'BACKEND'], name).toContain(error.code);
        expect(error.after, name).toBeLessThan(limit + MARGIN);
        await unlock();
        await settled();
        expect(await rows(), name).toEqual(before);
      }),
    );
  });
}
