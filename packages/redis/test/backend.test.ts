import { caller, collect } from '@session-stores/test-kit';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import { expect, test } from 'vitest';
import { backendOn, connect } from './helpers.js';

const MINUTE = 60_000;

describeOnServer('redis', 'the backend', ({ url }) => {
  /** A backend, and a second client that looks at the server itself. */
  function setUp() {
    const prefix = uniquePrefix();
    const server = connect(url);
    return {
      prefix,
      server,
      backend: backendOn(connect(url), prefix),
      other: backendOn(connect(url), prefix),
    };
  }

  test('reads what was written, under the prefix, with the time that is left', async () => {
    const { backend, server, prefix } = setUp();
    expect(await backend.read('a', caller)).toBeUndefined();
    expect(await backend.write('a', '{"n":1}', MINUTE, 'always', caller)).toBe(true);
    expect(await server.get(`${prefix}a`)).toBe('{"n":1}');
    const found = await backend.read('a', caller);
    expect(found?.data).toBe('{"n":1}');
    expect(found?.ttl).toBeGreaterThan(MINUTE - 2000);
    expect(found?.ttl).toBeLessThanOrEqual(MINUTE);
  });

  test('keeps lifetimes in milliseconds on the server clock', async () => {
    const { backend, server, prefix } = setUp();
    await backend.write('a', 'text', 1_234_567, 'always', caller);
    const left = await server.pttl(`${prefix}a`);
    expect(left).toBeGreaterThan(1_234_567 - 2000);
    expect(left).toBeLessThanOrEqual(1_234_567);

    await backend.write('short', 'text', 30, 'always', caller);
    await expect.poll(() => backend.read('short', caller), { timeout: 2000, interval: 5 }).toBeUndefined();
    expect(await backend.touch('short', MINUTE, 'set', caller)).toBe(false);
    expect(await backend.touch('short', MINUTE, 'extend', caller)).toBe(false);
    expect(await backend.write('short', 'text', MINUTE, 'exists', caller)).toBe(false);
    expect(await backend.write('short', 'text', MINUTE, { equals: 'text' }, caller)).toBe(false);
    expect(await backend.remove('short', caller)).toBe(false);
  });

  test('takes the longest lifetime that there is', async () => {
    const { backend } = setUp();
    const longest = 8.64e15 - Date.now();
    await backend.write('a', 'text', longest, 'always', caller);
    expect((await backend.read('a', caller))?.ttl).toBeGreaterThan(longest - 2000);
    await backend.write('a', 'text', MINUTE, { equals: 'text' }, caller);
    expect(await backend.touch('a', longest, 'extend', caller)).toBe(true);
    expect((await backend.read('a', caller))?.ttl).toBeGreaterThan(longest - 2000);
  });

  test("writes 'exists' only where a session is", async () => {
    const { backend } = setUp();
    expect(await backend.write('a', 'new', MINUTE, 'exists', caller)).toBe(false);
    expect(await backend.read('a', caller)).toBeUndefined();
    await backend.write('a', 'old', MINUTE, 'always', caller);
    expect(await backend.write('a', 'new', 2 * MINUTE, 'exists', caller)).toBe(true);
    const found = await backend.read('a', caller);
    expect(found?.data).toBe('new');
    expect(found?.ttl).toBeGreaterThan(MINUTE);
  });

  test.each([
    ['plain text', 'plain text'],
    ['an empty one', ''],
    ['any Unicode', 'żółć 🦊 \u0000 \r\n " \\'],
    ['a digest of itself', 'da39a3ee5e6b4b0d3255bfef95601890afd80709'],
  ])("writes 'equals' only over that text: %s", async (_, text) => {
    const { backend } = setUp();
    expect(await backend.write('a', 'new', MINUTE, { equals: text }, caller)).toBe(false);
    expect(await backend.read('a', caller)).toBeUndefined();
    await backend.write('a', text, MINUTE, 'always', caller);
    expect(await backend.write('a', 'new', MINUTE, { equals: `${text} ` }, caller)).toBe(false);
    expect((await backend.read('a', caller))?.data).toBe(text);
    expect(await backend.write('a', 'new', 2 * MINUTE, { equals: text }, caller)).toBe(true);
    const found = await backend.read('a', caller);
    expect(found?.data).toBe('new');
    expect(found?.ttl).toBeGreaterThan(MINUTE);
  });

  test("moves deadlines: 'set' anywhere, 'extend' only to a later one", async () => {
    const { backend, server, prefix } = setUp();
    const left = () => server.pttl(`${prefix}a`);
    await backend.write('a', 'text', 10 * MINUTE, 'always', caller);
    expect(await backend.touch('a', 5 * MINUTE, 'set', caller)).toBe(true);
    expect(await left()).toBeLessThanOrEqual(5 * MINUTE);
    expect(await backend.touch('a', MINUTE, 'extend', caller)).toBe(true);
    expect(await left()).toBeGreaterThan(4 * MINUTE);
    expect(await backend.touch('a', 9 * MINUTE, 'extend', caller)).toBe(true);
    expect(await left()).toBeGreaterThan(8 * MINUTE);
    expect((await backend.read('a', caller))?.data).toBe('text');
  });

  test('never creates a session by touching it', async () => {
    const { backend, server, prefix } = setUp();
    expect(await backend.touch('a', MINUTE, 'set', caller)).toBe(false);
    expect(await backend.touch('a', MINUTE, 'extend', caller)).toBe(false);
    expect(await server.exists(`${prefix}a`)).toBe(0);
  });

  test('removes, and says whether there was something', async () => {
    const { backend, server, prefix } = setUp();
    await backend.write('a', 'text', MINUTE, 'always', caller);
    expect(await backend.remove('a', caller)).toBe(true);
    expect(await backend.remove('a', caller)).toBe(false);
    expect(await server.exists(`${prefix}a`)).toBe(0);
  });

  test('serves keys without a deadline', async () => {
    const { backend, server, prefix } = setUp();
    await server.set(`${prefix}a`, 'text');
    expect(await backend.read('a', caller)).toEqual({ data: 'text', ttl: Number.POSITIVE_INFINITY });
    expect(await collect(backend.entries(caller))).toEqual([
      { id: 'a', data: 'text', ttl: Number.POSITIVE_INFINITY },
    ]);
    expect(await backend.touch('a', MINUTE, 'extend', caller)).toBe(true);
    expect(await server.pttl(`${prefix}a`)).toBe(-1);
    expect(await backend.touch('a', MINUTE, 'set', caller)).toBe(true);
    expect(await server.pttl(`${prefix}a`)).toBeGreaterThan(0);
  });

  test('takes a key that is no string for a session without text', async () => {
    const { backend, server, prefix } = setUp();
    await server.hset(`${prefix}hash`, 'field', 'value');
    await server.rpush(`${prefix}list`, 'value');
    await backend.write('a', 'text', MINUTE, 'always', caller);
    expect((await backend.read('hash', caller))?.data).toBe('');
    expect(new Set((await collect(backend.entries(caller))).map(({ id }) => id))).toEqual(
      new Set(['hash', 'list', 'a']),
    );
    expect(await backend.write('hash', 'text', MINUTE, 'always', caller)).toBe(true);
    expect((await backend.read('hash', caller))?.data).toBe('text');
    await backend.clear(caller);
    expect(await server.exists(`${prefix}list`)).toBe(0);
  });

  test('lets one of many simultaneous conditional writes win, in every round', async () => {
    const { backend, other } = setUp();
    await backend.write('a', 'round 0', MINUTE, 'always', caller);
    for (let round = 1; round <= 40; round++) {
      const before = await backend.read('a', caller);
      const wins = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
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
    const { backend, other, server, prefix } = setUp();
    for (let round = 0; round < 40; round++) {
      await backend.write('a', 'text', MINUTE, 'always', caller);
      await Promise.all([
        ...Array.from({ length: 5 }, () => [
          other.write('a', 'late', MINUTE, 'exists', caller),
          other.write('a', 'late', MINUTE, { equals: 'text' }, caller),
          other.touch('a', MINUTE, 'extend', caller),
          other.touch('a', MINUTE, 'set', caller),
        ]).flat(),
        backend.remove('a', caller),
      ]);
      expect(await server.exists(`${prefix}a`)).toBe(0);
    }
  });

  test('loads its scripts again after the server has forgotten them', async () => {
    const { backend, server } = setUp();
    const everything = async () => {
      await backend.write('a', 'text', MINUTE, 'always', caller);
      expect((await backend.read('a', caller))?.data).toBe('text');
      expect(await backend.write('a', 'new', MINUTE, { equals: 'text' }, caller)).toBe(true);
      expect(await backend.touch('a', 2 * MINUTE, 'extend', caller)).toBe(true);
    };
    await everything();
    await server.script('FLUSH');
    await everything();
    await server.script('FLUSH');
    await Promise.all(Array.from({ length: 50 }, () => backend.read('a', caller)));
  });

  test.each([
    ['glob characters', '*?[a-z]\\'],
    ['quotes and separators', `'"\`{}();--: \r\n\t`],
    ['a NUL', 'a\u0000b'],
    ['trailing spaces', 'a '],
    ['upper case', 'A'],
    ['any Unicode', '🦊 żółć\u{10ffff}'],
    ['names of prototypes', '__proto__'],
    ['128 units', '🦊'.repeat(64)],
  ])('takes ids of %s, and mixes them up with no other', async (_, id) => {
    const { backend, server, prefix } = setUp();
    await backend.write('a', 'of a', MINUTE, 'always', caller);
    await backend.write(id, 'of id', MINUTE, 'always', caller);
    expect(await server.get(`${prefix}${id}`)).toBe('of id');
    expect((await backend.read(id, caller))?.data).toBe('of id');
    expect((await collect(backend.entries(caller))).map((entry) => entry.id).sort()).toEqual(
      ['a', id].sort(),
    );
    expect(await backend.remove(id, caller)).toBe(true);
    expect((await backend.read('a', caller))?.data).toBe('of a');
  });
});
