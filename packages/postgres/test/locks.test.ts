import { caller, sessionWith, testLocked } from '@session-stores/test-kit';
import { describe, expect, test, vi } from 'vitest';
import { backendOn, lookAt, MINUTE, onPostgres, open, poolOn, uniqueTable } from './helpers.js';

onPostgres('a session that another client has locked', ({ url }) => {
  const look = lookAt(url);

  async function setUp(how: 'connection string' | 'pool', timeoutMs: number) {
    const table = uniqueTable();
    const connection = how === 'pool' ? { pool: poolOn(url, { max: 3 }) } : { connectionString: url, max: 3 };
    const store = open({ ...connection, table, timeoutMs });
    const patient = open({ connectionString: url, table, max: 1 });
    for (const id of ['a', 'b', 'c']) await patient.set(id, sessionWith({ text: 'old' }));
    // Connected, and acquainted with the table, which on a busy machine takes longer than a short limit.
    await expect.poll(() => store.length().catch(() => undefined), { timeout: 10_000 }).toBe(3);
    const locker = await look.session();
    await locker.query('BEGIN');
    return { table, store, locker, rows: () => look.query(`SELECT * FROM ${table} ORDER BY sid`) };
  }

  /** How many statements on the table wait or run. */
  const underway = async (table: string) =>
    (
      await look.query(
        "SELECT FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND position($1 in query) > 0",
        [table],
      )
    ).length;

  for (const how of ['connection string', 'pool'] as const) {
    describe(`in a store with a ${how}`, () => {
      testLocked(
        async (limit) => {
          const { table, store, locker, rows } = await setUp(how, limit);
          return {
            ...{ store, rows },
            async lock() {
              await locker.query(`SELECT * FROM ${table} FOR UPDATE`);
              await locker.query(`INSERT INTO ${table} VALUES ('new', '{}', now())`);
              return () => locker.query('ROLLBACK');
            },
            settled: () => expect.poll(() => underway(table), { timeout: 10_000, interval: 20 }).toBe(0),
          };
        },
        [500, 2000],
      );
    });

    test(`delays nobody else, and is served when the lock goes away in time: ${how}`, async () => {
      const { table, store, locker } = await setUp(how, 5000);
      await locker.query(`SELECT * FROM ${table} WHERE sid = 'a' FOR UPDATE`);
      const blocked = store.set('a', sessionWith({ text: 'new' }));
      await expect.poll(() => underway(table), { timeout: 3000, interval: 10 }).toBe(1);
      const over = vi.fn();
      blocked.then(over, over);
      for (const id of ['b', 'c', 'd']) await store.set(id, sessionWith({ text: 'meanwhile' }));
      expect(over).not.toHaveBeenCalled();
      await locker.query('COMMIT');
      await blocked;
      expect(await store.get('a')).toMatchObject({ text: 'new' });
    });
  }

  test('is not brought back when it ends meanwhile', async () => {
    const table = uniqueTable();
    const backend = backendOn(url, table);
    await backend.write('a', 'text', 1000, 'always', caller);
    const locker = await look.session();
    await locker.query('BEGIN');
    await locker.query(`SELECT * FROM ${table} FOR UPDATE`);
    const late = [
      backend.touch('a', MINUTE, 'set', caller),
      backend.write('a', 'late', MINUTE, 'exists', caller),
      backend.write('a', 'late', MINUTE, { equals: 'text' }, caller),
    ];
    await expect.poll(() => underway(table), { timeout: 3000, interval: 10 }).toBe(3);
    await expect.poll(() => backend.count(caller), { timeout: 3000 }).toBe(0);
    // A row that has not changed is not looked at again.
    await locker.query(`UPDATE ${table} SET expire = expire`);
    await locker.query('COMMIT');
    expect(await Promise.all(late)).toEqual([false, false, false]);
  });

  test('does not fail a call that loses a deadlock', async () => {
    const { table, store, locker } = await setUp('pool', 5000);
    await locker.query('SET deadlock_timeout = 4000');
    await locker.query(`SELECT * FROM ${table} WHERE sid = 'b' FOR UPDATE`);
    // It takes a and b in this order, and finds out first.
    const cleared = store.clear();
    await expect.poll(() => underway(table), { timeout: 3000, interval: 10 }).toBe(1);
    const lock = locker.query(`SELECT * FROM ${table} WHERE sid = 'a' FOR UPDATE`);
    await lock;
    await locker.query('COMMIT');
    await cleared;
    expect(await store.length()).toBe(0);
  });

  test('is left by a sweep for the next time', async () => {
    const table = uniqueTable();
    const backend = backendOn(url, table);
    for (let n = 0; n < 30; n++) await backend.write(`id${n}`, 'text', 1, 'always', caller);
    await expect.poll(() => backend.count(caller)).toBe(0);
    const locker = await look.session();
    await locker.query('BEGIN');
    await locker.query(`SELECT * FROM ${table} WHERE sid = 'id3' FOR UPDATE`);
    expect(await backend.sweep(caller)).toBe(29);
    await locker.query('ROLLBACK');
    expect(await backend.sweep(caller)).toBe(1);
  });
});
