import { sessionWith } from '@session-stores/test-kit';
import { describe, expect, test } from 'vitest';
import { PostgresStore, type PostgresStoreOptions } from '../src/index.js';
import { lookAt, onPostgres, open, peerTable, poolOn, uniqueTable } from './helpers.js';

describe('the options', () => {
  const url = 'postgres://someone:hush-hush@localhost/sessions';

  test.each<[string, object, string]>([
    ['nothing', {}, 'give either `pool`, or `connectionString` or connection options, got neither'],
    ['both', { connectionString: url, pool: poolLike() }, 'got both'],
    ['no pool', { pool: {} }, 'option `pool` must be a Pool of pg, got a value of type object'],
    [
      'no URL',
      { connectionString: 'localhost' },
      'option `connectionString` must be a postgres:// URL, got a string',
    ],
    ['a port that is none', { port: 0 }, 'option `port` must be a port number, got 0'],
    ['a long name', { host: 'h', table: 'x'.repeat(64) }, 'option `table` must be a name of up to 63 bytes'],
    [
      'an empty schema',
      { host: 'h', schema: '' },
      "option `schema` must be a name of up to 63 bytes, got ''",
    ],
    [
      'a flag that is none',
      { host: 'h', createTable: 1 },
      'option `createTable` must be true or false, got 1',
    ],
    ["the peer's conString", { conString: url }, 'unknown option `conString`: use `connectionString`'],
    ["the peer's tableName", { tableName: 't' }, 'unknown option `tableName`: use `table`'],
    ["the peer's createTableIfMissing", { createTableIfMissing: true }, 'use `createTable`'],
    ["the peer's pruneSessionInterval", { pruneSessionInterval: 60 }, 'use `sweepInterval`, in seconds'],
  ])('refuse %s', (_, options, problem) => {
    const make = () => new PostgresStore(options as PostgresStoreOptions);
    expect(make).toThrow(`PostgresStore: ${problem.startsWith('got') ? 'give' : ''}`);
    expect(make).toThrow(problem);
    expect(make).not.toThrow('hush');
  });
});

function poolLike() {
  return { connect() {}, query() {} };
}

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
