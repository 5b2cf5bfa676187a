import { sessionWith, testOptions } from '@session-stores/test-kit';
import { expect, test } from 'vitest';
import { PostgresStore } from '../src/index.js';
import { lookAt, onPostgres, open, peerTable, poolOn, uniqueTable } from './helpers.js';

const HERE = { host: 'localhost' };

testOptions(PostgresStore, [
  ['nothing', {}, 'give either `pool`, or `connectionString` or connection options, got neither'],
  ['both', { ...HERE, pool: { connect() {}, query() {} } }, 'connection options, got both'],
  ['no pool', { pool: {} }, 'option `pool` must be a Pool of pg, got a value of type object'],
  ['another URL', { connectionString: 'mysql://u:hunter2@h' }, 'must be a postgres:// URL, got a string'],
  ['an unknown name', { ...HERE, hots: 'a' }, 'unknown option `hots`: there are `application_name`, '],
  ['a port that is none', { port: 0 }, 'option `port` must be a port number, got 0'],
  ['a password that is none', { ...HERE, password: ['hunter2'] }, 'option `password` must be a string'],
  ['a long name', { ...HERE, table: 'x'.repeat(64) }, 'option `table` must be a name of up to 63 bytes'],
  ['an empty schema', { ...HERE, schema: '' }, "option `schema` must be a name of up to 63 bytes, got ''"],
  ['a wrong flag', { ...HERE, createTable: 1 }, 'option `createTable` must be true or false, got 1'],
  ["the peer's conString", { conString: 'a' }, 'unknown option `conString`: use `connectionString`'],
  ["the peer's tableName", { tableName: 't' }, 'unknown option `tableName`: use `table`'],
  ["the peer's createTableIfMissing", { createTableIfMissing: true }, 'use `createTable`'],
  ["the peer's pruneSessionInterval", { pruneSessionInterval: 60 }, 'use `sweepInterval`, in seconds'],
]);

onPostgres('the table', ({ url }) => {
  const look = lookAt(url);

  test('may be in a schema, and have any name', async () => {
    const [schema, table] = [`S "${uniqueTable()}`, 'we"ird; --'];
    await look.query(`CREATE SCHEMA "${schema.replace('"', '""')}"`);
    const store = open({ connectionString: url, schema, table });
    await store.set('a', sessionWith({ user: 'alice' }));
    const pool = poolOn(url);
    expect(await open({ pool, schema, table }).get('a')).toMatchObject({ user: 'alice' });
    await look.query(`DROP SCHEMA "${schema.replace('"', '""')}" CASCADE`);
  });

  test('is made by several at once', async () => {
    const table = uniqueTable();
    const stores = Array.from({ length: 6 }, () => open({ connectionString: url, table }));
    await Promise.all(stores.map((store, n) => store.set(`id${n}`, sessionWith())));
    expect(await stores[0]?.length()).toBe(6);
    const indexes = await look.query('SELECT FROM pg_indexes WHERE tablename = $1', [table]);
    expect(indexes).toHaveLength(2);
  });

  test('is not made when that is not wanted, and used when it is there', async () => {
    const table = uniqueTable();
    const store = open({ connectionString: url, table, createTable: false });
    await expect(store.get('a')).rejects.toMatchObject({
      code: 'BACKEND',
      message: expect.stringContaining(`there is no table "${table}", and \`createTable\` is false`),
    });
    await look.query(peerTable(table));
    expect(await store.get('a')).toBeNull();
  });

  test('needs no privilege but those on its rows when it is there', async () => {
    const table = uniqueTable();
    await look.query(peerTable(table));
    await look.query(`CREATE ROLE ${table}_user LOGIN`);
    await look.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ${table}_user`);
    const store = open({ connectionString: url.replace('postgres@', `${table}_user@`), table });
    await store.set('a', sessionWith());
    await store.touch('a', sessionWith());
    expect(await store.length()).toBe(1);
    await store.clear();
    await store.sweep();
  });

  test('is made anew when it was dropped', async () => {
    const table = uniqueTable();
    const store = open({ connectionString: url, table });
    await store.set('a', sessionWith());
    await look.query(`DROP TABLE ${table}`);
    await expect(store.get('a')).rejects.toMatchObject({ code: 'BACKEND' });
    expect(await store.get('a')).toBeNull();
  });

  test.each([
    ['sid int PRIMARY KEY, sess json, expire timestamp', 'column sid of table .* is of type integer'],
    ['sid varchar PRIMARY KEY, sess json, expire bigint', 'column expire of table .* is of type bigint'],
    ['sid varchar PRIMARY KEY, sess bytea, expire timestamp', 'column sess of table .* is of type bytea'],
    ['sid varchar PRIMARY KEY, expire timestamp', 'table .* has no column sess'],
  ])('that is no sessions table is refused: %s', async (columns, problem) => {
    const table = uniqueTable();
    await look.query(`CREATE TABLE ${table} (${columns})`);
    await expect(open({ connectionString: url, table }).get('a')).rejects.toThrow(new RegExp(problem));
  });

  test('keeps what a serializer makes that is no JSON', async () => {
    const serializer = {
      stringify: (session: object) => Buffer.from(JSON.stringify(session)).toString('base64'),
      parse: (text: string) => JSON.parse(Buffer.from(text, 'base64').toString()),
    };
    const store = open({ connectionString: url, table: uniqueTable(), serializer });
    await store.set('a', sessionWith({ user: 'alice' }));
    expect(await store.get('a')).toMatchObject({ user: 'alice' });
  });

  test('an injected pool stays open, and keeps its settings', async () => {
    const pool = poolOn(url, { max: 1, statement_timeout: 12_345 });
    const store = new PostgresStore({ pool, table: uniqueTable() });
    await store.set('a', sessionWith());
    await store.destroy('a');
    await store.close();
    const { rows } = await pool.query('SHOW statement_timeout');
    expect(rows).toEqual([{ statement_timeout: '12345ms' }]);
  });
});
