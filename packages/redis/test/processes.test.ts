import { serve, sessionWith } from '@session-stores/test-kit';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import type session from 'express-session';
import { expect, test } from 'vitest';
import type { RedisStore } from '../src/index.js';
import { connect, open } from './helpers.js';

/** What a request does that has loaded the session. */
async function request(store: RedisStore): Promise<session.Session & session.SessionData> {
  const loaded = await store.load('a');
  if (loaded === undefined) throw new Error('there is no session');
  return loaded;
}

describeOnServer('redis', 'two processes with one session', ({ url }) => {
  async function setUp() {
    const prefix = uniquePrefix();
    const [here, there] = [open({ url, prefix, touchAfter: 0 }), open({ url, prefix, touchAfter: 0 })];
    const discarded: string[] = [];
    here.on('discarded', ({ operation }) => discarded.push(operation));
    await here.set('a', sessionWith({ user: 'alice' }));
    const left = () => connect(url).pttl(`${prefix}a`);
    return { here, there, discarded, left };
  }

  test.each(['merge', 'overwrite', 'reject'] as const)(
    'a late save after a logout elsewhere changes nothing, and is told: conflicts %s',
    async (conflicts) => {
      const prefix = uniquePrefix();
      const [here, there] = [open({ url, prefix, conflicts }), open({ url, prefix, conflicts })];
      const told: string[] = [];
      here.on('discarded', ({ operation }) => told.push(operation));
      await here.set('a', sessionWith({ user: 'alice' }));
      const late = await request(here);
      await there.destroy('a');
      late.n = 1;
      await here.set('a', late);
      expect(await there.get('a')).toBeNull();
      await expect.poll(() => told).toEqual(['set']);
    },
  );

  test('a late touch after a logout elsewhere changes nothing', async () => {
    const { here, there, discarded } = await setUp();
    const late = await request(here);
    await there.destroy('a');
    await here.touch('a', late);
    expect(await there.get('a')).toBeNull();
    await expect.poll(() => discarded).toEqual(['touch']);
  });

  test('a touch of a plain object after a logout creates nothing', async () => {
    const { here, there } = await setUp();
    await there.destroy('a');
    await here.touch('a', sessionWith({ user: 'alice' }));
    expect(await there.get('a')).toBeNull();
  });

  test('a session that is saved twice in one request holds what came last', async () => {
    const { here, there } = await setUp();
    const mine = await request(here);
    mine.n = 1;
    await here.set('a', mine);
    mine.n = 2;
    await here.set('a', mine);
    expect(await there.get('a')).toMatchObject({ user: 'alice', n: 2 });
  });

  test('a second save after a logout elsewhere changes nothing either', async () => {
    const { here, there } = await setUp();
    const mine = await request(here);
    mine.n = 1;
    await here.set('a', mine);
    await there.destroy('a');
    mine.n = 2;
    await here.set('a', mine);
    expect(await there.get('a')).toBeNull();
  });

  test('what one made longer, the other does not shorten', async () => {
    const { here, there, left } = await setUp();
    const [mine, theirs] = [await request(here), await request(there)];
    theirs.cookie.maxAge = 3_600_000;
    await there.set('a', theirs);
    await here.touch('a', mine);
    expect(await left()).toBeGreaterThan(3_500_000);
  });

  test('a logout elsewhere holds against a request that is under way', async () => {
    const prefix = uniquePrefix();
    const stores = [open({ url, prefix }), open({ url, prefix })] as const;
    const [one, two] = await Promise.all(stores.map((store) => serve(store)));
    if (one === undefined || two === undefined) throw new Error('no applications');
    const alice = one.browser();
    await alice.go('/login/alice');
    const tab = two.browser(alice.cookie);
    const slow = tab.go('/slow');
    await expect.poll(() => two.waiting()).toBe(1);
    await alice.go('/logout');
    two.proceed();
    expect((await slow).status).toBe(200);
    expect((await tab.go('/')).status).toBe(401);
    expect(await stores[0].length()).toBe(0);
  });
});
