import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { onTestFinished, vi } from 'vitest';
import { RedisStore, type RedisStoreOptions } from '../src/index.js';
import { RedisBackend } from '../src/redis-backend.js';
import { RedisConnection } from '../src/redis-connection.js';

// For a machine that does much else; each test takes a fraction of it.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** A plain client, closed after the test. */
export function connect(url: string, options: Omit<RedisOptions, 'replyMapping'> = {}): Redis {
  const client = new Redis(url, options);
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

/** A connected cluster client, closed after the test. */
export function connectCluster(
  urls: readonly string[],
  options: ConstructorParameters<typeof Cluster>[1] = {},
): Cluster {
  const client = new Cluster([...urls], options);
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

/** A store that is closed after the test. */
export function open(options: RedisStoreOptions): RedisStore {
  const store = new RedisStore(options);
  onTestFinished(() => store.close());
  return store;
}

/** A backend on a client that the test has. */
export function backendOn(client: Redis | Cluster, prefix: string): RedisBackend {
  const backend = new RedisBackend(new RedisConnection(client, false), prefix);
  onTestFinished(() => backend.close());
  return backend;
}
