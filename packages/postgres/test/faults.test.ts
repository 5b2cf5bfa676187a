import { collect, failure, sessionWith } from '@session-stores/test-kit';
import { type OwnServer, startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import type { PostgresStore, PostgresStoreOptions } from '../src/index.js';
import { open, poolOn, uniqueTable } from './helpers.js';

const LIMIT = 400;
/** What a busy machine may add to a time limit. */
const MARGIN = 1000;
/** How long a store may take to come back. */
const RECOVERY = { timeout: 10_000, interval: 20 };

/** Every operation, by name. */
function everything(store: PostgresStore): Record<string, () => Promise<unknown>> {
  return {
    get: () => store.get('a'),
    set: () => store.set('a', sessionWith({ text: 'after the fault' })),
    touch: () => store.touch('a', sessionWith()),
    destroy: () => store.destroy('a'),
    all: () => store.all(),
    entries: () => collect(store.entries()),
    length: () => store.length(),
    clear: () => store.clear(),
    sweep: () => store.sweep(),
  };
}

const ways = ['connection string', 'pool'] as const;

/** A store of its own connections, or on a pool that the test has. */
function openOn(how: (typeof ways)[number], { url }: OwnServer, options: Partial<PostgresStoreOptions> = {}) {
  const table = uniqueTable();
  const connection = how === 'pool' ? { pool: poolOn(url) } : { connectionString: url };
  return { table, store: open({ ...connection, table, ...options }) };
}

const works = (store: PostgresStore) =>
  store.set('alive', sessionWith()).then(
    () => true,
    () => false,
  );

async function idsIn(url: string, table: string): Promise<string[]> {
  const look = new Client({ connectionString: url });
  await look.connect();
  const { rows } = await look.query<{ sid: string }>(`SELECT sid FROM ${table} ORDER BY sid COLLATE "C"`);
  await look.end();
  return rows.map(({ sid }) => sid);
}

describeOnServer(
  () => startServer('postgres', { private: true, persist: true }),
  'a server that fails',
  (server) => {
    test.each(ways)(
      'by being killed is reported at once, and served again when it is back: %s',
      async (how) => {
        const { store } = openOn(how, server);
        await store.set('a', sessionWith({ user: 'alice' }));
        await server.kill();
        await expect
          .poll(async () => String((await failure(store.get('a'))).cause), RECOVERY)
          .toContain('ECONNREFUSED');
        for (const [operation, call] of Object.entries(everything(store))) {
          const error = await failure(call());
          expect(error, operation).toMatchObject({ code: 'UNAVAILABLE', operation, mayHaveHappened: false });
          expect(error.after, operation).toBeLessThan(MARGIN);
        }
        await server.restart();
        await expect.poll(() => works(store), RECOVERY).toBe(true);
        expect(await store.get('a')).toMatchObject({ user: 'alice' });
        for (const call of Object.values(everything(store))) await call();
      },
    );

    test('never gets later what was answered with an error', async () => {
      const { store, table } = openOn('connection string', server);
      await store.length();
      const stored: string[] = [];
      let failed = 0;
      const write = (id: string) =>
        store.set(id, sessionWith()).then(
          () => stored.push(id),
          () => failed++,
        );
      // Some are answered before the kill, some are under way, some come after it.
      const answers: Promise<number>[] = [];
      for (let n = 0; n < 300; n++) {
        answers.push(write(`id${n}`));
        if (n === 100) answers.push(server.kill().then(() => 0));
        if (n % 10 === 0) await new Promise(setImmediate);
      }
      await Promise.all(answers);
      expect(failed).toBeGreaterThan(0);
      await server.restart();
      const there = await idsIn(server.url, table);
      expect(there).toEqual(expect.arrayContaining(stored));
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      expect(await idsIn(server.url, table)).toEqual(['alive', ...there].sort());
    });

    test.each(ways)('by freezing is answered for in time: %s', async (how) => {
      const { store, table } = openOn(how, server, { timeoutMs: LIMIT });
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      await server.pause();
      try {
        const calls = Object.entries(everything(store));
        const errors = await Promise.all(calls.map(([, call]) => failure(call())));
        for (const [n, error] of errors.entries()) {
          expect(error, calls[n]?.[0]).toMatchObject({ code: 'TIMEOUT' });
          expect(error.after, calls[n]?.[0]).toBeLessThan(LIMIT + MARGIN);
        }
      } finally {
        await server.resume();
      }
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      // What waits for a commit never gets it.
      if (how === 'pool') expect(await idsIn(server.url, table)).toEqual(['alive']);
    });

    test('by ending connections loses none that were idle, and no call hangs', async () => {
      const { store } = openOn('connection string', server);
      await Promise.all(Array.from({ length: 10 }, (_, n) => store.set(`id${n}`, sessionWith())));
      const look = new Client({ connectionString: server.url });
      await look.connect();
      await look.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()',
      );
      await look.end();
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      expect(await store.length()).toBe(11);
    });

    test('by becoming read-only is left for a new connection', async () => {
      const { store } = openOn('connection string', server);
      await store.set('a', sessionWith());
      const look = new Client({ connectionString: server.url });
      await look.connect();
      try {
        await look.query('ALTER DATABASE sessions SET default_transaction_read_only = on');
        await look.query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()',
        );
        const refused = async () => (await failure(store.set('a', sessionWith()))).code;
        await expect.poll(refused, RECOVERY).toBe('UNAVAILABLE');
        expect(await store.get('a')).not.toBeNull();
      } finally {
        await look.query('SET default_transaction_read_only = off');
        await look.query('ALTER DATABASE sessions RESET default_transaction_read_only');
        await look.end();
      }
      await expect.poll(() => works(store), RECOVERY).toBe(true);
    });

    test('shows no password', async () => {
      const store = open({ connectionString: server.url.replace('postgres@', 'nobody:hush-hush@') });
      const error = await failure(store.get('a'));
      expect(error).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
      expect(`${error}${error.stack}${(error.cause as Error).stack}`).not.toContain('hush');
    });
  },
);
