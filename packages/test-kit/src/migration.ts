import type { SessionData, Store } from 'express-session';
import { describe, expect, test } from 'vitest';
import { type Browser, serve } from './application.js';
import { sessionWith } from './sessions.js';

/** A published store and ours on the same data, which is empty at first, and what the server itself says of it. */
export interface SharedData {
  readonly theirs: Store;
  readonly ours: Store;
  /** Milliseconds to the deadline of a session. */
  left(id: string): Promise<number>;
  /** Moves the deadline of a session so many milliseconds from now, which may be less than none. */
  endIn(id: string, ms: number): Promise<unknown>;
}

/** What the published store does not do as it should. What it does not have at all needs no mention. */
export interface Flaws {
  readonly countsExpired?: boolean;
  /** Its `all` loses sessions, or tells something else. */
  readonly listsWrong?: boolean;
}

/** Published stores round a deadline to a second, and each clock is read in whole milliseconds. */
const GRAIN_MS = 1005;

type Side = 'theirs' | 'ours';

const DIRECTIONS = [
  ['theirs', 'ours'],
  ['ours', 'theirs'],
] as const satisfies [Side, Side][];

/**
 * Registers what has to hold for an application that changes its store, and changes it back: nobody is logged out, and each store does to
 * the other's sessions what it does to its own. Both stores have the same lifetime for sessions whose cookie has none.
 */
export function testMigration(setUp: () => SharedData | Promise<SharedData>, flaws: Flaws = {}): void {
  describe.each(DIRECTIONS)('from %s to %s', (before, after) => {
    /** Whether what a method says of all sessions, or of those that have expired, can be relied on. */
    const lists = (name: Side) => name === 'ours' || !flaws.listsWrong;
    const counts = (name: Side) => name === 'ours' || !flaws.countsExpired;

    test('a person stays logged in, there and back, until the logout', async () => {
      const data = await setUp();
      const [one, two] = await Promise.all([serve(data[before]), serve(data[after])]);
      const there = one.browser();
      await there.go('/login/alice');
      expect((await there.go('/')).body).toBe('alice 1');

      const here = two.browser(there.cookie);
      expect((await here.go('/')).body).toBe('alice 2');
      expect((await there.go('/')).body).toBe('alice 3');
      expect((await here.go('/')).body).toBe('alice 4');

      await here.go('/logout');
      expect((await there.go('/')).status).toBe(401);
    });

    test('an idle visit moves the deadline', async () => {
      const data = await setUp();
      const [one, two] = await Promise.all([serve(data[before]), serve(data[after])]);
      const there = one.browser();
      await there.go('/login/alice');
      await data.endIn(idOf(there), 10_000);
      const here = two.browser(there.cookie);
      expect((await here.go('/no-such-page')).status).toBe(404);
      expect(await data.left(idOf(there))).toBeGreaterThan(10_000);
      expect((await there.go('/')).body).toBe('alice 1');
    });

    test('sessions are read, listed, counted, destroyed and cleared', async () => {
      const data = await setUp();
      const [from, to] = [promised(data[before]), promised(data[after])];
      const start = performance.now();
      const written = {
        ...sessionWith({ user: 'żółć 🦊', n: 1 }),
        nothing: undefined,
        cart: [{ 'a.$b': 0.5 }],
      };
      await from.set('a', written);
      await from.set('b', sessionWith({ user: 'bob' }));

      const read = await to.get('a');
      const { cookie, ...rest } = asStored(written);
      const { expires, ...settings } = cookie;
      expect(asStored(read)).toMatchObject({ ...rest, cookie: settings });
      const moved = Date.parse(asStored(read).cookie.expires) - Date.parse(expires);
      expect(Math.abs(moved)).toBeLessThanOrEqual(GRAIN_MS + performance.now() - start);

      const users = (all: SessionData[]) => all.map(({ user }) => user).sort();
      if (lists(after)) await expectIfAny(to.all?.().then(users), ['bob', 'żółć 🦊']);
      await expectIfAny(to.length?.(), 2);
      await to.destroy('a');
      expect(await from.get('a')).toBeNull();
      await expectIfAny(from.length?.(), 1);
      await (to.clear?.() ?? to.destroy('b'));
      expect(await from.get('b')).toBeNull();
      await expectIfAny(from.length?.(), 0);
    });

    test('lifetimes agree, and what has ended has ended for both', async () => {
      const data = await setUp();
      const [from, to] = [promised(data[before]), promised(data[after])];
      for (const maxAge of [60_000, null]) {
        const start = performance.now();
        await from.set('a', sessionWith({}, maxAge));
        await to.set('b', sessionWith({}, maxAge));
        const [a, b] = await Promise.all([data.left('a'), data.left('b')]);
        expect(Math.abs(a - b)).toBeLessThanOrEqual(GRAIN_MS + performance.now() - start);
      }

      await Promise.all(['a', 'b'].map((id) => data.endIn(id, -2 * GRAIN_MS)));
      for (const name of [before, after]) {
        const store = promised(data[name]);
        expect([await store.get('a'), await store.get('b')]).toEqual([null, null]);
        if (lists(name)) await expectIfAny(store.all?.(), []);
        if (counts(name)) await expectIfAny(store.length?.(), 0);
      }
    });
  });
}

/** Holds what a method answers against what it should, where the store has that method. */
async function expectIfAny(answer: Promise<unknown> | undefined, expected: unknown): Promise<void> {
  if (answer !== undefined) expect(await answer).toEqual(expected);
}

/** A session as its JSON says it. What is not set may be kept as `null`. */
function asStored(session: unknown): { cookie: { expires: string } } {
  return JSON.parse(JSON.stringify(session, (_, value) => value ?? undefined));
}

/** The id in a browser's cookie, which is that and a signature. */
function idOf({ cookie = '' }: Browser): string {
  return /s:([^.]+)\./.exec(decodeURIComponent(cookie))?.[1] ?? '';
}

type Done<T> = (error: unknown, result?: T | null) => void;

/** What any store answers to its callbacks, as promises; methods that it need not have are missing where it has none. */
export function promised(store: Store) {
  const ask = <T>(call: (done: Done<T>) => void) =>
    new Promise<T | null>((resolve, reject) => {
      call((error, result) => (error ? reject(error) : resolve(result ?? null)));
    });
  return {
    get: (id: string) => ask<SessionData>((done) => store.get(id, done)),
    set: (id: string, session: SessionData) => ask((done) => store.set(id, session, done)),
    destroy: (id: string) => ask((done) => store.destroy(id, done)),
    /** An array, whatever the store makes of it. */
    all:
      store.all &&
      (async (): Promise<SessionData[]> =>
        Object.values((await ask<object>((done) => store.all?.(done))) ?? {})),
    length: store.length && (() => ask<number>((done) => store.length?.(done))),
    clear: store.clear && (() => ask((done) => store.clear?.(done))),
  };
}
