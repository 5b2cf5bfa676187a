import { caller, type Place, testBackend, testIds, testSweep } from '@session-stores/test-kit';
import { describe, expect, test } from 'vitest';
import {
  backendOn,
  backendOver,
  lookAt,
  MINUTE,
  onEachServer,
  peerTable,
  poolOn,
  uniqueTable,
} from './helpers.js';

/** What the `expires` column of our table, and of the peer's, holds at most. */
const LAST_SECOND = 2 ** 32 - 1;

onEachServer('the backend', ({ url }) => {
  const look = lookAt(url);

  /** Two backends on one table: with found rows counted, and with changed ones. */
  function setUp(table = uniqueTable()) {
    const here = backendOn(url, table);
    const there = backendOver(poolOn(url, { flags: ['-FOUND_ROWS'] }), table);
    return { table, here, there };
  }

  async function place(make?: (table: string) => string): Promise<Place> {
    const { table, ...backends } = setUp();
    if (make !== undefined) await look.query(make(table));
    return {
      ...backends,
      neighbours: () => [backendOn(url, `${table}2`), backendOn(url, table.toUpperCase())],
      records: async () => (await look.query(`SELECT 1 FROM ${table}`)).length,
      lastDeadline: LAST_SECOND * 1000,
    };
  }

  testBackend(place);
  testSweep(place);
  describe('on the table of express-mysql-session', () => {
    testIds(() => place(peerTable), 'trailing spaces');
    testSweep(() => place(peerTable));
  });

  test('keeps the last deadline that its column holds for any later one', async () => {
    const { table, here } = setUp();
    await here.write('a', 'text', 8.64e15 - Date.now(), 'always', caller);
    expect(await look.query(`SELECT expires FROM ${table}`)).toEqual([{ expires: LAST_SECOND }]);
  });

  test('works on connections in any character set, time zone, SQL mode and isolation level', async () => {
    const { table } = setUp();
    const [id, data] = ['żółć 🦊', '{"text":"żółć 🦊 \\\\ \'"}'];
    for (const setting of [
      "SET time_zone = '+11:00'",
      "SET sql_mode = ''",
      "SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_ALL_TABLES,NO_UNSIGNED_SUBTRACTION,HIGH_NOT_PRECEDENCE'",
      'SET NAMES latin1',
      'SET NAMES sjis',
      "SET collation_connection = 'utf8mb4_general_ci'",
      'SET div_precision_increment = 0',
      'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
      'SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE',
    ]) {
      const pool = poolOn(url, {
        connectionLimit: 1,
        charset: /latin1|sjis/.exec(setting)?.[0] ?? 'utf8mb4',
      });
      await pool.promise().query(setting);
      const backend = backendOver(pool, table);
      await backend.write(id, data, MINUTE, 'always', caller);
      const found = await backend.read(id, caller);
      expect(found?.data, setting).toBe(data);
      expect(found?.ttl, setting).toBeGreaterThan(MINUTE - 3000);
      expect(found?.ttl, setting).toBeLessThanOrEqual(MINUTE);
      expect(await backend.write(id, 'new', MINUTE, { equals: data }, caller), setting).toBe(true);
      expect(await backend.remove(id, caller), setting).toBe(true);
    }
  });
});
