import { caller, collect } from '@session-stores/test-kit';
import { expect, test } from 'vitest';
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

const YEAR = 365 * 86_400_000;

onEachServer('the backend', ({ url }) => {
  const look = lookAt(url);

  /** A backend with changed rows counted and one with found rows, on one table. */
  async function setUp(make?: (table: string) => string) {
    const table = uniqueTable();
    if (make !== undefined) await look.query(make(table));
    const backend = backendOn(url, table);
    const other = backendOver(poolOn(url, { flags: ['-FOUND_ROWS'] }), table);
    const deadline = async () =>
      Number((await look.query(`SELECT expires - UNIX_TIMESTAMP() AS s FROM ${table}`))[0]?.['s']);
    const expire = () => look.query(`UPDATE ${table} SET expires = UNIX_TIMESTAMP()`);
    const rows = () => look.query(`SELECT * FROM ${table}`);
    await backend.count(caller);
    return { table, backend, other, deadline, expire, rows };
  }

  test('reads what was written, with the time that is left, rounded down to a second', async () => {
    const { backend } = await setUp();
    expect(await backend.read('a', caller)).toBeUndefined();
    expect(await backend.write('a', '{"n":1}', MINUTE, 'always', caller)).toBe(true);
    const found = await backend.read('a', caller);
    expect(found?.data).toBe('{"n":1}');
    expect(found?.ttl).toBeGreaterThan(MINUTE - 3000);
    expect(found?.ttl).toBeLessThanOrEqual(MINUTE);
  });

  test('never keeps a session longer than asked for', async () => {
    const { backend } = await setUp();
    for (let ttl = 5000; ttl < 6000; ttl += 37) {
      const start = performance.now();
      await backend.write('a', 'text', ttl, 'always', caller);
      const left = (await backend.read('a', caller))?.ttl ?? 0;
      expect(left).toBeLessThanOrEqual(ttl);
      expect(left).toBeGreaterThan(ttl - 1000 - (performance.now() - start) - 1);
    }
  });

  test('takes the longest lifetime that there is for the last one that the column holds', async () => {
    const { backend, rows } = await setUp();
    const longest = 8.64e15 - Date.now();
    await backend.write('a', 'text', longest, 'always', caller);
    expect((await rows())[0]?.['expires']).toBe(4_294_967_295);
    expect((await backend.read('a', caller))?.ttl).toBeGreaterThan(70 * YEAR);
    expect(await backend.touch('a', longest, 'extend', caller)).toBe(true);
    expect(await backend.write('a', 'text', longest, { equals: 'text' }, caller)).toBe(true);
    expect((await rows())[0]?.['expires']).toBe(4_294_967_295);
  });

  test('has nothing to say about an expired session, but lets it be made anew', async () => {
    const { backend, other, expire, rows } = await setUp();
    for (const each of [backend, other]) {
      await each.write('a', 'text', MINUTE, 'always', caller);
      await expire();
      expect(await each.read('a', caller)).toBeUndefined();
      expect(await each.touch('a', MINUTE, 'set', caller)).toBe(false);
      expect(await each.touch('a', MINUTE, 'extend', caller)).toBe(false);
      expect(await each.write('a', 'text', MINUTE, 'exists', caller)).toBe(false);
      expect(await each.write('a', 'text', MINUTE, { equals: 'text' }, caller)).toBe(false);
      expect(await each.count(caller)).toBe(0);
      expect(await collect(each.entries(caller))).toEqual([]);
      expect(await each.read('a', caller)).toBeUndefined();
      expect(await each.remove('a', caller)).toBe(false);
      expect(await rows()).toEqual([]);
      await each.write('a', 'text', MINUTE, 'always', caller);
      await expire();
      expect(await each.write('a', 'new', MINUTE, 'always', caller)).toBe(true);
      expect((await each.read('a', caller))?.data).toBe('new');
    }
  });

  test("writes 'exists' only where a session is", async () => {
    const { backend, other } = await setUp();
    for (const each of [backend, other]) {
      await each.remove('a', caller);
      expect(await each.write('a', 'new', MINUTE, 'exists', caller)).toBe(false);
      expect(await each.read('a', caller)).toBeUndefined();
      await each.write('a', 'old', MINUTE, 'always', caller);
      expect(await each.write('a', 'new', 2 * MINUTE, 'exists', caller)).toBe(true);
      const found = await each.read('a', caller);
      expect(found?.data).toBe('new');
      expect(found?.ttl).toBeGreaterThan(MINUTE);
    }
  });

  test.each([
    ['plain text', 'plain text'],
    ['an empty one', ''],
    ['any Unicode', 'żółć 🦊 \u0000 \r\n " \\'],
    ['a digest of itself', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ])("writes 'equals' only over that text: %s", async (_, text) => {
    const { backend, other } = await setUp();
    for (const each of [backend, other]) {
      await each.remove('a', caller);
      expect(await each.write('a', 'new', MINUTE, { equals: text }, caller)).toBe(false);
      expect(await each.read('a', caller)).toBeUndefined();
      await each.write('a', text, MINUTE, 'always', caller);
      expect(await each.write('a', 'new', MINUTE, { equals: `${text} ` }, caller)).toBe(false);
      expect((await each.read('a', caller))?.data).toBe(text);
      expect(await each.write('a', 'new', 2 * MINUTE, { equals: text }, caller)).toBe(true);
      const found = await each.read('a', caller);
      expect(found?.data).toBe('new');
      expect(found?.ttl).toBeGreaterThan(MINUTE);
    }
  });

  test('answers a write or touch that changes nothing as what it is: done', async () => {
    const { backend, other, table } = await setUp();
    const last = 8.64e15 - Date.now();
    for (const each of [backend, other]) {
      expect(await each.write('a', 'text', last, 'always', caller)).toBe(true);
      expect(await each.write('a', 'text', last, 'always', caller)).toBe(true);
      expect(await each.write('a', 'text', last, 'exists', caller)).toBe(true);
      expect(await each.write('a', 'text', last, { equals: 'text' }, caller)).toBe(true);
      expect(await each.touch('a', last, 'set', caller)).toBe(true);
      expect(await each.touch('a', MINUTE, 'extend', caller)).toBe(true);
      expect(await look.query(`SELECT expires FROM ${table}`)).toEqual([{ expires: 4_294_967_295 }]);
    }
  });

  test("moves deadlines: 'set' anywhere, 'extend' only to a later one", async () => {
    const { backend, deadline } = await setUp();
    await backend.write('a', 'text', 10 * MINUTE, 'always', caller);
    expect(await backend.touch('a', 5 * MINUTE, 'set', caller)).toBe(true);
    expect(await deadline()).toBeLessThanOrEqual(300);
    expect(await backend.touch('a', MINUTE, 'extend', caller)).toBe(true);
    expect(await deadline()).toBeGreaterThan(240);
    expect(await backend.touch('a', 9 * MINUTE, 'extend', caller)).toBe(true);
    expect(await deadline()).toBeGreaterThan(480);
    expect((await backend.read('a', caller))?.data).toBe('text');
  });

  test('never creates a session by touching it', async () => {
    const { backend, rows } = await setUp();
    expect(await backend.touch('a', MINUTE, 'set', caller)).toBe(false);
    expect(await backend.touch('a', MINUTE, 'extend', caller)).toBe(false);
    expect(await rows()).toEqual([]);
  });

  test('removes, and says whether there was a live session', async () => {
    const { backend } = await setUp();
    await backend.write('a', 'text', MINUTE, 'always', caller);
    expect(await backend.remove('a', caller)).toBe(true);
    expect(await backend.remove('a', caller)).toBe(false);
  });

  test('walks over more than a page, each session once, while others come, go and are touched', async () => {
    const { backend, table } = await setUp();
    const ids = Array.from({ length: 450 }, (_, n) => `id${String(n).padStart(4, '0')}`);
    await look.query(`INSERT INTO ${table} VALUES ?`, [ids.map((id) => [id, 4e9, 'text'])]);
    const seen: string[] = [];
    for await (const { id } of backend.entries(caller)) {
      seen.push(id);
      if (seen.length === 10) await backend.remove('id0440', caller);
      if (seen.length % 50 === 0) await backend.touch(id, MINUTE, 'set', caller);
    }
    expect(seen).toEqual(ids.filter((id) => id !== 'id0440'));
    expect(await backend.count(caller)).toBe(449);
    await backend.clear(caller);
    expect(await backend.count(caller)).toBe(0);
  });

  test('lets one of many simultaneous conditional writes win, in every round', async () => {
    const { backend, other } = await setUp();
    await backend.write('a', 'round 0', MINUTE, 'always', caller);
    for (let round = 1; round <= 20; round++) {
      const before = await backend.read('a', caller);
      const wins = await Promise.all(
        Array.from({ length: 16 }, (_, index) =>
          (index % 2 ? backend : other).write(
            'a',
            `round ${round} by ${index}`,
            MINUTE,
            { equals: before?.data ?? '' },
            caller,
          ),
        ),
      );
      expect(wins.filter(Boolean), `winners of round ${round}`).toHaveLength(1);
      expect((await other.read('a', caller))?.data).toBe(`round ${round} by ${wins.indexOf(true)}`);
    }
  });

  test('never brings a removed session back, whatever is written at the same time', async () => {
    const { backend, other, rows } = await setUp();
    for (let round = 0; round < 20; round++) {
      await backend.write('a', 'text', MINUTE, 'always', caller);
      await Promise.all([
        ...Array.from({ length: 4 }, () => [
          other.write('a', 'late', MINUTE, 'exists', caller),
          other.write('a', 'late', MINUTE, { equals: 'text' }, caller),
          other.touch('a', MINUTE, 'extend', caller),
        ]).flat(),
        backend.remove('a', caller),
      ]);
      expect(await rows()).toEqual([]);
    }
  });

  for (const [title, make] of [
    ['a table of ours', undefined],
    ['a table of express-mysql-session', peerTable],
  ] as const) {
    test.each([
      ['wildcards', '%_'],
      ['quotes and separators', `'"\`{}();--: \r\n\t`],
      ['a NUL', 'a\u0000'],
      ['upper case', 'A'],
      ['an accent', 'á'],
      ['any Unicode', '🦊 żółć\u{10ffff}'],
      ['names of prototypes', '__proto__'],
      ['128 units', '🦊'.repeat(64)],
    ])(`takes ids of %s in ${title}, and mixes them up with no other`, async (_, id) => {
      const { backend, other } = await setUp(make);
      await backend.write('a', 'of a', MINUTE, 'always', caller);
      await other.write(id, 'of id', MINUTE, 'always', caller);
      for (const each of [backend, other]) {
        expect((await each.read(id, caller))?.data).toBe('of id');
        expect((await collect(each.entries(caller))).map((entry) => entry.id).sort()).toEqual(
          ['a', id].sort(),
        );
      }
      expect(await other.remove(id, caller)).toBe(true);
      expect((await backend.read('a', caller))?.data).toBe('of a');
    });
  }

  test('works on connections in any character set, time zone, SQL mode and isolation level', async () => {
    const { table } = await setUp();
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
