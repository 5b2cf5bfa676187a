import type { SessionStore } from '@session-stores/core';
import { MongoStore } from '@session-stores/mongo';
import { MySQLStore } from '@session-stores/mysql';
import { PostgresStore } from '@session-stores/postgres';
import { RedisStore } from '@session-stores/redis';
import { SQLiteStore } from '@session-stores/sqlite';
import { sessionWith } from '@session-stores/test-kit';
import type { MongoStore as ConnectMongo } from 'connect-mongo';
import type { PGStoreOptions } from 'connect-pg-simple';
import type { RedisStore as ConnectRedis } from 'connect-redis';
import type connectMySQL from 'express-mysql-session';
import { Redis } from 'ioredis';
import { MongoClient } from 'mongodb';
import { Pool } from 'pg';
import { describe, expect, test } from 'vitest';
import { read } from './docs.js';

const nowhere = {
  redis: 'redis://localhost:1',
  mysql: 'mysql://localhost:1/none',
  mongo: 'mongodb://localhost:1',
  postgres: 'postgres://localhost:1',
};
const redisClient = new Redis(nowhere.redis, { lazyConnect: true });
const mongoClient = new MongoClient(nowhere.mongo);
const adapter = { encrypt: async (text: string) => text, decrypt: async (text: string) => text };

/** Every option of the published stores, with a value that they take. */
const published: Record<
  string,
  { ours: (options: object) => SessionStore; options: Record<string, unknown> }
> = {
  'From connect-redis': {
    ours: (options) => new RedisStore({ ...('client' in options ? {} : { url: nowhere.redis }), ...options }),
    options: {
      client: redisClient,
      prefix: 'app:',
      scanCount: 10,
      serializer: JSON,
      ttl: 60,
      disableTTL: true,
      disableTouch: true,
    } satisfies Required<ConstructorParameters<typeof ConnectRedis>[0]>,
  },
  'From express-mysql-session': {
    ours: (options) => new MySQLStore({ uri: nowhere.mysql, ...options }),
    options: {
      host: 'localhost',
      port: 3306,
      user: 'me',
      password: 'secret',
      database: 'app',
      waitForConnections: true,
      connectionLimit: 5,
      maxIdle: 5,
      idleTimeout: 1000,
      queueLimit: 0,
      clearExpired: true,
      checkExpirationInterval: 1000,
      expiration: 1000,
      createDatabaseTable: true,
      endConnectionOnClose: true,
      disableTouch: false,
      charset: 'utf8mb4_bin',
      schema: { tableName: 'sessions' },
    } satisfies Required<NonNullable<ConstructorParameters<ReturnType<typeof connectMySQL>>[0]>>,
  },
  'From connect-mongo': {
    ours: (options) => new MongoStore({ ...('client' in options ? {} : { url: nowhere.mongo }), ...options }),
    options: {
      mongoUrl: nowhere.mongo,
      clientPromise: Promise.resolve(mongoClient),
      client: mongoClient,
      collectionName: 'sessions',
      mongoOptions: {},
      dbName: 'app',
      ttl: 60,
      touchAfter: 1,
      stringify: false,
      createAutoRemoveIdx: true,
      autoRemove: 'native',
      autoRemoveInterval: 10,
      serialize: () => '',
      unserialize: () => sessionWith(),
      writeOperationOptions: {},
      transformId: (id) => id,
      crypto: { secret: 'secret' },
      cryptoAdapter: adapter,
      timestamps: true,
    } satisfies Required<ConstructorParameters<typeof ConnectMongo>[0]>,
  },
  'From connect-pg-simple': {
    ours: (options) =>
      new PostgresStore({ ...('pool' in options ? {} : { connectionString: nowhere.postgres }), ...options }),
    options: {
      pool: new Pool({ connectionString: nowhere.postgres }),
      pgPromise: {},
      conString: nowhere.postgres,
      conObject: {},
      ttl: 60,
      disableTouch: true,
      createTableIfMissing: true,
      schemaName: 'public',
      tableName: 'session',
      pruneSessionInterval: 60,
      pruneSessionRandomizedInterval: () => 60,
      errorLog: () => {},
    } satisfies Required<PGStoreOptions> & { pruneSessionRandomizedInterval: unknown },
  },
  'From better-sqlite3-session-store': {
    ours: (options) => new SQLiteStore({ file: '/no/such/folder/sessions.db', ...options }),
    options: { client: {}, expired: { clear: true, intervalMs: 900_000 } },
  },
};

describe.each(Object.entries(published))('%s', (heading, { ours, options }) => {
  const section = read('docs/migrating.md')
    .split(/^## /m)
    .find((text) => text.startsWith(heading));
  const rows = [...(section ?? '').matchAll(/^\| (.*?) \| (.*) \|$/gm)];

  test.for(Object.entries(options))('the option %s', async ([name, value]) => {
    const row = rows.find(([, theirs]) => theirs?.includes(`\`${name}\``));
    const [, , here = 'no row'] = row ?? [];
    if (here.startsWith('the same')) return ours({ [name]: value }).close();
    const [, advised = ''] = /`(\w+)`/.exec(here) ?? [];
    expect(here).not.toBe('no row');
    expect(() => ours({ [name]: value })).toThrow(
      new RegExp(`unknown option \`${name}\`: (?!there are \`).*${advised}`),
    );
  });
});
