import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreOptions } from '@session-stores/core';
import type { ServerName } from '@session-stores/test-servers';
import session, { type Store } from 'express-session';
import { fileIn, type Looker, onMongo, onMySQL, onPostgres, onRedis, onSQLite } from './looks.js';

/** A store, and what lets go of all that was opened for it. */
export interface Opened {
  readonly store: Store;
  close(): Promise<unknown>;
}

/** How a store is opened. */
export interface Settings {
  /** The server, or the folder that takes its place; nothing where the store lives in its process. */
  readonly url: string;
  /** A table, schema or database, a file or folder, or part of a key: letters, digits and `_`. */
  readonly namespace: string;
  /** How many connections to the server it may have, where it has more than one. Default 10. */
  readonly connections?: number;
  /** For the stores of this repository. Default: theirs. */
  readonly ours?: Pick<StoreOptions, 'conflicts' | 'timeoutMs' | 'touchAfter'>;
}

export interface StoreKind {
  /** Its package, as it is installed here. */
  readonly package: string;
  /** The package of the driver that it is given or has, if any. */
  readonly driver?: string;
  /** Whether it is one of this repository. */
  readonly ours: boolean;
  /** Where sessions are. A store without a server has them in its process, or in a folder. */
  readonly server?: ServerName;
  readonly inFolder?: true;
  /** How long a session without an end of its own is kept, in milliseconds; by default, for ever. */
  readonly fallbackMs?: number;
  /** Whether the server itself deletes what has expired. */
  readonly nativeExpiry?: boolean;
  /** Where the store's own documentation leaves that to whoever uses it: makes what it wants to find, once for a namespace. */
  prepare?(settings: Settings): Promise<unknown>;
  open(settings: Settings): Promise<Opened>;
  /** Absent where the server knows of no deadline. */
  readonly look?: Looker;
}

const DAY = 86_400_000;
const MiB = 1024 * 1024;

const onOurMySQL = {
  package: '@session-stores/mysql',
  driver: 'mysql2',
  ours: true,
  fallbackMs: DAY,
  async open({ url: uri, namespace: table, connections: connectionLimit = 10, ours }) {
    const { MySQLStore } = await import('@session-stores/mysql');
    const store = new MySQLStore({ uri, table, connectionLimit, ...ours });
    return { store, close: () => store.close() };
  },
  look: onMySQL,
} as const satisfies StoreKind;

const expressMySQLSession = {
  package: 'express-mysql-session',
  driver: 'mysql2',
  ours: false,
  fallbackMs: DAY,
  async open({ url, namespace: tableName, connections: connectionLimit = 10 }) {
    const { default: connect } = await import('express-mysql-session');
    const { hostname: host, port, username: user, password, pathname } = new URL(url);
    const store = new (connect(session))({
      ...{ host, port: Number(port), user, password, database: pathname.slice(1) },
      ...{ connectionLimit, schema: { tableName } },
    });
    await store.onReady();
    return { store, close: () => store.close() };
  },
  look: onMySQL,
} as const satisfies StoreKind;

/** What three of the stores share. */
const connectRedis = {
  ours: false,
  server: 'redis',
  fallbackMs: DAY,
  nativeExpiry: true,
  look: onRedis,
} as const;

/** What three of the stores share: each has the default name of its table, in a schema of its own. */
const onASchema = {
  driver: 'pg',
  server: 'postgres',
  fallbackMs: DAY,
} as const;

async function poolFor({ url: connectionString, namespace, connections: max = 10 }: Settings) {
  const { Pool } = await import('pg');
  const pool = new Pool({ connectionString, options: `-c search_path=${namespace}`, max });
  pool.on('error', () => {});
  return pool;
}

/** Makes the schema, and in it what a script says. */
async function makeSchema(settings: Settings, script = ''): Promise<void> {
  const pool = await poolFor(settings);
  await pool.query(`CREATE SCHEMA ${settings.namespace};${script}`);
  await pool.end();
}

/** So that their names are known, and of each no more than that it is one. */
const table = <Name extends string>(kinds: Readonly<Record<Name, StoreKind>>) => kinds;

// A process loads no more than the store that it runs on.
const stores = table({
  memory: {
    package: '@session-stores/memory',
    ours: true,
    fallbackMs: DAY,
    async open({ ours }) {
      const { MemoryStore } = await import('@session-stores/memory');
      const store = new MemoryStore(ours);
      return { store, close: () => store.close() };
    },
  },
  redis: {
    package: '@session-stores/redis',
    driver: 'ioredis',
    ours: true,
    server: 'redis',
    fallbackMs: DAY,
    async open({ url, namespace: prefix, ours }) {
      const { RedisStore } = await import('@session-stores/redis');
      const store = new RedisStore({ url, prefix, ...ours });
      return { store, close: () => store.close() };
    },
    look: onRedis,
  },
  mariadb: { ...onOurMySQL, server: 'mariadb' },
  mysql: { ...onOurMySQL, server: 'mysql' },
  mongo: {
    package: '@session-stores/mongo',
    driver: 'mongodb',
    ours: true,
    server: 'mongo',
    fallbackMs: DAY,
    async open({ url, namespace: dbName, ours }) {
      const { MongoStore } = await import('@session-stores/mongo');
      const store = new MongoStore({ url, dbName, ...ours });
      return { store, close: () => store.close() };
    },
    // Half of a document: the update that changes it holds the old text and the new.
    look: onMongo(8 * MiB),
  },
  postgres: {
    ...onASchema,
    package: '@session-stores/postgres',
    ours: true,
    prepare: makeSchema,
    async open({ url: connectionString, namespace: schema, connections: max = 10, ours }) {
      const { PostgresStore } = await import('@session-stores/postgres');
      const store = new PostgresStore({ connectionString, schema, max, ...ours });
      return { store, close: () => store.close() };
    },
    look: onPostgres('session', 'expire'),
  },
  sqlite: {
    package: '@session-stores/sqlite',
    driver: 'libsql',
    ours: true,
    inFolder: true,
    fallbackMs: DAY,
    async open({ url, namespace, ours }) {
      const { SQLiteStore } = await import('@session-stores/sqlite');
      const store = new SQLiteStore({ file: fileIn(url, namespace), ...ours });
      return { store, close: () => store.close() };
    },
    look: onSQLite,
  },
  'express-session': {
    package: 'express-session',
    ours: false,
    open: async () => ({ store: new session.MemoryStore(), close: async () => {} }),
  },
  memorystore: {
    package: 'memorystore',
    ours: false,
    fallbackMs: DAY,
    async open() {
      const { default: create } = await import('memorystore');
      const store = new (create(session))({ checkPeriod: 60_000 });
      return { store, close: async () => store.stopInterval() };
    },
  },
  'connect-redis-7': {
    ...connectRedis,
    package: 'connect-redis-7',
    driver: 'ioredis',
    async open({ url, namespace: prefix }) {
      const [{ default: RedisStore }, { Redis }] = await Promise.all([
        import('connect-redis-7'),
        import('ioredis'),
      ]);
      const client = new Redis(url);
      return { store: new RedisStore({ client, prefix }), close: async () => client.disconnect() };
    },
  },
  'connect-redis-8': {
    ...connectRedis,
    package: 'connect-redis-8',
    driver: 'ioredis',
    async open({ url, namespace: prefix }) {
      const [{ RedisStore }, { Redis }] = await Promise.all([import('connect-redis-8'), import('ioredis')]);
      const client = new Redis(url);
      return { store: new RedisStore({ client, prefix }), close: async () => client.disconnect() };
    },
  },
  'connect-redis-10': {
    ...connectRedis,
    package: 'connect-redis-10',
    driver: 'redis',
    async open({ url, namespace: prefix }) {
      const [{ RedisStore }, { createClient }] = await Promise.all([
        import('connect-redis-10'),
        import('redis'),
      ]);
      const client = await createClient({ url }).connect();
      return { store: new RedisStore({ client, prefix }), close: async () => client.destroy() };
    },
  },
  'express-mysql-session': { ...expressMySQLSession, server: 'mariadb' },
  'express-mysql-session-on-mysql': { ...expressMySQLSession, server: 'mysql' },
  'connect-mongo': {
    package: 'connect-mongo',
    driver: 'mongodb',
    ours: false,
    server: 'mongo',
    fallbackMs: 14 * DAY,
    nativeExpiry: true,
    async open({ url: mongoUrl, namespace: dbName }) {
      const { default: MongoStore } = await import('connect-mongo');
      const store = MongoStore.create({ mongoUrl, dbName });
      // Closed while it makes its index, it would reject where nobody listens.
      await new Promise((resolve) => store.length(resolve));
      return { store, close: () => store.close() };
    },
    look: onMongo(16 * MiB),
  },
  'connect-mongodb-session': {
    package: 'connect-mongodb-session',
    driver: 'mongodb',
    ours: false,
    server: 'mongo',
    fallbackMs: 14 * DAY,
    nativeExpiry: true,
    async open({ url: uri, namespace: databaseName }) {
      const { default: connect } = await import('connect-mongodb-session');
      const Connected = connect(session);
      const store = await new Promise<InstanceType<typeof Connected>>((resolve, reject) => {
        const made = new Connected({ uri, databaseName, collection: 'sessions' }, (error) =>
          error ? reject(error) : resolve(made),
        );
        made.on('error', () => {});
      });
      return { store, close: () => store.client.close() };
    },
    look: onMongo(16 * MiB),
  },
  'connect-pg-simple': {
    ...onASchema,
    package: 'connect-pg-simple',
    ours: false,
    prepare: async (settings) =>
      makeSchema(settings, await readFile(fileOf('connect-pg-simple/table.sql'), 'utf8')),
    async open(settings) {
      const { default: connect } = await import('connect-pg-simple');
      const pool = await poolFor(settings);
      const store = new (connect(session))({ pool });
      return {
        store,
        async close() {
          await store.close();
          await pool.end();
        },
      };
    },
    look: onPostgres('session', 'expire'),
  },
  'connect-session-knex': {
    ...onASchema,
    package: 'connect-session-knex',
    ours: false,
    prepare: makeSchema,
    async open({ url: connectionString, namespace, connections: max = 10 }) {
      const [{ ConnectSessionKnexStore }, { default: knex }] = await Promise.all([
        import('connect-session-knex'),
        import('knex'),
      ]);
      const client = knex({
        client: 'pg',
        connection: connectionString,
        searchPath: [namespace],
        pool: { min: 0, max },
      });
      const store = new ConnectSessionKnexStore({ knex: client });
      await store.ready;
      return {
        store,
        async close() {
          clearTimeout(store.nextDbCleanup);
          await client.destroy();
        },
      };
    },
    look: onPostgres('sessions', 'expired'),
  },
  'session-file-store': {
    package: 'session-file-store',
    ours: false,
    inFolder: true,
    fallbackMs: DAY / 24,
    async open({ url, namespace }) {
      const { default: connect } = await import('session-file-store');
      const options = { path: `${url}/${namespace}`, logFn: () => {}, reapIntervalObject: undefined };
      const store = new (connect(session))(options);
      return { store, close: async () => clearInterval(options.reapIntervalObject) };
    },
  },
  'better-sqlite3-session-store': {
    package: 'better-sqlite3-session-store',
    driver: 'libsql',
    ours: false,
    inFolder: true,
    fallbackMs: DAY,
    async open({ url, namespace }) {
      const [{ default: connect }, { default: Libsql }] = await Promise.all([
        import('better-sqlite3-session-store'),
        import('libsql'),
      ]);
      // As the documentation of better-sqlite3 recommends, which has this interface too.
      const client = new Libsql(fileIn(url, namespace), { timeout: 5000 });
      client.pragma('journal_mode = WAL');
      return { store: new (connect(session))({ client }), close: async () => client.close() };
    },
    look: onSQLite,
  },
});

export type StoreName = keyof typeof stores;

export const storeNames = Object.keys(stores) as StoreName[];

export function storeKind(name: StoreName): StoreKind {
  return stores[name];
}

/** A name that nobody else has, for what a store keeps. */
export function newNamespace(): string {
  return `stores_${randomBytes(8).toString('hex')}`;
}

/** A package, as it is installed here, and its version. */
export function productOf(installed: string): Product {
  return manifestAt(fileOf(`${installed}/package.json`));
}

/** The database's client that a store works through, if any: the one that it brings, or the one that it is given. */
export function driverOf(kind: StoreKind): Product | undefined {
  const { driver } = kind;
  if (driver === undefined) return undefined;
  // Beside the package is what it depends on itself.
  const itsOwn = join(realpathSync(fileOf(kind.package)), '..', driver, 'package.json');
  return existsSync(itsOwn) ? manifestAt(itsOwn) : productOf(driver);
}

interface Product {
  readonly name: string;
  readonly version: string;
}

function manifestAt(file: string | URL): Product {
  const { name, version } = JSON.parse(readFileSync(file, 'utf8'));
  return { name, version };
}

/** A file of a package that this one depends on. */
function fileOf(path: string): URL {
  return new URL(`../node_modules/${path}`, import.meta.url);
}
