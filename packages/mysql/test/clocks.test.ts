import { caller } from '@session-stores/test-kit';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { expect, test } from 'vitest';
import { backendOver, connect, MINUTE, poolOn, uniqueTable } from './helpers.js';

/** 2026-10-25 01:00 UTC, when Berlin's clocks went back from three to two. */
const WINTER = 1_792_890_000;
const HOUR = 3600;

/** A time zone with that one change, because a server need not know any. */
async function startWithZone(name: 'mariadb' | 'mysql') {
  const server = await startServer(name, { private: true });
  const root = connect(server.url, { connectionLimit: 1 });
  for (const statement of [
    'INSERT INTO mysql.time_zone (Time_zone_id) VALUES (1)',
    "INSERT INTO mysql.time_zone_name VALUES ('Test/Autumn', 1)",
    `INSERT INTO mysql.time_zone_transition VALUES (1, 0, 0), (1, ${WINTER}, 1)`,
    `INSERT INTO mysql.time_zone_transition_type VALUES (1, 0, ${2 * HOUR}, 1, 'CEST'), (1, 1, ${HOUR}, 0, 'CET')`,
  ]) {
    await root.query(statement);
  }
  await root.end();
  return server;
}

for (const name of ['mariadb', 'mysql'] as const) {
  describeOnServer(
    () => startWithZone(name),
    `the hour that comes twice (${name})`,
    ({ url }) => {
      test.each([
        ['before it', '01:00:00', WINTER - 2 * HOUR],
        ['the first time', '02:30:00', WINTER - HOUR / 2],
        ['the second time', '02:30:00', WINTER + HOUR / 2],
        ['after it', '04:00:00', WINTER + 2 * HOUR],
      ])('is an hour like any other for deadlines: %s', async (_, local, now) => {
        const pool = poolOn(url, { connectionLimit: 1 });
        const table = uniqueTable();
        const backend = backendOver(pool, table);
        const session = pool.promise();
        await session.query(`SET time_zone = 'Test/Autumn', timestamp = ${now}.25`);
        expect((await session.query('SELECT CAST(CURTIME() AS CHAR) AS local'))[0]).toEqual([{ local }]);

        await backend.write('a', 'text', MINUTE, 'always', caller);
        const [rows] = await session.query(`SELECT expires FROM ${table}`);
        expect(rows).toEqual([{ expires: now + MINUTE / 1000 }]);
        expect(await backend.read('a', caller)).toEqual({ data: 'text', ttl: MINUTE - 250 });
        expect(await backend.touch('a', 2 * MINUTE, 'extend', caller)).toBe(true);
        expect(await backend.read('a', caller)).toEqual({ data: 'text', ttl: 2 * MINUTE - 250 });

        await session.query(`SET timestamp = ${now + 2 * HOUR}`);
        expect(await backend.read('a', caller)).toBeUndefined();
        await session.query(`SET timestamp = ${now + 119}`);
        expect((await backend.read('a', caller))?.ttl).toBe(1000);
      });
    },
  );
}
