import type { SessionStore, StoreOptions } from '@session-stores/core';
import type { Session, SessionData } from 'express-session';
import { expect, test } from 'vitest';
import { serve } from './application.js';
import { sessionWith } from './sessions.js';

/** That two processes with one session do not undo what the other one did: two stores, each with a connection of its own. */
export function testTwoStores(place: () => (options: StoreOptions) => SessionStore): void {
  async function setUp(options: StoreOptions = {}) {
    const open = place();
    const [here, there] = [open({ touchAfter: 0, ...options }), open({ touchAfter: 0, ...options })];
    const discarded: string[] = [];
    here.on('discarded', ({ operation }) => discarded.push(operation));
    await here.set('a', sessionWith({ user: 'alice' }));
    return { here, there, discarded };
  }

  test.each(['merge', 'overwrite', 'reject'] as const)(
    'a late save after a logout elsewhere changes nothing, and is told: conflicts %s',
    async (conflicts) => {
      const { here, there, discarded } = await setUp({ conflicts });
      const late = await load(here);
      const unchanged = await load(here);
      await there.destroy('a');
      late.n = 1;
      await here.set('a', late);
      await here.touch('a', unchanged);
      expect(await there.get('a')).toBeNull();
      await expect.poll(() => discarded, { timeout: 5000 }).toEqual(['set', 'touch']);
    },
  );

  test('a second save after a logout elsewhere changes nothing either', async () => {
    const { here, there } = await setUp();
    const mine = await load(here);
    mine.n = 1;
    await here.set('a', mine);
    mine.n = 2;
    await here.set('a', mine);
    expect(await there.get('a')).toMatchObject({ user: 'alice', n: 2 });
    await there.destroy('a');
    mine.n = 3;
    await here.set('a', mine);
    expect(await there.get('a')).toBeNull();
  });

  test('what one made longer, the other does not shorten', async () => {
    const { here, there } = await setUp();
    const [mine, theirs] = [await load(here), await load(there)];
    theirs.cookie.maxAge = 3_600_000;
    await there.set('a', theirs);
    await here.touch('a', mine);
    expect((await load(here)).cookie.maxAge).toBeGreaterThan(3_500_000);
  });

  test('a session never comes back, whatever both of them do at once', async () => {
    const { here, there } = await setUp();
    for (let round = 0; round < 20; round++) {
      await here.set('a', sessionWith({ n: 0 }));
      const stores = Array.from({ length: 8 }, (_, n) => (n % 2 ? here : there));
      const sessions = await Promise.all(stores.map(load));
      const late = stores.map((store, n) => {
        const session = sessions[n];
        if (session === undefined || n % 4 < 2) return store.touch('a', session ?? sessionWith());
        session.n = n;
        return store.set('a', session);
      });
      await Promise.all([...late, there.destroy('a')]);
      expect(await here.get('a')).toBeNull();
    }
  });

  test('one person is served by both, and logged out of both, also of a request under way', async () => {
    const { here, there } = await setUp();
    const [one, two] = [await serve(here), await serve(there)];
    const alice = one.browser();
    await alice.go('/login/alice');
    const tab = two.browser(alice.cookie);
    for (let n = 1; n < 10; n += 2) {
      expect((await alice.go('/')).body).toBe(`alice ${n}`);
      expect((await tab.go('/')).body).toBe(`alice ${n + 1}`);
    }
    const slow = tab.go('/slow');
    await expect.poll(() => two.waiting()).toBe(1);
    await alice.go('/logout');
    two.proceed();
    expect((await slow).status).toBe(200);
    expect((await tab.go('/')).status).toBe(401);
    expect((await alice.go('/')).status).toBe(401);
  });
}

/** What a request has that has loaded the session. */
async function load(store: SessionStore): Promise<Session & SessionData> {
  const loaded = await store.load('a');
  if (loaded === undefined) throw new Error('there is no session');
  return loaded;
}
