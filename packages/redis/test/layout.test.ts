import { serve, sessionWith } from '@session-stores/test-kit';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import { RedisStore as ConnectRedis } from 'connect-redis';
import type session from 'express-session';
import { expect, test } from 'vitest';
import { connect, open } from './helpers.js';

describeOnServer('redis', 'the layout of connect-redis', ({ url }) => {
  function setUp() {
    const prefix = uniquePrefix();
    const client = connect(url);
    return { prefix, client, ours: open({ client, prefix }), theirs: new ConnectRedis({ client, prefix }) };
  }

  /** A session as it is once stored, whatever its dates are made of. */
  const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

  test('has the same default prefix', async () => {
    const client = connect(url, { keyPrefix: uniquePrefix() });
    const theirs = new ConnectRedis({ client });
    await theirs.set('a', sessionWith({ user: 'alice' }));
    expect(await open({ client }).get('a')).toMatchObject({ user: 'alice' });
    await theirs.destroy('a');
  });

  test('is written as connect-redis writes it', async () => {
    const { prefix, client, ours, theirs } = setUp();
    const session = { ...sessionWith({ user: 'żółć 🦊', n: 1 }), nothing: undefined };
    await ours.set('ours', session);
    await theirs.set('theirs', session);
    expect(JSON.parse((await client.get(`${prefix}ours`)) ?? '')).toEqual(
      JSON.parse((await client.get(`${prefix}theirs`)) ?? ''),
    );
    const [left = 0, leftThere = 0] = await Promise.all(
      ['ours', 'theirs'].map((id) => client.pttl(prefix + id)),
    );
    expect(left).toBeGreaterThan(0);
    // Theirs is rounded up to a second.
    expect(leftThere - left).toBeLessThanOrEqual(1000);
  });

  test('is read, touched, listed and destroyed by connect-redis', async () => {
    const { prefix, client, ours, theirs } = setUp();
    const session = sessionWith({ user: 'alice' });
    await ours.set('a', session);
    await ours.set('b', sessionWith({ user: 'bob' }));
    expect(await theirs.get('a')).toEqual(plain(session));

    await client.pexpire(`${prefix}a`, 10_000);
    await theirs.touch('a', session);
    expect(await client.pttl(`${prefix}a`)).toBeGreaterThan(50_000);

    const all = (await theirs.all()) as { id: string; user: string }[];
    expect(all.map(({ id, user }) => `${id} ${user}`).sort()).toEqual(['a alice', 'b bob']);
    expect(await theirs.length()).toBe(2);
    await theirs.destroy('a');
    expect(await ours.get('a')).toBeNull();
    expect(await ours.length()).toBe(1);
  });

  test('is read, touched, listed and destroyed by us', async () => {
    const { prefix, client, ours, theirs } = setUp();
    const session = sessionWith({ user: 'alice', n: 1 });
    await theirs.set('a', session);
    await theirs.set('b', sessionWith({ user: 'bob' }));
    expect(await ours.get('a')).toMatchObject({ user: 'alice', n: 1, cookie: { originalMaxAge: 60_000 } });

    await client.pexpire(`${prefix}a`, 10_000);
    await ours.touch('a', session);
    expect(await client.pttl(`${prefix}a`)).toBeGreaterThan(50_000);

    const all = await ours.all();
    expect(all.map(({ id, user }) => `${id} ${user}`).sort()).toEqual(['a alice', 'b bob']);
    expect(await ours.length()).toBe(2);
    await ours.destroy('a');
    expect(await theirs.get('a')).toBeFalsy();
    expect(await theirs.length()).toBe(1);
  });

  test('takes sessions that connect-redis was told never to expire', async () => {
    const { prefix, client, ours } = setUp();
    await new ConnectRedis({ client, prefix, disableTTL: true }).set('a', sessionWith({ user: 'alice' }));
    expect(await client.pttl(`${prefix}a`)).toBe(-1);
    expect(await ours.get('a')).toMatchObject({ user: 'alice' });
    expect((await ours.all()).map(({ id }) => id)).toEqual(['a']);
  });

  test('keeps a person logged in from one application to the other and back', async () => {
    const { ours, theirs } = setUp();
    const [one, two] = await Promise.all([serve(ours), serve(theirs as session.Store, { rolling: true })]);
    const there = two.browser();
    await there.go('/login/alice');
    expect((await there.go('/')).body).toBe('alice 1');

    const here = one.browser(there.cookie);
    expect((await here.go('/')).body).toBe('alice 2');
    expect((await there.go('/')).body).toBe('alice 3');
    expect((await here.go('/')).body).toBe('alice 4');
    await here.go('/logout');
    expect((await there.go('/')).status).toBe(401);

    await here.go('/login/bob');
    const back = two.browser(here.cookie);
    expect((await back.go('/')).body).toBe('bob 1');
    await back.go('/logout');
    expect((await here.go('/')).status).toBe(401);
  });
});
