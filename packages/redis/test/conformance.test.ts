import type { Subject } from '@session-stores/conformance';
import { testStore } from '@session-stores/conformance/vitest';
import { behindProxy } from '@session-stores/test-kit';
import { startRedisCluster } from '@session-stores/test-servers';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import { Cluster, Redis } from 'ioredis';
import { afterAll } from 'vitest';
import { RedisStore, type RedisStoreOptions } from '../src/index.js';

/** It takes 512 MB, more than a test should send. */
const NO_LIMIT = { unsupported: ['DATA-025', 'DATA-026'] };
/** A client reaches its server by itself. */
const NO_LIMIT_OR_PROXY = { unsupported: [...NO_LIMIT.unsupported, 'FAULT'] };

/** A store for the suite to judge, whose deadlines are read by `looker`. */
function subject(
  looker: Redis | Cluster,
  options: () => RedisStoreOptions,
  elsewhere: { readonly url: string } | { readonly urls: readonly string[] },
): Subject<RedisStore> {
  const where = { prefix: uniquePrefix(), timeoutMs: 30_000 };
  const make = () => new RedisStore({ ...options(), ...where });
  return {
    store: make(),
    connect: make,
    elsewhere: {
      module: new URL('fixtures/elsewhere.mjs', import.meta.url).href,
      options: { ...elsewhere, ...where },
    },
    deadline: async (sid) => {
      const left = await looker.pttl(where.prefix + sid);
      return left === -2 ? undefined : left === -1 ? Number.POSITIVE_INFINITY : left;
    },
    cleanUp: async (store) => {
      await store.clear();
      await store.close();
    },
    fallbackMs: 86_400_000,
  };
}

describeOnServer('redis', 'conformance on a server', ({ url }) => {
  const looker = new Redis(url);
  const clients = [new Redis(url), new Redis(url)];
  // A test may have many stores at once on one client.
  for (const client of clients) client.setMaxListeners(0);
  afterAll(() => {
    for (const client of [looker, ...clients]) client.disconnect();
  });

  testStore(
    'RedisStore with a url',
    () => ({
      ...subject(looker, () => ({ url }), { url }),
      interruptible: () =>
        behindProxy(url, (url) => new RedisStore({ url, prefix: uniquePrefix(), timeoutMs: 3_000 })),
    }),
    NO_LIMIT,
  );

  let turn = 0;
  testStore(
    'RedisStore with a client',
    () => subject(looker, () => ({ client: clients[turn++ % clients.length] }), { url }),
    NO_LIMIT_OR_PROXY,
  );
});

describeOnServer(startRedisCluster, 'conformance on a cluster', ({ urls }) => {
  const looker = new Cluster([...urls]);
  const client = new Cluster([...urls]);
  client.setMaxListeners(0);
  afterAll(() => {
    looker.disconnect();
    client.disconnect();
  });
  testStore(
    'RedisStore with a Cluster',
    () => subject(looker, () => ({ client }), { urls }),
    NO_LIMIT_OR_PROXY,
  );
});
