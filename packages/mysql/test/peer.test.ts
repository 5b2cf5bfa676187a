import { serve, sessionWith } from '@session-stores/test-kit';
import connectMySQL from 'express-mysql-session';
import session from 'express-session';
import type { RowDataPacket } from 'mysql2';
import { expect, onTestFinished, test } from 'vitest';
import { lookAt, onEachServer, open, uniqueTable } from './helpers.js';

const TheirStore = connectMySQL(session);

/** The peer's store, closed after the test. */
async function openTheirs(
  url: string,
  options: { table?: string; columns?: Record<string, string>; make?: boolean } = {},
) {
  const { hostname: host, port, username: user, password, pathname } = new URL(url);
  const store = new TheirStore({
    ...{ host, port: Number(port), user, password, database: pathname.slice(1) },
    clearExpired: false,
    createDatabaseTable: options.make ?? true,
    schema: {
      ...(options.table && { tableName: options.table }),
      ...(options.columns && { columnNames: options.columns }),
    },
  });
  await store.onReady();
  onTestFinished(() => store.close());
  return store;
}

/** A session as it is once stored, whatever its dates are made of. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

onEachServer('the layout of express-mysql-session', ({ url }) => {
  const look = lookAt(url);
  const rowsOf = (table: string): Promise<RowDataPacket[]> =>
    look.query(
      `SELECT CONVERT(session_id USING utf8mb4) AS id, expires, data FROM ${table} ORDER BY session_id`,
    );

  /** Both stores on one table, which one of them has made. */
  async function setUp(maker: 'ours' | 'theirs') {
    const table = uniqueTable();
    const ours = open({ uri: url, table });
    if (maker === 'ours') await ours.length();
    const theirs = await openTheirs(url, { table, make: maker === 'theirs' });
    return { table, ours, theirs };
  }

  test('has the same names by default', async () => {
    const database = uniqueTable();
    await look.query(`CREATE DATABASE ${database}`);
    try {
      const there = Object.assign(new URL(url), { pathname: `/${database}` }).href;
      const theirs = await openTheirs(there);
      await theirs.set('a', sessionWith({ user: 'alice' }));
      expect(await open({ uri: there }).get('a')).toMatchObject({ user: 'alice' });
    } finally {
      await look.query(`DROP DATABASE ${database}`);
    }
  });

  for (const maker of ['ours', 'theirs'] as const) {
    test(`is written as it writes it, in a table of ${maker}`, async () => {
      const { table, ours, theirs } = await setUp(maker);
      const session = { ...sessionWith({ user: 'żółć 🦊', n: 1 }), nothing: undefined };
      await ours.set('a', session);
      await theirs.set('b', session);
      const [mine, its] = await rowsOf(table);
      expect(JSON.parse(mine?.['data'])).toEqual(JSON.parse(its?.['data']));
      // Theirs is rounded to the nearest second, ours down.
      expect([0, 1]).toContain(its?.['expires'] - mine?.['expires']);
    });

    test(`is read, touched, listed and destroyed by it, in a table of ${maker}`, async () => {
      const { table, ours, theirs } = await setUp(maker);
      const session = sessionWith({ user: 'alice 🦊' });
      await ours.set('a', session);
      await ours.set('b', sessionWith({ user: 'bob' }));
      expect(await theirs.get('a')).toEqual(plain(session));

      await look.query(`UPDATE ${table} SET expires = UNIX_TIMESTAMP() + 10`);
      await theirs.touch('a', session);
      const [row] = await rowsOf(table);
      expect(row?.['expires']).toBeGreaterThan(Date.now() / 1000 + 50);

      const all = Object.values((await theirs.all()) ?? {});
      expect(all.map(({ user }) => user).sort()).toEqual(['alice 🦊', 'bob']);
      expect(await theirs.length()).toBe(2);
      await theirs.destroy('a');
      expect(await ours.get('a')).toBeNull();
      expect(await ours.length()).toBe(1);
    });

    test(`is read, touched, listed and destroyed by us, in a table of ${maker}`, async () => {
      const { table, ours, theirs } = await setUp(maker);
      const session = sessionWith({ user: 'alice 🦊', n: 1 });
      await theirs.set('a', session);
      await theirs.set('b', sessionWith({ user: 'bob' }));
      expect(await ours.get('a')).toMatchObject({
        user: 'alice 🦊',
        n: 1,
        cookie: { originalMaxAge: session.cookie.originalMaxAge },
      });

      await look.query(`UPDATE ${table} SET expires = UNIX_TIMESTAMP() + 10`);
      await ours.touch('a', session);
      const [row] = await rowsOf(table);
      expect(row?.['expires']).toBeGreaterThan(Date.now() / 1000 + 50);

      const all = await ours.all();
      expect(all.map(({ id, user }) => `${id} ${user}`).sort()).toEqual(['a alice 🦊', 'b bob']);
      expect(await ours.length()).toBe(2);
      await ours.destroy('a');
      expect(await theirs.get('a')).toBeFalsy();
      expect(await theirs.length()).toBe(1);
      await ours.clear();
      expect(await theirs.length()).toBe(0);
    });

    test(`keeps a person logged in from one application to the other and back, in a table of ${maker}`, async () => {
      const { ours, theirs } = await setUp(maker);
      const [one, two] = await Promise.all([serve(ours), serve(theirs, { rolling: true })]);
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
  }

  test('with other column names is the same', async () => {
    const table = uniqueTable();
    const theirs = await openTheirs(url, {
      table,
      columns: { session_id: 'sid', expires: 'ends', data: 'payload' },
    });
    const ours = open({ uri: url, table, columns: { id: 'sid', expires: 'ends', data: 'payload' } });
    await theirs.set('a', sessionWith({ user: 'alice' }));
    expect(await ours.get('a')).toMatchObject({ user: 'alice' });
    await ours.set('b', sessionWith({ user: 'bob' }));
    expect(await theirs.get('b')).toMatchObject({ user: 'bob' });
  });
});
