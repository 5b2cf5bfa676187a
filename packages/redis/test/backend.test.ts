import { caller, collect, testBackend } from '@session-stores/test-kit';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import { expect, test } from 'vitest';
import { backendOn, connect } from './helpers.js';

const MINUTE = 60_000;

describeOnServer('redis', 'the backend', ({ url }) => {
  /** A backend, and a second client that looks at the server itself. */
  function setUp() {
    const prefix = uniquePrefix();
    return { prefix, server: connect(url), backend: backendOn(connect(url), prefix) };
  }

  testBackend(() => {
    const { prefix, server, backend } = setUp();
    return {
      here: backend,
      there: backendOn(connect(url), prefix),
      neighbours: () => [prefix.toUpperCase(), prefix.slice(0, -1)].map((other) => backendOn(server, other)),
      records: async () => (await server.keys(`${prefix}*`)).length,
    };
  });

  test('keeps the text under the prefix, and its deadline to the millisecond', async () => {
    const { backend, server, prefix } = setUp();
    await backend.write('a', '{"n":1}', 1_234_567, 'always', caller);
    expect(await server.get(`${prefix}a`)).toBe('{"n":1}');
    const before = await server.pttl(`${prefix}a`);
    const { ttl } = (await backend.read('a', caller)) ?? {};
    expect(ttl).toBeLessThanOrEqual(before);
    expect(ttl).toBeGreaterThanOrEqual(await server.pttl(`${prefix}a`));
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
});
