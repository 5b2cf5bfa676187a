import { failure, sessionWith } from '@session-stores/test-kit';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { expect, test } from 'vitest';
import { connect, lookAt, onEachServer, open, poolOn, uniqueTable } from './helpers.js';

onEachServer('a large session', ({ url }) => {
  const look = lookAt(url);

  test('of quotes and any Unicode comes back as it was', async () => {
    const store = open({ uri: url, table: uniqueTable() });
    const text = `'"\\\u0000🦊`.repeat(100_000);
    await store.set('a', sessionWith({ text }));
    const session = await store.load('a');
    if (session === undefined) throw new Error('there is no session');
    expect(session.text).toBe(text);
    session.text += '!';
    await store.set('a', session);
    expect((await store.get('a'))?.text).toBe(`${text}!`);
  });

  test.each([
    ['text', 2 ** 16 - 1],
    ['tinytext', 2 ** 8 - 1],
    ['varchar(500)', 500],
    ['varbinary(500)', 500],
    ['mediumtext', 2 ** 24 - 1],
  ])('is refused beyond what a column of type %s takes, also in lax mode', async (type, limit) => {
    const table = uniqueTable();
    await look.query(
      `CREATE TABLE ${table} (session_id varchar(128) PRIMARY KEY, expires int unsigned, data ${type}) CHARSET utf8mb4`,
    );
    const pool = poolOn(url, { connectionLimit: 1 });
    await pool.promise().query("SET sql_mode = ''");
    const store = open({ pool, table });
    const size = JSON.stringify(sessionWith({ text: '' })).length;
    await store.set('a', sessionWith({ n: 1 }));
    const error = await failure(store.set('a', sessionWith({ text: 'x'.repeat(limit - size + 1) })));
    expect(error).toMatchObject({ code: 'TOO_LARGE', mayHaveHappened: false });
    expect(await store.get('a')).toMatchObject({ n: 1 });
    if (limit < 2 ** 20) {
      await store.set('a', sessionWith({ text: 'x'.repeat(limit - size) }));
      expect((await store.get('a'))?.text?.length).toBe(limit - size);
    }
  });
});

describeOnServer(
  () => startServer('mariadb', { private: true, args: ['--max-allowed-packet=1M'] }),
  'a server that takes a megabyte at a time',
  (server) => {
    test.each(['uri', 'pool'] as const)(
      'is not sent more, so that neither the connection nor the old session is hurt: %s',
      async (how) => {
        const pool = poolOn(server.url, { connectionLimit: 1 });
        const store = open({
          ...(how === 'pool' ? { pool } : { uri: server.url, connectionLimit: 1 }),
          table: uniqueTable(),
        });
        await store.set('a', sessionWith({ n: 1 }));
        const [connections] = await connect(server.url).query("SHOW STATUS LIKE 'Connections'");
        const large = sessionWith({ text: 'x'.repeat(2 ** 20) });
        const calls = [store.set('a', large), ...Array.from({ length: 20 }, () => store.get('a'))];
        const [refused, ...others] = await Promise.allSettled(calls);
        expect(refused).toMatchObject({
          status: 'rejected',
          reason: { code: 'TOO_LARGE', mayHaveHappened: false },
        });
        expect(new Set(others.map(({ status }) => status))).toEqual(new Set(['fulfilled']));
        expect(await store.get('a')).toMatchObject({ n: 1 });
        const [after] = await connect(server.url).query("SHOW STATUS LIKE 'Connections'");
        expect(Number(after?.['Value']) - Number(connections?.['Value'])).toBe(1);

        const largest = sessionWith({ text: 'x'.repeat(2 ** 20 - 8192) });
        await store.set('a', largest);
        expect((await store.get('a'))?.text?.length).toBe(2 ** 20 - 8192);
        expect(await store.all()).toHaveLength(1);
      },
    );
  },
);
