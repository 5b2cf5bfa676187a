import { failure, sessionWith, testLocked, writes } from '@session-stores/test-kit';
import { describe, expect, test, vi } from 'vitest';
import { type Client, lookAt, onEachServer, open, poolOn, uniqueTable } from './helpers.js';

/** What a busy machine may add to a time limit. */
const MARGIN = 1000;

onEachServer('a session that another client has locked', ({ url }) => {
  const look = lookAt(url);

  async function setUp(how: 'uri' | 'pool', timeoutMs: number) {
    const table = uniqueTable();
    const store = open({
      ...(how === 'uri' ? { uri: url, connectionLimit: 3 } : { pool: poolOn(url, { connectionLimit: 3 }) }),
      table,
      timeoutMs,
    });
    const patient = open({ uri: url, table, connectionLimit: 1 });
    for (const id of ['a', 'b', 'c']) await patient.set(id, sessionWith({ text: 'old' }));
    // Connected, and acquainted with the table, which on a busy machine takes longer than a short limit.
    await expect.poll(() => store.length().catch(() => undefined), { timeout: 10_000 }).toBe(3);
    const locker = await look.session();
    await locker.query('BEGIN');
    return { table, store, locker, rows: () => look.query(`SELECT * FROM ${table} ORDER BY session_id`) };
  }

  /** Resolves when no statement on the table waits or runs any more. */
  async function untilQuiet(table: string): Promise<void> {
    const running = async () => (await statementsOn(look, table)).length;
    await expect.poll(running, { timeout: 10_000, interval: 20 }).toBe(0);
  }

  for (const how of ['uri', 'pool'] as const) {
    describe(`in a store with a ${how}`, () => {
      testLocked(
        async (limit) => {
          const { table, store, locker, rows } = await setUp(how, limit);
          return {
            ...{ store, rows },
            async lock() {
              // All rows, and the places between them.
              await locker.query(`SELECT * FROM ${table} FOR UPDATE`);
              return () => locker.query('ROLLBACK');
            },
            settled: () => untilQuiet(table),
          };
        },
        [300, 5000],
      );
    });

    test(`delays nobody else: ${how}`, async () => {
      const { table, store, locker } = await setUp(how, 5000);
      await locker.query(`SELECT * FROM ${table} WHERE session_id = 'a' FOR UPDATE`);
      const blocked = store.set('a', sessionWith({ text: 'new' }));
      const over = vi.fn();
      blocked.then(over, over);
      const waiting = async () => (await statementsOn(look, table)).length;
      await expect.poll(waiting, { timeout: 3000, interval: 10 }).toBe(1);
      expect(await open({ uri: url, table }).get('a')).toMatchObject({ text: 'old' });
      for (let n = 0; n < 5; n++) {
        await Promise.all(
          ['b', 'c', `new${n}`].map(async (id) => {
            await store.set(id, sessionWith({ n }));
            expect(await store.get(id)).toMatchObject({ n });
          }),
        );
      }
      expect(over).not.toHaveBeenCalled();
      await locker.query('ROLLBACK');
      await blocked;
    });

    test(`is served when the lock goes away in time: ${how}`, async () => {
      const { table, store, locker } = await setUp(how, 5000);
      await locker.query(`UPDATE ${table} SET data = '{"cookie":{},"text":"theirs"}' WHERE session_id = 'a'`);
      const saved = store.set('a', sessionWith({ text: 'mine' }));
      // The first wait is given up after a second, or two.
      const waits = new Set<string>();
      const count = async () => {
        for (const id of await waitsFor(look, table)) waits.add(id);
        return waits.size;
      };
      // The server looks anew only after a tenth of a second in which nobody asked.
      await expect.poll(count, { timeout: 5000, interval: 150 }).toBe(2);
      await locker.query('COMMIT');
      await saved;
      expect(await store.get('a')).toMatchObject({ text: 'mine' });
    });
  }

  test('is listed and counted all the same', async () => {
    const { table, store, locker } = await setUp('uri', 1000);
    await locker.query(`SELECT * FROM ${table} FOR UPDATE`);
    expect(await store.length()).toBe(3);
    expect((await store.all()).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  });

  test('does not fail a call that loses a deadlock', async () => {
    const { table, store, locker } = await setUp('uri', 5000);
    const heavy = uniqueTable();
    await look.query(`CREATE TABLE ${heavy} (n int PRIMARY KEY)`);
    // Of two transactions, the lighter one is given up.
    await locker.query(
      `INSERT INTO ${heavy} VALUES ${Array.from({ length: 100 }, (_, n) => `(${n})`).join()}`,
    );
    await locker.query(`SELECT * FROM ${table} WHERE session_id = 'c' FOR UPDATE`);
    const cleared = store.clear();
    await expect
      .poll(async () => (await statementsOn(look, table)).length, { timeout: 3000, interval: 5 })
      .toBe(1);
    await locker.query(`UPDATE ${table} SET expires = expires + 1 WHERE session_id = 'a'`);
    await locker.query('COMMIT');
    await cleared;
    expect(await store.length()).toBe(0);
  });

  test('with its whole table, is answered for in time, and not changed later', async () => {
    for (const timeoutMs of [300, 5000]) {
      const { table, store, locker, rows } = await setUp('uri', timeoutMs);
      const before = await rows();
      await locker.query(`LOCK TABLES ${table} WRITE`);
      const calls = [
        ...Object.values(writes).map((write) => write(store)),
        store.get('b'),
        store.length(),
        store.all(),
      ];
      for (const error of await Promise.all(calls.map(failure))) {
        expect(['TIMEOUT', 'BACKEND']).toContain(error.code);
        expect(error.after).toBeLessThan(timeoutMs + MARGIN);
      }
      await locker.query('UNLOCK TABLES');
      await untilQuiet(table);
      expect(await rows()).toEqual(before);
      expect(await store.get('a')).toMatchObject({ text: 'old' });
    }
  });

  test('leaves an injected pool with the settings that it had', async () => {
    const pool = poolOn(url, { connectionLimit: 1 });
    await pool.promise().query('SET innodb_lock_wait_timeout = 17, lock_wait_timeout = 18');
    const store = open({ pool, table: uniqueTable() });
    await store.set('a', sessionWith());
    await store.destroy('a');
    const [rows] = await pool
      .promise()
      .query('SELECT @@innodb_lock_wait_timeout AS r, @@lock_wait_timeout AS t');
    expect(rows).toEqual([{ r: 17, t: 18 }]);
  });
});

/** What runs on a table, but for who asks and who has locked it. */
async function statementsOn(look: Client, table: string): Promise<string[]> {
  const rows = await look.query(
    "SELECT info FROM information_schema.processlist WHERE command IN ('Execute', 'Query') AND info LIKE ? AND id <> CONNECTION_ID()",
    [`%${table}%`],
  );
  return rows.map((row) => String(row['info']));
}

/** The transactions that wait for a row of a table. */
async function waitsFor(look: Client, table: string): Promise<string[]> {
  const rows = await look.query(
    "SELECT trx_id AS id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE ?",
    [`%${table}%`],
  );
  return rows.map((row) => String(row['id']));
}
