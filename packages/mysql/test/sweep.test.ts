import type { Caller } from '@session-stores/core';
import { caller, failure, sessionWith } from '@session-stores/test-kit';
import { expect, test } from 'vitest';
import { backendOn, lookAt, MINUTE, onEachServer, open, poolOn, uniqueTable } from './helpers.js';

onEachServer('a sweep', ({ url }) => {
  const look = lookAt(url);

  /** A table with so many expired sessions and one that lives. */
  async function setUp(expired: number) {
    const table = uniqueTable();
    const backend = backendOn(url, table);
    await backend.write('alive', 'text', MINUTE, 'always', caller);
    const ids = Array.from({ length: expired }, (_, n) => [`id${n}`, 1_000_000 + n, 'text']);
    if (expired > 0) await look.query(`INSERT INTO ${table} (session_id, expires, data) VALUES ?`, [ids]);
    const left = async () =>
      (await look.query(`SELECT session_id FROM ${table} ORDER BY expires`)).map((row) =>
        String(row['session_id']),
      );
    return { table, backend, left };
  }

  test('by several at once deletes each session once, without a deadlock, while sessions are written', async () => {
    const { table, backend, left } = await setUp(3000);
    const others = Array.from({ length: 3 }, () => backendOn(url, table));
    let sweeping = true;
    const writes = Promise.all(
      others.map(async (other, turn) => {
        let slowest = 0;
        for (let n = 0; sweeping; n++) {
          const start = performance.now();
          await other.write(`new${turn}-${n % 10}`, 'text', MINUTE, 'always', caller);
          await other.touch('alive', MINUTE, 'extend', caller);
          slowest = Math.max(slowest, performance.now() - start);
        }
        return slowest;
      }),
    );
    const swept = await Promise.all([backend, ...others].map((each) => each.sweep(caller)));
    sweeping = false;
    expect(swept.reduce((sum, count) => sum + count)).toBe(3000);
    expect(Math.max(...(await writes))).toBeLessThan(1000);
    expect((await left()).every((id) => id === 'alive' || id.startsWith('new'))).toBe(true);
  });

  test.each(['sweep', 'clear'] as const)(
    'has the time limit for each page, and goes no further once its caller has been answered: %s',
    async (operation) => {
      const { backend, left } = await setUp(450);
      const over: Caller = {
        ...caller,
        progress() {
          throw new Error('over');
        },
      };
      await expect(backend[operation](over)).rejects.toThrow('over');
      expect(await left()).toHaveLength(251);
      let pages = 0;
      await backend[operation]({ ...caller, progress: () => pages++ });
      expect(pages).toBe(1);
    },
  );

  test('leaves what another client has locked for the next time', async () => {
    const { table, backend, left } = await setUp(30);
    const locker = await look.session();
    await locker.query('BEGIN');
    await locker.query(`SELECT * FROM ${table} WHERE session_id = 'id3' FOR UPDATE`);
    expect(await backend.sweep(caller)).toBe(29);
    expect(await left()).toEqual(['id3', 'alive']);
    await locker.query('ROLLBACK');
    expect(await backend.sweep(caller)).toBe(1);
  });

  test('runs by itself, and goes on after an error', async () => {
    const { table, left } = await setUp(5);
    const store = open({ uri: url, table, createTable: false, sweepInterval: 0.05 });
    await expect.poll(left, { timeout: 5000 }).toEqual(['alive']);

    const failed = new Promise((resolve) => store.once('failed', resolve));
    await look.query(`RENAME TABLE ${table} TO ${table}_away`);
    expect(await failed).toMatchObject({ code: 'BACKEND', operation: 'sweep', backend: 'mysql' });
    await look.query(`RENAME TABLE ${table}_away TO ${table}`);
    await look.query(`INSERT INTO ${table} VALUES ('late', 1, 'text')`);
    await expect.poll(left, { timeout: 5000 }).toEqual(['alive']);
  });

  test('on an injected pool does not hold others up behind a locked row', async () => {
    const { table, left } = await setUp(100);
    const store = open({ pool: poolOn(url), table });
    const locker = await look.session();
    await locker.query('BEGIN');
    await locker.query(`SELECT * FROM ${table} WHERE session_id = 'id50' FOR UPDATE`);
    const swept = store.sweep();
    const start = performance.now();
    await Promise.all(Array.from({ length: 30 }, (_, n) => store.set(`id5${n}x`, sessionWith())));
    expect(performance.now() - start).toBeLessThan(4000);
    expect(await swept).toBe(99);
    expect((await left())[0]).toBe('id50');
  });

  test('that cannot be done says why', async () => {
    const store = open({ uri: url, table: uniqueTable(), createTable: false });
    expect((await failure(store.sweep())).message).toContain('there is no table');
  });
});
