import { failure, sessionWith, testOptions } from '@session-stores/test-kit';
import { createPool } from 'mysql2';
import { createPool as createPromisePool } from 'mysql2/promise';
import { expect, test } from 'vitest';
import { MySQLStore } from '../src/index.js';
import { onEachServer, open, poolOn, uniqueTable } from './helpers.js';

const HERE = { host: '127.0.0.1' };

testOptions(MySQLStore, [
  ['nothing', {}, 'give either `pool`, or `uri` or connection options, got neither'],
  [
    'both',
    { pool: createPool(HERE), uri: 'mysql://a' },
    'give either `pool`, or `uri` or connection options, got both',
  ],
  ['a pool and a host', { pool: createPool(HERE), host: 'a' }, 'connection options, got both'],
  [
    'no pool',
    { pool: {} },
    'option `pool` must be a pool of mysql2 or mysql2/promise, got a value of type object',
  ],
  ['another URL', { uri: 'postgres://u:hunter2@h' }, 'option `uri` must be a mysql:// URL, got a string'],
  ['an unknown name', { ...HERE, hots: 'a' }, 'unknown option `hots`: there are `authPlugins`, '],
  ["the peer's name", { ...HERE, checkExpirationInterval: 1 }, 'use `sweepInterval`, in seconds'],
  ["the peer's name for all names", { ...HERE, schema: {} }, 'use `table` and `columns`'],
  ["the driver's option for results", { ...HERE, rowsAsArray: true }, 'unknown option `rowsAsArray`'],
  ['a number for a host', { host: 5 }, 'option `host` must be a string, got 5'],
  ['a port in words', { ...HERE, port: 'http' }, "option `port` must be a port number, got 'http'"],
  ['a password that is none', { ...HERE, password: ['hunter2'] }, 'option `password` must be a string'],
  [
    'an empty table',
    { ...HERE, table: '' },
    "option `table` must be a table name, `table` or `schema.table`, got ''",
  ],
  ['too many dots', { ...HERE, table: 'a.b.c' }, 'option `table` must be a table name'],
  ['a long table', { ...HERE, table: 'a'.repeat(65) }, 'option `table` must be a table name'],
  ['a NUL', { ...HERE, table: 'a\0' }, 'option `table` must be a table name'],
  [
    'columns of the peer',
    { ...HERE, columns: { session_id: 'a' } },
    'option `columns` must be an object with any of id',
  ],
  ['one column twice', { ...HERE, columns: { id: 'DATA' } }, 'three different column names'],
  ['a wrong flag', { ...HERE, createTable: 'no' }, "option `createTable` must be true or false, got 'no'"],
  [
    'a wrong interval',
    { ...HERE, sweepInterval: 0 },
    'option `sweepInterval` must be a number of seconds above 0',
  ],
]);

onEachServer('a store', ({ url }) => {
  const { hostname: host, port, username: user, password, pathname } = new URL(url);
  const ways = {
    uri: () => ({ uri: url }),
    'connection options': () => ({ host, port: Number(port), user, password, database: pathname.slice(1) }),
    'a uri and an option': () => ({ uri: url, charset: 'latin1', ssl: undefined, connectTimeout: 1000 }),
    'a pool of mysql2': () => ({ pool: poolOn(url) }),
    'a pool of mysql2/promise': () => ({ pool: createPromisePool(url) }),
  };

  test.each(Object.entries(ways))('works with %s', async (_, make) => {
    const options = make();
    const store = open({ ...options, table: uniqueTable() });
    await store.set('a', sessionWith({ user: 'żółć 🦊' }));
    expect(await store.get('a')).toMatchObject({ user: 'żółć 🦊' });
    await store.close();
    if ('pool' in options && 'pool' in options.pool) await options.pool.end();
  });

  test('refuses a pool that would not keep what is written', async () => {
    const pool = poolOn(url, { connectionLimit: 1 });
    await pool.promise().query('SET autocommit = 0');
    const error = await failure(open({ pool, table: uniqueTable() }).set('a', sessionWith()));
    expect(error).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
    expect(error.message).toContain('the connections of `pool` have autocommit off');
  });
});
