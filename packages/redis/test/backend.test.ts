import { randomUUID } from 'node:crypto';
import { caller, collect, testBackend } from '@session-stores/test-kit';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import type { Redis } from 'ioredis';
import { expect, onTestFinished, test, vi } from 'vitest';
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

  test('compares in SET where the server can, and otherwise in a script', async () => {
    const { backend, server, prefix } = setUp();
    const key = `${prefix}a`;
    const canCompare = await server.call('SET', key, '', 'IFEQ', '-').then(
      () => true,
      () => false,
    );
    await backend.write('a', '0', MINUTE, 'always', caller);
    const overwrite = async (text: string, equals: string) =>
      expect(await backend.write('a', text, MINUTE, { equals }, caller)).toBe(true);
    // The server is asked once whether it can.
    await overwrite('1', '0');
    const seen = await commandsOn(server, key, async () => {
      await overwrite('2', '1');
      await overwrite('3', '2');
    });
    expect(seen).toEqual(canCompare ? ['SET', 'SET'] : ['evalsha', 'evalsha']);
  });
});

/** The names of the commands that clients send about this key meanwhile. */
async function commandsOn(server: Redis, key: string, act: () => Promise<void>): Promise<string[]> {
  const seen: string[][] = [];
  const monitor = await server.duplicate().monitor();
  onTestFinished(() => monitor.disconnect());
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (source !== 'lua') seen.push(args);
  });
  await act();
  const end = randomUUID();
  await server.echo(end);
  await vi.waitFor(() => expect(seen.some((args) => args.includes(end))).toBe(true), 30_000);
  return seen.flatMap(([name = '', ...args]) => (args.includes(key) ? [name] : []));
}
