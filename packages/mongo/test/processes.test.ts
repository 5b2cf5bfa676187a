import { serve, sessionWith } from '@session-stores/test-kit';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import type { SessionData } from 'express-session';
import { expect, onTestFinished, test } from 'vitest';
import type { MongoStore } from '../src/index.js';
import { connect, open, uniqueName } from './helpers.js';

/** A session as a request of this store has loaded it. */
async function load(store: MongoStore, id: string) {
  const data = await store.get(id);
  if (data === null) throw new Error(`no session ${id}`);
  const request = { sessionID: id, sessionStore: store } as unknown;
  return store.createSession(request as Parameters<MongoStore['createSession']>[0], data as SessionData);
}

describeOnServer('mongo', 'two processes', ({ url }) => {
  function setUp() {
    const dbName = uniqueName();
    const client = connect(url);
    onTestFinished(async () => void (await client.db(dbName).dropDatabase()));
    return [open({ url, dbName, touchAfter: 0 }), open({ url, dbName, touchAfter: 0 })] as const;
  }

  test('see what the other has written at once', async () => {
    const [one, two] = setUp();
    for (let n = 0; n < 20; n++) {
      await one.set('a', sessionWith({ n }));
      expect(await two.get('a')).toMatchObject({ n });
    }
  });

  test('agree that a logout is final', async () => {
    const [one, two] = setUp();
    await one.set('a', sessionWith({ user: 'alice' }));
    const late = await load(one, 'a');
    const unchanged = await load(one, 'a');
    const discarded: string[] = [];
    one.on('discarded', ({ operation }) => discarded.push(operation));
    await two.destroy('a');
    late.n = 1;
    await one.set('a', late);
    await one.touch('a', unchanged);
    expect(await one.get('a')).toBeNull();
    expect(await two.length()).toBe(0);
    await expect.poll(() => discarded, { timeout: 2000 }).toEqual(['set', 'touch']);
  });

  test('do not end each other a session that is stored twice', async () => {
    const [one, two] = setUp();
    await one.set('a', sessionWith({ n: 1 }));
    const [mine, theirs] = [await load(one, 'a'), await load(two, 'a')];
    mine.n = 2;
    theirs.user = 'alice';
    await one.set('a', mine);
    await two.set('a', theirs);
    expect(await one.get('a')).toMatchObject({ user: 'alice' });
  });

  test('never bring a session back, whatever both of them do at once', async () => {
    const [one, two] = setUp();
    for (let round = 0; round < 20; round++) {
      await one.set('a', sessionWith({ n: 0 }));
      const sessions = await Promise.all(Array.from({ length: 8 }, (_, n) => load(n % 2 ? one : two, 'a')));
      await Promise.all([
        ...sessions.map((session, n) => {
          const store = n % 2 ? one : two;
          if (n % 4 < 2) return store.touch('a', session);
          session.n = n;
          return store.set('a', session);
        }),
        two.destroy('a'),
      ]);
      expect(await one.get('a')).toBeNull();
    }
  });

  test('serve one person, who is logged out of both', async () => {
    const [one, two] = await Promise.all(setUp().map((store) => serve(store)));
    const here = one?.browser();
    await here?.go('/login/alice');
    const there = two?.browser(here?.cookie);
    for (let n = 1; n < 10; n += 2) {
      expect((await here?.go('/'))?.body).toBe(`alice ${n}`);
      expect((await there?.go('/'))?.body).toBe(`alice ${n + 1}`);
    }
    await there?.go('/logout');
    expect((await here?.go('/'))?.status).toBe(401);
  });
});
