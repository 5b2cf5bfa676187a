import type { Caller } from '@session-stores/core';
import { caller, collect, failure, sessionWith } from '@session-stores/test-kit';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import { expect, test } from 'vitest';
import type { RedisBackend } from '../src/redis-backend.js';
import { backendOn, connect, open } from './helpers.js';

const MINUTE = 60_000;

async function fill(backend: RedisBackend, ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => backend.write(id, `of ${id}`, MINUTE, 'always', caller)));
}

async function idsOf(backend: RedisBackend): Promise<string[]> {
  return (await collect(backend.entries(caller))).map(({ id }) => id).sort();
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `id${index}`);
}

describeOnServer('redis', 'what goes over all sessions', ({ url }) => {
  test.each([
    ['*', 'x'],
    ['?', 'x'],
    ['[a-z]', 'x'],
    ['[^a]', 'x'],
    ['\\', ''],
    ['\\*', '*'],
    ['\\\\', '\\'],
    ['🦊ż*', '🦊żx'],
    ['a\nb?', 'a\nbc'],
    ['Case', 'case'],
    ['trailing space ', 'trailing space'],
  ])('takes the prefix %j by the letter, and leaves %j alone', async (end, similar) => {
    const start = uniquePrefix();
    const client = connect(url);
    const backend = backendOn(client, `${start}${end}`);
    await fill(backend, ['a', '*', '[b]']);
    const neighbour = `${start}${similar}-neighbour`;
    await client.set(neighbour, 'not ours', 'PX', MINUTE);

    expect(await idsOf(backend)).toEqual(['*', '[b]', 'a']);
    expect(await backend.count(caller)).toBe(3);
    await backend.clear(caller);
    expect(await backend.count(caller)).toBe(0);
    expect(await client.get(neighbour)).toBe('not ours');
  });

  test('takes the bare prefix for no session, because ids are not empty', async () => {
    const prefix = uniquePrefix();
    const client = connect(url);
    const backend = backendOn(client, prefix);
    await client.set(prefix, 'not ours', 'PX', MINUTE);
    expect(await idsOf(backend)).toEqual([]);
    expect(await backend.count(caller)).toBe(0);
    await backend.clear(caller);
    expect(await client.get(prefix)).toBe('not ours');
  });

  test.each(['app:', 'glob*[x]\\'])("keeps to an injected client's keyPrefix %j", async (end) => {
    const keyPrefix = `${uniquePrefix()}${end}`;
    const server = connect(url);
    const backend = backendOn(connect(url, { keyPrefix }), 'sess:');
    const bare = backendOn(server, 'sess:');
    await fill(backend, ['a', 'b']);
    const before = await bare.read('a', caller);
    expect(await server.get(`${keyPrefix}sess:a`)).toBe('of a');
    expect(before).toBeUndefined();
    expect((await backend.read('a', caller))?.data).toBe('of a');
    expect(await backend.write('a', 'new', MINUTE, { equals: 'of a' }, caller)).toBe(true);
    expect(await backend.touch('a', 2 * MINUTE, 'extend', caller)).toBe(true);
    expect(await idsOf(backend)).toEqual(['a', 'b']);
    expect(await backend.count(caller)).toBe(2);
    await backend.clear(caller);
    expect(await server.exists(`${keyPrefix}sess:a`, `${keyPrefix}sess:b`)).toBe(0);
  });
});

describeOnServer(
  () => startServer('redis', { private: true }),
  'what goes over all sessions of a server of its own',
  ({ url }) => {
    test('touches no other database', async () => {
      const store = open({ url: `${url}/1` });
      const other = open({ url: `${url}/2` });
      const beside = connect(url, { db: 1 });
      await other.set('a', sessionWith());
      await beside.set('unrelated', 'value');
      await store.set('b', sessionWith());
      expect(await store.length()).toBe(1);
      expect((await store.all()).map(({ id }) => id)).toEqual(['b']);
      await store.clear();
      expect(await store.length()).toBe(0);
      expect(await other.length()).toBe(1);
      expect(await beside.get('unrelated')).toBe('value');
    });

    test('yields each of 20,000 sessions once, while the server moves them about', async () => {
      const client = connect(url, { db: 3 });
      const store = open({ client, prefix: 'many:' });
      const text = JSON.stringify(sessionWith({ text: 'x'.repeat(200) }));
      const each = (range: string, command: string) =>
        client.eval(`for i = ${range} do redis.call(${command}) end`, 0, text);
      await each('1, 20000', `'SET', 'many:' .. i, ARGV[1]`);

      const seen = new Map<string, number>();
      for await (const { id } of store.entries()) {
        seen.set(id, (seen.get(id) ?? 0) + 1);
        // The table of keys grows and shrinks under the walk, which may make SCAN repeat itself.
        if (seen.size % 4000 === 500) await each('1, 40000', `'SET', 'other:' .. i, ''`);
        if (seen.size % 4000 === 2500) await each('1, 40000', `'DEL', 'other:' .. i`);
      }
      expect(seen.size).toBe(20_000);
      expect([...seen.values()].every((times) => times === 1)).toBe(true);
      expect(await store.length()).toBe(20_000);
    });

    test('reads no more than a handful of sessions ahead of who consumes them', async () => {
      const client = connect(url, { db: 4 });
      const backend = backendOn(client, 'many:');
      await fill(backend, numbered(2000));
      await client.config('RESETSTAT');
      for await (const _ of backend.entries(caller)) break;
      const reads = /cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1];
      expect(Number(reads)).toBeGreaterThan(0);
      expect(Number(reads)).toBeLessThanOrEqual(50);
    });
  },
);

describeOnServer(
  () => startServer('redis', { private: true }),
  'what goes over all sessions of a server that stalls',
  ({ url, pause, resume }) => {
    test('has the time limit for each page, also where no key is ours', async () => {
      const client = connect(url);
      await client.eval(`for i = 1, 10000 do redis.call('SET', 'other:' .. i, '') end`, 0);
      const backend = backendOn(client, 'sess:');
      let pages = 0;
      const counting: Caller = {
        check() {},
        progress() {
          pages++;
        },
        timeLeft: () => 60_000,
        wait: (ready) => ready,
      };
      expect(await collect(backend.entries(counting))).toEqual([]);
      expect(pages).toBeGreaterThan(10);
      pages = 0;
      expect(await backend.count(counting)).toBe(0);
      expect(pages).toBeGreaterThan(10);
      pages = 0;
      await backend.clear(counting);
      expect(pages).toBeGreaterThan(10);
    });

    test('deletes nothing more once it has been answered with an error', async () => {
      const client = connect(url);
      const store = open({ client, prefix: 'late:', timeoutMs: 100 });
      await store.set('a', sessionWith());
      await pause();
      expect(await failure(store.clear())).toMatchObject({ code: 'TIMEOUT' });
      await resume();
      // Each of these is answered after what the walk would send next.
      for (let turn = 0; turn < 20; turn++) await client.ping();
      expect(await client.exists('late:a')).toBe(1);
    });
  },
);
