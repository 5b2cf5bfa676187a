import { sessionWith, testMigration } from '@session-stores/test-kit';
import connectMySQL from 'express-mysql-session';
import session from 'express-session';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { MySQLStoreOptions } from '../src/index.js';
import { lookAt, onEachServer, open, uniqueTable } from './helpers.js';

const TheirStore = connectMySQL(session);

/** The published store, closed after the test. */
async function openTheirs(url: string, options: ConstructorParameters<typeof TheirStore>[0] = {}) {
  const { hostname: host, port, username: user, password, pathname } = new URL(url);
  const store = new TheirStore({
    ...{ host, port: Number(port), user, password, database: pathname.slice(1) },
    clearExpired: false,
    ...options,
  });
  await store.onReady();
  onTestFinished(() => store.close());
  return store;
}

onEachServer('the data of express-mysql-session', ({ url }) => {
  const look = lookAt(url);

  /** Both stores on a table with these columns, once `make` has made it, if one of them does not. */
  function setUp(
    { id, expires, data }: Required<NonNullable<MySQLStoreOptions['columns']>>,
    make: (table: string) => Promise<unknown>,
  ) {
    return async () => {
      const table = uniqueTable();
      await make(table);
      const columnNames = { session_id: id, expires, data };
      const theirs = await openTheirs(url, {
        expiration: 100_000,
        schema: { tableName: table, columnNames },
      });
      return {
        theirs,
        ours: open({ uri: url, table, columns: { id, expires, data }, ttl: 100 }),
        async left(sid: string) {
          const sql = `SELECT (${expires} - UNIX_TIMESTAMP(NOW(3))) * 1000 AS ms FROM ${table} WHERE ${id} = ?`;
          return Number((await look.query(sql, [sid]))[0]?.['ms']);
        },
        endIn: (sid: string, ms: number) =>
          look.query(`UPDATE ${table} SET ${expires} = UNIX_TIMESTAMP() + ? WHERE ${id} = ?`, [
            ms / 1000,
            sid,
          ]),
      };
    };
  }
  const columns = { id: 'session_id', expires: 'expires', data: 'data' };

  describe('in its table', () => {
    testMigration(setUp(columns, async () => {}));
  });

  describe('in a table of ours', () => {
    testMigration(setUp(columns, (table) => open({ uri: url, table }).length()));
  });

  describe('in a JSON column', () => {
    testMigration(
      setUp(columns, (table) =>
        look.query(`CREATE TABLE ${table} (
          session_id varchar(128) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, expires int unsigned NOT NULL, data json)`),
      ),
    );
  });

  describe('in columns with other names', () => {
    const names = { id: 'sid', expires: 'ends', data: 'payload' };
    testMigration(
      setUp(names, async () => {}),
      { listsWrong: true },
    );
  });

  test('is stored as it stores it', async () => {
    const table = uniqueTable();
    const theirs = await openTheirs(url, { schema: { tableName: table } });
    const session = { ...sessionWith({ user: 'żółć 🦊', n: 1 }), nothing: undefined };
    await open({ uri: url, table }).set('a', session);
    await theirs.set('b', session);
    const [ours, its] = await look.query(`SELECT expires, data FROM ${table} ORDER BY session_id`);
    expect(JSON.parse(ours?.['data'])).toEqual(JSON.parse(its?.['data']));
    // Theirs is rounded to the nearest second, ours down.
    expect([0, 1]).toContain(its?.['expires'] - ours?.['expires']);
  });

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
});
