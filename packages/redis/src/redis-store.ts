import {
  checkOptions,
  DEFAULT_TIMEOUT_MS,
  invalidOption,
  rule,
  SessionStore,
  type StoreOptions,
} from '@session-stores/core';
import { type Cluster, Redis } from 'ioredis';
import { RedisBackend } from './redis-backend.js';
import { RedisConnection } from './redis-connection.js';

export interface RedisStoreOptions extends StoreOptions {
  /**
   * An ioredis client: a single node, Sentinel or Cluster. It stays open when the store is closed.
   *
   * What it sends again after a lost connection is its own affair. With ioredis's defaults a write can take effect after the store
   * has answered that it may have; a `Redis` with `maxRetriesPerRequest: 0`, and without `enableOfflineQueue`, sends nothing twice.
   */
  client?: Redis | Cluster | undefined;
  /** `redis://` or `rediss://` URL of a server, instead of `client`: the store opens a connection and closes it. */
  url?: string | undefined;
  /** What the keys of this store begin with. Default `sess:`, as connect-redis has it. */
  prefix?: string | undefined;
}

const about = { name: 'RedisStore', backend: 'redis' };

/**
 * Sessions in Redis, one key each, in the layout of connect-redis: the key `<prefix><id>` holds the session as JSON and expires
 * with it.
 */
export class RedisStore extends SessionStore {
  /** @throws {StoreError} `INVALID_OPTION` */
  constructor(options: RedisStoreOptions) {
    checkOptions(about, options, {
      client: rule.withMethods(
        'an ioredis Redis or Cluster (the package redis has another client)',
        'evalsha',
        'pipeline',
        'disconnect',
      ),
      url: {
        wants:
          'a redis:// or rediss:// URL with a host, its user and password percent-encoded, its path empty or a number, its query empty or connectionName and family',
        accepts: (value) => typeof value === 'string' && isRedisUrl(value),
        secret: true,
      },
      prefix: {
        wants:
          'a non-empty, well-formed string (without one, `clear` and `length` could not tell sessions from other keys)',
        accepts: (value) => typeof value === 'string' && value !== '' && value.isWellFormed(),
      },
    });
    const { client, url, timeoutMs = DEFAULT_TIMEOUT_MS, prefix = 'sess:' } = options;
    if ((client === undefined) === (url === undefined)) {
      throw invalidOption(about, `give either \`client\` or \`url\`, got ${client ? 'both' : 'neither'}`);
    }
    const connection =
      url === undefined
        ? new RedisConnection(client as Redis | Cluster, false)
        : new RedisConnection(connect(url, timeoutMs), true);
    super(new RedisBackend(connection, prefix), options);
  }
}

function isRedisUrl(text: string): boolean {
  if (!/^rediss?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { hostname, pathname, username, password, searchParams } = new URL(text);
  const harmless = [...searchParams.keys()].every((name) => ['connectionName', 'family'].includes(name));
  // ioredis takes any other path for a database, and stays in database 0; other queries would override how the client is set up.
  return hostname !== '' && harmless && /^\/?\d*$/.test(pathname) && isEncoded(username + password);
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * A client that answers every command within `timeoutMs`, drops a connection that is dead, and never sends a command later that it
 * has answered with an error: nothing waits in a queue for a connection, and nothing is sent again on the next one.
 */
function connect(url: string, timeoutMs: number): Redis {
  const client = new Redis(url, {
    commandTimeout: timeoutMs,
    connectTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    // It would keep the process alive after `close`.
    disconnectTimeout: 0,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(attempt * 50, 1000),
    // After a failover, the address may lead to the new master.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
  // ioredis would go on in database 0, among somebody else's keys.
  client.on('error', (error) => {
    if (isRefusedSelect(error)) client.disconnect(true);
  });
  return client;
}

function isRefusedSelect(error: Error & { readonly command?: { readonly name: string } }): boolean {
  return error.command?.name === 'select';
}
