import type { Subject } from '@session-stores/conformance';
import { testStore } from '@session-stores/conformance/vitest';
import { startRedisCluster } from '@session-stores/test-servers';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import { Cluster, Redis } from 'ioredis';
import { afterAll } from 'vitest';
import { RedisStore, type RedisStoreOptions } from '../src/index.js';

/** A store for the suite to judge, whose deadlines are read by `looker`. */
function subject(
  looker: Redis | Cluster,
  options: () => RedisStoreOptions,
  prefix = uniquePrefix(),
): Subject<RedisStore> {
  const make = () => new RedisStore({ ...options(), prefix });
  return {
    store: make(),
    connect: make,
    deadline: async (sid) => {
      const left = await looker.pttl(prefix + sid);
      return left === -2 ? undefined : left === -1 ? Number.POSITIVE_INFINITY : left;
    },
    cleanUp: async (store) => {
      await store.clear();
      await store.close();
    },
    grainMs: 1,
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

  testStore('RedisStore with a url', () => subject(looker, () => ({ url })));

  let turn = 0;
  testStore('RedisStore with a client', () =>
    subject(looker, () => {
      const client = clients[turn++ % clients.length];
      return { client };
    }),
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
  testStore('RedisStore with a Cluster', () => subject(looker, () => ({ client })));
});
