import { failure, sessionWith, testFaults, untilItWorks } from '@session-stores/test-kit';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { open, poolOn, uniqueTable } from './helpers.js';

/** Short enough for a busy machine, and long enough for three round trips on one. */
const LIMIT = 800;

describeOnServer(
  () => startServer('postgres', { private: true, persist: true }),
  'a server',
  (server) => {
    /** Asks the server on a connection that ends then. */
    async function ask(...statements: string[]): Promise<Record<string, unknown>[]> {
      const look = new Client({ connectionString: server.url });
      await look.connect();
      try {
        let rows: Record<string, unknown>[] = [];
        for (const sql of statements) ({ rows } = await look.query(sql));
        return rows;
      } finally {
        await look.end();
      }
    }

    const idsIn = async (table: string) => {
      const rows = await ask(`SELECT sid FROM ${table}`);
      return rows.map(({ sid }) => String(sid)).sort();
    };

    const ways = {
      'a connection string': (url: string, table: string, options: object) =>
        open({ connectionString: url, table, ...options }),
      'a pool': (url: string, table: string, options: object) =>
        open({ pool: poolOn(url), table, ...options }),
    };
    testFaults(server, { ways, limitMs: LIMIT, ids: idsIn });

    test('that is frozen gets nothing later at all from a store on a pool', async () => {
      const table = uniqueTable();
      const store = ways['a pool'](server.url, table, { timeoutMs: LIMIT });
      await untilItWorks(store);
      await store.set('there', sessionWith());
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
      const others = "SELECT FROM pg_stat_activity WHERE state <> 'idle' AND pid <> pg_backend_pid()";
      await expect.poll(() => ask(others), { timeout: 10_000 }).toEqual([]);
      expect(await idsIn(table)).toEqual(['alive', 'there']);
    });

    test('that ends idle connections costs nothing', async () => {
      const store = open({ connectionString: server.url, table: uniqueTable() });
      await Promise.all(Array.from({ length: 10 }, (_, n) => store.set(`id${n}`, sessionWith())));
      const others = 'FROM pg_stat_activity WHERE client_port > 0 AND pid <> pg_backend_pid()';
      await ask(`SELECT pg_terminate_backend(pid) ${others}`);
      await expect.poll(() => ask(`SELECT ${others}`), { timeout: 10_000 }).toEqual([]);
      await untilItWorks(store);
      expect(await store.length()).toBe(11);
    });

    test('that became a standby is unavailable for writes, and the next connection may find the primary', async () => {
      await ask('CREATE ROLE demoted LOGIN SUPERUSER');
      const url = server.url.replace('postgres@', 'demoted@');
      const store = open({ connectionString: url, table: uniqueTable(), max: 1 });
      const connection = async () => ask("SELECT pid FROM pg_stat_activity WHERE usename = 'demoted'");
      await ask('ALTER ROLE demoted SET default_transaction_read_only = on');
      expect(await failure(store.set('a', sessionWith()))).toMatchObject({
        code: 'UNAVAILABLE',
        mayHaveHappened: false,
      });
      await expect.poll(connection, { timeout: 5000 }).toEqual([]);
      await ask('ALTER ROLE demoted RESET default_transaction_read_only');
      await store.set('a', sessionWith({ n: 1 }));
      expect(await store.get('a')).toMatchObject({ n: 1 });
    });

    test('that takes no more connections is unavailable, for as long as that is so', async () => {
      await ask('CREATE ROLE one LOGIN CONNECTION LIMIT 1', 'GRANT ALL ON SCHEMA public TO one');
      const url = server.url.replace('postgres@', 'one@');
      const holder = new Client({ connectionString: url });
      await holder.connect();
      const store = open({ connectionString: url, table: uniqueTable(), max: 1 });
      expect(await failure(store.get('a'))).toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
      await holder.end();
      await untilItWorks(store);
    });
  },
);
