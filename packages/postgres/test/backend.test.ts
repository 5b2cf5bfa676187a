import {
  caller,
  collect,
  failure,
  type Place,
  testBackend,
  testIds,
  testSweep,
} from '@session-stores/test-kit';
import { describe, expect, test } from 'vitest';
import {
  backendOn,
  backendOver,
  lookAt,
  MINUTE,
  onPostgres,
  peerTable,
  poolOn,
  uniqueTable,
} from './helpers.js';

onPostgres('the backend', ({ url }) => {
  const look = lookAt(url);

  /** Two backends on one table: with connections of its own, and on a pool. */
  function setUp(table = uniqueTable()) {
    return { table, here: backendOn(url, table), there: backendOver(poolOn(url), table) };
  }

  async function place(make?: (table: string) => string): Promise<Place> {
    const { table, ...backends } = setUp();
    if (make !== undefined) await look.query(make(table));
    return {
      ...backends,
      neighbours: () => [backendOn(url, `${table}2`), backendOn(url, table.toUpperCase())],
      records: async () => (await look.query(`SELECT FROM ${table}`)).length,
    };
  }

  testBackend(place);
  testSweep(place);
  describe('on the table of connect-pg-simple', () => {
    testIds(() => place(peerTable));
    testSweep(() => place(peerTable));
  });
  describe('on a table with a text column', () => {
    testBackend(() => place((table) => peerTable(table, { sess: 'text' })));
  });

  test('on a jsonb column compares what the server has made of the text', async () => {
    const { table, here, there } = setUp();
    await look.query(peerTable(table, { sess: 'jsonb' }));
    await here.write('a', '{ "n":1, "m": 2.0 }', MINUTE, 'always', caller);
    expect((await here.read('a', caller))?.data).toBe('{"m": 2.0, "n": 1}');
    expect(await there.write('a', '{"n":2}', MINUTE, { equals: '{"n":2}' }, caller)).toBe(false);
    expect(await there.write('a', '{"n":2}', MINUTE, { equals: '{ "n":1, "m": 2.0 }' }, caller)).toBe(true);
    const error = await failure(here.write('a', '{"text":"\\u0000"}', MINUTE, 'always', caller));
    expect(error).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
    expect((await here.read('a', caller))?.data).toBe('{"n": 2}');
  });

  test.each(['timestamp(6)', 'timestamptz(6)'])('keeps deadlines in %s in any time zone', async (expire) => {
    for (const zone of ['UTC', 'Asia/Kathmandu', 'America/St_Johns', 'Pacific/Kiritimati']) {
      const table = uniqueTable();
      await look.query(peerTable(table, { expire }));
      const backend = backendOver(poolOn(url, { options: `-c TimeZone=${zone}` }), table);
      await backend.write('a', 'text', MINUTE, 'always', caller);
      await backend.touch('a', 2 * MINUTE, 'extend', caller);
      const left = (await backend.read('a', caller))?.ttl ?? 0;
      expect(left).toBeLessThanOrEqual(2 * MINUTE);
      expect(left).toBeGreaterThan(1.5 * MINUTE);
      await backend.write('ended', 'text', 1, 'always', caller);
      await expect.poll(() => backend.count(caller)).toBe(1);
      expect(await backend.sweep(caller)).toBe(1);
    }
  });

  test('agrees on deadlines across time zones, also in the hour of autumn that comes twice', async () => {
    const { table, here } = setUp();
    await here.count(caller);
    const inZone = (zone: string) => backendOver(poolOn(url, { options: `-c TimeZone=${zone}` }), table);
    const [east, west] = [inZone('Asia/Tokyo'), inZone('America/Los_Angeles')];
    await east.write('a', 'text', MINUTE, 'always', caller);
    expect((await west.read('a', caller))?.ttl).toBeGreaterThan(MINUTE / 2);
    expect((await here.read('a', caller))?.ttl).toBeLessThanOrEqual(MINUTE);
    const column = await look.query(`SELECT pg_typeof(expire)::text AS type FROM ${table}`);
    expect(column).toEqual([{ type: 'timestamp with time zone' }]);
  });

  test('takes sessions that never end', async () => {
    const { table, here } = setUp();
    await here.count(caller);
    await look.query(`INSERT INTO ${table} VALUES ('a', '{}', 'infinity')`);
    expect((await here.read('a', caller))?.ttl).toBeGreaterThan(1e15);
    expect(await here.touch('a', MINUTE, 'extend', caller)).toBe(true);
    expect(await collect(here.entries(caller))).toMatchObject([{ id: 'a', data: '{}' }]);
  });
});
