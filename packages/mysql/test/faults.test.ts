import { failure, sessionWith, testFaults, untilItWorks } from '@session-stores/test-kit';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { expect, test } from 'vitest';
import { connect, open, poolOn, uniqueTable } from './helpers.js';

/** Short enough for a change to be made in a transaction. */
const LIMIT = 800;
/** How long a server may take to notice something. */
const NOTICE = { timeout: 5000, interval: 20 };

/** The ids in a table, in order. */
async function idsIn(url: string, table: string): Promise<string[]> {
  const look = connect(url);
  try {
    const rows = await look.query(`SELECT CONVERT(session_id USING utf8mb4) AS id FROM ${table}`);
    return rows.map((row) => String(row['id'])).sort();
  } finally {
    await look.end();
  }
}

for (const name of ['mariadb', 'mysql'] as const) {
  describeOnServer(
    () => startServer(name, { private: true, persist: true }),
    `a server (${name})`,
    (server) => {
      const ways = {
        uri: (uri: string, table: string, options: object) => open({ uri, table, ...options }),
        pool: (uri: string, table: string, options: object) => open({ pool: poolOn(uri), table, ...options }),
      };
      testFaults(server, { ways, limitMs: LIMIT, ids: (table) => idsIn(server.url, table) });

      test.each(Object.entries(ways))(
        'that is frozen gets nothing later at all, where the time is short: %s',
        async (_, openOn) => {
          const table = uniqueTable();
          const store = openOn(server.url, table, { timeoutMs: LIMIT });
          await untilItWorks(store);
          await store.set('there', sessionWith());
          // As many connections as there will be calls.
          await Promise.all(Array.from({ length: 10 }, (_, n) => store.get(`warm${n}`)));
          await server.pause();
          const calls = [
            ...Array.from({ length: 30 }, (_, n) => store.set(`late${n}`, sessionWith())),
            store.destroy('there'),
          ];
          for (const error of await Promise.all(calls.map(failure))) {
            expect(error).toMatchObject({ mayHaveHappened: false });
          }
          await server.resume();
          await untilItWorks(store);
          await Promise.all(Array.from({ length: 20 }, () => store.get('a')));
          const look = connect(server.url);
          const others = async () =>
            (await look.query("SELECT 1 FROM information_schema.processlist WHERE command <> 'Sleep'"))
              .length;
          await expect.poll(others, NOTICE).toBe(1);
          await look.end();
          expect(await idsIn(server.url, table)).toEqual(['alive', 'there']);
        },
      );

      test('that is frozen gets nothing that was half sent, and keeps the old session', async () => {
        const look = connect(server.url, { connectionLimit: 1 });
        await look.query("CREATE USER IF NOT EXISTS large IDENTIFIED BY ''");
        await look.query('GRANT ALL ON sessions.* TO large');
        await look.query('SET GLOBAL max_allowed_packet = 64000000');
        const store = open({
          uri: server.url.replace('root@', 'large@'),
          table: uniqueTable(),
          connectionLimit: 1,
          timeoutMs: 4000,
        });
        await store.set('a', sessionWith({ text: 'old' }));
        await server.pause();
        const error = await failure(store.set('a', sessionWith({ text: 'x'.repeat(16_000_000) })));
        expect(['TIMEOUT', 'UNAVAILABLE']).toContain(error.code);
        await server.resume();
        const connections = async () =>
          (await look.query("SELECT 1 FROM information_schema.processlist WHERE user = 'large'")).length;
        await expect.poll(connections, NOTICE).toBe(0);
        expect((await store.get('a'))?.text?.length).toBe(3);
        await look.end();
      });

      test('that closes idle connections costs nothing', async () => {
        const look = connect(server.url, { connectionLimit: 1 });
        await look.query("CREATE USER IF NOT EXISTS idle IDENTIFIED BY ''");
        await look.query('GRANT ALL ON sessions.* TO idle');
        const store = open({ uri: server.url.replace('root@', 'idle@'), table: uniqueTable() });
        await look.query('SET GLOBAL wait_timeout = 1');
        try {
          await Promise.all(Array.from({ length: 5 }, (_, n) => store.get(`id${n}`)));
          const idle = async () =>
            (await look.query("SELECT 1 FROM information_schema.processlist WHERE user = 'idle'")).length;
          expect(await idle()).toBeGreaterThan(0);
          await expect.poll(idle, { timeout: 10_000, interval: 50 }).toBe(0);
          await store.set('a', sessionWith({ n: 1 }));
          expect(await store.get('a')).toMatchObject({ n: 1 });
        } finally {
          await look.query('SET GLOBAL wait_timeout = 28800');
          await look.end();
        }
      });

      test('that takes no more connections is unavailable, for as long as that is so', async () => {
        const look = connect(server.url, { connectionLimit: 1 });
        await look.query("CREATE USER IF NOT EXISTS few IDENTIFIED BY ''");
        await look.query('GRANT ALL ON sessions.* TO few');
        await look.query('ALTER USER few WITH MAX_USER_CONNECTIONS 1');
        const uri = server.url.replace('root@', 'few@');
        const holder = connect(uri, { connectionLimit: 1 });
        await holder.query('SELECT 1');
        const store = open({ uri, table: uniqueTable(), connectionLimit: 1 });
        const error = await failure(store.get('a'));
        expect(error).toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
        await holder.end();
        await untilItWorks(store);
        await look.end();
      });

      test('that became a replica is unavailable for writes, and the next connection may find the primary', async () => {
        const look = connect(server.url, { connectionLimit: 1 });
        await look.query("CREATE USER IF NOT EXISTS app IDENTIFIED BY ''");
        await look.query('GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON sessions.* TO app');
        const store = open({ uri: server.url.replace('root@', 'app@'), table: uniqueTable() });
        const connections = async () =>
          (await look.query("SELECT id FROM information_schema.processlist WHERE user = 'app'")).map(
            ({ id }) => id,
          );
        await store.set('a', sessionWith({ n: 1 }));
        const before = await connections();
        await look.query('SET GLOBAL read_only = 1');
        expect(await failure(store.set('a', sessionWith()))).toMatchObject({
          code: 'UNAVAILABLE',
          mayHaveHappened: false,
        });
        expect(await store.get('a')).toMatchObject({ n: 1 });
        await expect
          .poll(async () => (await connections()).filter((id) => before.includes(id)), NOTICE)
          .toHaveLength(before.length - 1);
        await look.query('SET GLOBAL read_only = 0');
        await store.set('a', sessionWith({ n: 2 }));
        await look.end();
      });
    },
  );
}
