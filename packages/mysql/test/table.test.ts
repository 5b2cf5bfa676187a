import { failure, sessionWith } from '@session-stores/test-kit';
import type { RowDataPacket } from 'mysql2';
import { expect, test } from 'vitest';
import type { MySQLStoreOptions } from '../src/index.js';
import { lookAt, onEachServer, open, peerTable, poolOn, uniqueTable } from './helpers.js';

onEachServer('the table', ({ url, name: server }) => {
  const look = lookAt(url);
  const columnsOf = async (table: string) =>
    (await look.query(`SHOW COLUMNS FROM ${table}`)).map((row) => `${row['Field']} ${row['Type']}`);

  /** A store on a table that was there before it. */
  async function on(definition: (table: string) => string, options: MySQLStoreOptions = { uri: url }) {
    const table = uniqueTable();
    await look.query(definition(table));
    return { table, store: open({ table, ...options }) };
  }

  test('is made on first use, with an index on its deadlines and ids that compare exactly', async () => {
    const table = uniqueTable();
    const store = open({ uri: url, table });
    expect(await look.query('SHOW TABLES LIKE ?', [table])).toEqual([]);
    await store.set('a', sessionWith({ user: 'alice' }));
    const columns = (await columnsOf(table)).map((column) => column.replace('int(10)', 'int'));
    expect(columns).toEqual(['session_id varbinary(512)', 'expires int unsigned', 'data mediumtext']);
    const indexes = await look.query(`SHOW INDEX FROM ${table}`);
    expect(indexes.map((row) => `${row['Key_name']} ${row['Column_name']}`)).toEqual([
      'PRIMARY session_id',
      'expires expires',
    ]);
  });

  test('is made by several at once without an error', async () => {
    const table = uniqueTable();
    const stores = Array.from({ length: 6 }, () => open({ uri: url, table }));
    await Promise.all(stores.map((store, n) => store.set(`id${n}`, sessionWith())));
    expect(await stores[0]?.length()).toBe(6);
  });

  test('is made again after somebody has dropped it', async () => {
    const table = uniqueTable();
    const store = open({ uri: url, table });
    await store.set('a', sessionWith());
    await look.query(`DROP TABLE ${table}`);
    expect((await failure(store.get('a'))).code).toBe('BACKEND');
    expect(await store.get('a')).toBeNull();
    await store.set('a', sessionWith());
    expect(await store.length()).toBe(1);
  });

  test('may be in another schema, and its names may be any', async () => {
    const schema = uniqueTable();
    await look.query(`CREATE DATABASE ${schema}`);
    try {
      const columns = { id: 'Ключ; DROP', expires: 'order', data: 'da`ta"\'' };
      const store = open({ uri: url, table: `${schema}.my \`sessions\``, columns });
      await store.set('a', sessionWith({ user: 'alice' }));
      await store.touch('a', sessionWith());
      expect(await store.get('a')).toMatchObject({ user: 'alice' });
      expect((await store.all()).map(({ id }) => id)).toEqual(['a']);
      expect(await store.sweep()).toBe(0);
      expect(await columnsOf(`${schema}.\`my \`\`sessions\`\`\``)).toEqual([
        expect.stringMatching('^Ключ; DROP'),
        expect.stringMatching('^order'),
        expect.stringMatching('^da`ta'),
      ]);
      await store.destroy('a');
      expect(await store.length()).toBe(0);
    } finally {
      await look.query(`DROP DATABASE ${schema}`);
    }
  });

  test('is not made where `createTable` is false', async () => {
    const table = uniqueTable();
    const store = open({ uri: url, table, createTable: false });
    const error = await failure(store.get('some-id'));
    expect(error.code).toBe('BACKEND');
    expect(error.message).toContain(`there is no table ${table}, and \`createTable\` is false`);
    await look.query(peerTable(table));
    expect(await store.get('a')).toBeNull();
  });

  test('needs a database', async () => {
    const store = open({ uri: url.replace(/\/\w+$/, '/') });
    const error = await failure(store.get('some-id'));
    expect(error).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
    expect(error.message).toContain('No database selected');
  });

  test('needs no privilege to make it when it is there, and says what is missing when it is not', async () => {
    const table = uniqueTable();
    const user = table.slice(0, 30);
    await look.query(peerTable(table));
    await look.query(`CREATE USER ${user} IDENTIFIED BY 'hush-hush'`);
    try {
      await look.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ${user}`);
      const uri = url.replace('root@', `${user}:hush-hush@`);
      const store = open({ uri, table });
      await store.set('a', sessionWith({ user: 'alice' }));
      await store.touch('a', sessionWith());
      expect(await store.get('a')).toMatchObject({ user: 'alice' });
      await store.sweep();
      await store.clear();

      const error = await failure(open({ uri, table: uniqueTable() }).set('some-id', sessionWith()));
      expect(error).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
      expect(error.message).toMatch(/command denied to user/);
      expect(`${error.stack}${error.cause}`).not.toContain('hush');

      const stranger = open({ uri: uri.replace('hush-hush', 'hush-wrong'), table });
      const refused = await failure(stranger.get('some-id'));
      expect(refused).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
      expect(refused.message).toMatch(/Access denied for user/);
      expect(`${refused.stack}${refused.cause}`).not.toContain('hush');
    } finally {
      await look.query(`DROP USER ${user}`);
    }
  });

  test.each([
    ['express-mysql-session', peerTable],
    [
      'express-mysql-session before version 3, whose text holds 64 KB',
      (
        table: string,
      ) => `CREATE TABLE ${table} (session_id varchar(128) COLLATE utf8_bin NOT NULL PRIMARY KEY,
        expires int(11) unsigned NOT NULL, data text COLLATE utf8_bin) ENGINE=InnoDB`,
    ],
    [
      'somebody who compares ids without case',
      (table: string) => `CREATE TABLE ${table} (id int AUTO_INCREMENT PRIMARY KEY, expires bigint NOT NULL,
        session_id varchar(128) COLLATE utf8mb4_unicode_ci NOT NULL UNIQUE, data longtext COLLATE utf8mb4_unicode_ci) ENGINE=InnoDB`,
    ],
    [
      'somebody who has latin1',
      (table: string) => `CREATE TABLE ${table} (session_id varchar(128) NOT NULL PRIMARY KEY,
        expires int NOT NULL, data longtext) ENGINE=InnoDB CHARSET latin1 COLLATE latin1_swedish_ci`,
    ],
    [
      'somebody who has UTF-16',
      (table: string) => `CREATE TABLE ${table} (session_id varchar(128) NOT NULL PRIMARY KEY,
        expires int unsigned NOT NULL, data longtext) ENGINE=InnoDB CHARSET utf16`,
    ],
    [
      'somebody who keeps bytes',
      (table: string) => `CREATE TABLE ${table} (session_id varbinary(128) NOT NULL PRIMARY KEY,
        expires int unsigned NOT NULL, data longblob, KEY (expires)) ENGINE=InnoDB`,
    ],
    [
      'somebody who keeps JSON',
      (table: string) => `CREATE TABLE ${table} (session_id char(64) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
        expires int unsigned NOT NULL, data json) ENGINE=InnoDB`,
    ],
  ])('of %s serves', async (_, definition) => {
    const { table, store } = await on(definition);
    await store.set('abc', sessionWith({ user: 'alice', n: 1 }));
    await store.set('abd', sessionWith({ user: 'bob' }));
    const session = await store.load('abc');
    if (session === undefined) throw new Error('there is no session');
    session.n = 2;
    await store.set('abc', session);
    session.n = 3;
    await store.set('abc', session);
    expect(await store.get('abc')).toMatchObject({ user: 'alice', n: 3 });
    expect(await store.get('ABC')).toBeNull();
    expect(await store.get('abc ')).toBeNull();
    await store.destroy('abc ');
    await store.destroy('ABC');
    await store.touch('ABC', sessionWith());
    expect((await store.all()).map(({ id }) => id).sort()).toEqual(['abc', 'abd']);
    expect((await columnsOf(table)).length).toBeGreaterThanOrEqual(3);
    await look.query(`UPDATE ${table} SET expires = 1 WHERE session_id = 'abd'`);
    expect(await store.sweep()).toBe(1);
    await store.destroy('abc');
    expect(await store.length()).toBe(0);
  });

  test.each([
    ['utf8mb4_unicode_ci', 'abc', 'ABC'],
    ['utf8mb4_unicode_ci', 'abc', 'ábc'],
    ['utf8mb4_bin', 'abc', 'abc '],
  ])(
    'whose ids compare by %s refuses %j beside %j, and keeps the one that it has',
    async (collation, one, two) => {
      const { store } = await on(
        (table) => `CREATE TABLE ${table} (session_id varchar(128) COLLATE ${collation} NOT NULL PRIMARY KEY,
        expires int unsigned NOT NULL, data mediumtext COLLATE utf8mb4_bin) ENGINE=InnoDB`,
      );
      await store.set(one, sessionWith({ user: 'alice' }));
      const error = await failure(store.set(two, sessionWith({ user: 'mallory' })));
      expect(error).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
      expect(error.message).toContain('takes this id for that of another session');
      expect(await store.get(one)).toMatchObject({ user: 'alice' });
      expect(await store.get(two)).toBeNull();
      await store.set(one, sessionWith({ user: 'alice', n: 2 }));
      expect(await store.get(one)).toMatchObject({ n: 2 });
    },
  );

  test.each([
    ['latin1', 'żółć'],
    ['utf8', '🦊'],
  ])('in %s refuses ids and sessions that it cannot hold, also in lax mode', async (charset, text) => {
    const { store } = await on(
      (table) => `CREATE TABLE ${table} (session_id varchar(128) NOT NULL PRIMARY KEY,
        expires int unsigned NOT NULL, data mediumtext) ENGINE=InnoDB CHARSET ${charset}`,
    );
    await store.set('a', sessionWith({ text: 'old' }));
    for (const call of [() => store.set(text, sessionWith()), () => store.set('a', sessionWith({ text }))]) {
      const error = await failure(call());
      expect(error).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
      expect(error.message).toContain('cannot hold');
    }
    expect(await store.get(text)).toBeNull();
    await store.destroy(text);
    expect(await store.get('a')).toMatchObject({ text: 'old' });
  });

  test('with short ids refuses longer ones', async () => {
    const { store } = await on(
      (table) => `CREATE TABLE ${table} (session_id varchar(32) NOT NULL PRIMARY KEY,
        expires int unsigned NOT NULL, data mediumtext) ENGINE=InnoDB CHARSET utf8mb4`,
    );
    await store.set('🦊'.repeat(32), sessionWith());
    const error = await failure(store.set('a'.repeat(33), sessionWith()));
    expect(error.message).toContain('cannot hold this id');
    expect(error.message).not.toContain('aaa');
    expect(await store.length()).toBe(1);
  });

  test.each([
    ['has no column expires', 'session_id varchar(128) PRIMARY KEY, ends int, data text'],
    [
      'needs a primary key or unique index on session_id alone',
      'session_id varchar(128), expires int, data text, KEY (session_id)',
    ],
    [
      'needs a primary key or unique index on session_id alone',
      'session_id varchar(128), expires int, data text, PRIMARY KEY (session_id, expires)',
    ],
    [
      'needs a primary key or unique index on session_id alone',
      'session_id varchar(128), expires int, data text, UNIQUE KEY (session_id(10))',
    ],
    ['column expires of table', 'session_id varchar(128) PRIMARY KEY, expires datetime, data text'],
    ['column session_id of table', 'session_id int PRIMARY KEY, expires int, data text'],
  ])('is refused when it %s', async (problem, columns) => {
    const { table, store } = await on((table) => `CREATE TABLE ${table} (${columns}) ENGINE=InnoDB`);
    const error = await failure(store.set('some-id', sessionWith()));
    expect(error).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
    expect(error.message).toContain(problem);
    expect(await look.query(`SELECT * FROM ${table}`)).toEqual([]);
  });

  test.each([
    'session_id varchar(128) COLLATE utf8mb4_bin',
    'session_id varchar(128) CHARACTER SET utf8mb4',
    'session_id varchar(128) CHARACTER SET utf8',
    'session_id varchar(128) CHARACTER SET latin1',
    'session_id varbinary(512)',
  ])('is looked up by its index: %s', async (id) => {
    const pool = poolOn(url, { connectionLimit: 1, charset: 'latin1' });
    const { table, store } = await on(
      (table) => `CREATE TABLE ${table} (${id} PRIMARY KEY, expires int unsigned, data mediumtext)`,
      { pool },
    );
    const size = 3000;
    const rows = Array.from({ length: size }, (_, n) => [`id${n}`, 4e9, '{"cookie":{}}']);
    await look.query(`INSERT INTO ${table} VALUES ?`, [rows]);
    /** The rows that the store's one connection has read. */
    const read = async () => {
      const [status] = await pool.promise().query<RowDataPacket[]>("SHOW STATUS LIKE 'Handler_read%'");
      return status.reduce((sum, row) => sum + Number(row['Value']), 0);
    };
    await store.get('warm');
    const before = await read();
    await store.get('id7');
    await store.touch('id7', sessionWith());
    await store.set('id7', sessionWith());
    await store.destroy('id7');
    expect((await read()) - before).toBeLessThan(size);
  });

  test(`has what cannot be kept in a native JSON column refused: ${server}`, async () => {
    const { store } = await on(
      (table) => `CREATE TABLE ${table} (session_id varchar(128) COLLATE utf8mb4_bin PRIMARY KEY,
        expires int unsigned NOT NULL, data json) ENGINE=InnoDB`,
      {
        uri: url,
        serializer: { stringify: (session) => `v1:${JSON.stringify(session)}`, parse: JSON.parse },
      },
    );
    const error = await failure(store.set('a', sessionWith({ text: 'secret' })));
    expect(error).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
    expect(`${error.stack}${error.cause}`).not.toContain('secret');
    expect(await store.get('a')).toBeNull();
  });
});
