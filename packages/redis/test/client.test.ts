import { caller, failure, serve, sessionWith, testClients } from '@session-stores/test-kit';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { backendOn, connect, open } from './helpers.js';

const NOWHERE = 'redis://127.0.0.1:1';

function listenersOf(client: Redis): Record<string, number> {
  return Object.fromEntries(client.eventNames().map((name) => [String(name), client.listenerCount(name)]));
}

describeOnServer('redis', 'the client', ({ url }) => {
  testClients({
    given() {
      const client = connect(url);
      const store = open({ client, prefix: uniquePrefix() });
      return { store, serves: async () => (await client.ping()) === 'PONG' };
    },
    opened() {
      const name = uniquePrefix();
      const server = connect(url);
      return {
        store: open({ url: `${url}?connectionName=${name}`, prefix: name }),
        connections: async () => String(await server.client('LIST')).split(name).length - 1,
      };
    },
    code: {
      imports: `
        import { RedisStore } from '${import.meta.resolve('@session-stores/redis')}';
        import { Redis } from '${import.meta.resolve('ioredis')}';`,
      store: `new RedisStore({ url: '${url}', prefix: '${uniquePrefix()}' })`,
      lost: [
        `new RedisStore({ url: '${NOWHERE}' })`,
        `new RedisStore({ client: new Redis('${NOWHERE}', { disconnectTimeout: 0, retryStrategy: () => null }) })`,
      ],
    },
  });

  test('has no listener of ours left after `close`', async () => {
    const client = connect(url, { lazyConnect: true });
    const before = listenersOf(client);
    const store = open({ client, prefix: uniquePrefix() });
    await Promise.all([store.get('a'), store.get('b'), store.length()]);
    await store.close();
    expect(listenersOf(client)).toEqual(before);
  });

  test('has no listener of ours left after `close`, also where it never got a connection', async () => {
    const client = connect(NOWHERE, { lazyConnect: true });
    const before = listenersOf(client);
    const store = open({ client, timeoutMs: 500 });
    await failure(store.get('a'));
    await store.close();
    expect(listenersOf(client)).toEqual(before);
  });

  test('is connected by the first call when it is lazy', async () => {
    const client = connect(url, { lazyConnect: true });
    expect(client.status).toBe('wait');
    expect(await open({ client, prefix: uniquePrefix() }).get('a')).toBeNull();
    expect(client.status).toBe('ready');
  });

  test('is waited for while it connects, without its offline queue', async () => {
    const client = connect(url, { enableOfflineQueue: false });
    const store = open({ client, prefix: uniquePrefix() });
    expect(client.status).toBe('connecting');
    await store.set('a', sessionWith({ user: 'alice' }));
    expect(await store.get('a')).toMatchObject({ user: 'alice' });
  });

  test.each([
    ['numbers as strings', { stringNumbers: true }],
    ['automatic pipelines', { enableAutoPipelining: true }],
    ['protocol 2', { protocol: 2 as const }],
    ['friendly stacks', { showFriendlyErrorStack: true }],
    ['no ready check', { enableReadyCheck: false }],
  ])('may be set to %s', async (_, options) => {
    const client = connect(url, options);
    const server = connect(url);
    const prefix = uniquePrefix();
    const store = open({ client, prefix, touchAfter: 0 });
    await server.script('FLUSH');
    await server.set(`${prefix}for ever`, JSON.stringify(sessionWith({ user: 'bob' })));
    await store.set('a', sessionWith({ user: 'alice' }));

    const backend = backendOn(client, uniquePrefix());
    expect(await backend.write('a', 'old', 60_000, 'always', caller)).toBe(true);
    expect(await backend.write('a', 'new', 60_000, { equals: 'old' }, caller)).toBe(true);
    expect(await backend.write('a', 'new', 60_000, { equals: 'old' }, caller)).toBe(false);
    expect(await backend.touch('a', 60_000, 'set', caller)).toBe(true);
    expect(await backend.touch('a', 60_000, 'extend', caller)).toBe(true);
    expect(await backend.remove('a', caller)).toBe(true);
    expect(await backend.remove('a', caller)).toBe(false);

    const { browser } = await serve(store);
    const alice = browser();
    await alice.go('/login/alice');
    expect((await alice.go('/')).body).toBe('alice 1');
    expect((await alice.go('/')).body).toBe('alice 2');
    await alice.go('/logout');
    expect((await alice.go('/')).status).toBe(401);

    expect(await store.get('for ever')).toMatchObject({ user: 'bob' });
    expect(await store.length()).toBe(2);
    expect((await store.all()).map(({ id }) => id).sort()).toEqual(['a', 'for ever']);
    await store.destroy('a');
    await store.clear();
    expect(await store.length()).toBe(0);
  });

  test('says what is wrong when it is one that only listens', async () => {
    const client = connect(url, { protocol: 2 });
    await client.subscribe(uniquePrefix());
    const error = await failure(open({ client, prefix: uniquePrefix() }).get('a'));
    expect(error.code).toBe('BACKEND');
    expect(error.message).toContain('subscriber mode');
  });
});

describeOnServer(
  () => startServer('redis', { private: true }),
  'the client of a server that does not answer',
  (server) => {
    test('has no listener of ours left after `close`', async () => {
      await server.pause();
      const client = connect(server.url);
      await expect.poll(() => client.status).toBe('connect');
      const before = listenersOf(client);
      const store = open({ client, timeoutMs: 100 });
      expect(await failure(store.get('a'))).toMatchObject({ code: 'TIMEOUT' });
      expect(listenersOf(client)).not.toEqual(before);
      await store.close();
      expect(listenersOf(client)).toEqual(before);
    });
  },
);
