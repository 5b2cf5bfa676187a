import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoreOptions } from '@session-stores/core';
import type { ServerName } from '@session-stores/test-servers';
import session, { type SessionData, type Store } from 'express-session';
import type { RowDataPacket } from 'mysql2/promise';

/** Looks at sessions on the server itself. */
interface Inspector {
  /** Milliseconds until the server forgets the session; `undefined` when nothing of it is there. */
  left(id: string): Promise<number | undefined>;
  /** Deletes the whole namespace. */
  drop(): Promise<unknown>;
}

interface StoreKind {
  /** Whether it is one of this repository. */
  readonly ours: boolean;
  /** Whether it lives in its process, where no other one sees its sessions. */
  readonly inProcess?: true;
  /** What it needs, and its URL is of. */
  readonly server?: ServerName;
  /**
   * @param namespace A table or database, or part of a key or file name: letters, digits and `_`.
   * @param conflicts Only the stores of this repository have a choice.
   */
  open(url: string, namespace: string, conflicts?: StoreOptions['conflicts']): Promise<Store>;
  inspect(store: Store, url: string, namespace: string): Promise<Inspector>;
}

/** Every deadline that a request moves is moved on the server, and it is not judged how fast the machine is. */
const always = { touchAfter: 0, timeoutMs: 15_000 };

/** What some of the stores share. */
const inItsProcess = { inProcess: true, inspect: onStore } as const;
const onOurMySQL = {
  ours: true,
  async open(uri, table, conflicts) {
    const { MySQLStore } = await import('@session-stores/mysql');
    return new MySQLStore({ uri, table, conflicts, ...always });
  },
  inspect: onMySQL,
} as const satisfies StoreKind;

// A process loads no more than the store that it runs on.
const stores = {
  memory: {
    ours: true,
    async open(_url, _namespace, conflicts) {
      const { MemoryStore } = await import('@session-stores/memory');
      return new MemoryStore({ conflicts, ...always });
    },
    ...inItsProcess,
  },
  redis: {
    ours: true,
    server: 'redis',
    async open(url, prefix, conflicts) {
      const { RedisStore } = await import('@session-stores/redis');
      return new RedisStore({ url, prefix, conflicts, ...always });
    },
    inspect: onRedis,
  },
  mariadb: { ...onOurMySQL, server: 'mariadb' },
  mysql: { ...onOurMySQL, server: 'mysql' },
  mongo: {
    ours: true,
    server: 'mongo',
    async open(url, dbName, conflicts) {
      const { MongoStore } = await import('@session-stores/mongo');
      return new MongoStore({ url, dbName, conflicts, ...always });
    },
    inspect: onMongo,
  },
  postgres: {
    ours: true,
    server: 'postgres',
    async open(connectionString, table, conflicts) {
      const { PostgresStore } = await import('@session-stores/postgres');
      return new PostgresStore({ connectionString, table, conflicts, ...always });
    },
    inspect: onPostgres,
  },
  sqlite: {
    ours: true,
    async open(_url, name, conflicts) {
      const { SQLiteStore } = await import('@session-stores/sqlite');
      return new SQLiteStore({ file: fileOf(name), conflicts, ...always });
    },
    inspect: onSQLite,
  },
  'express-session': {
    ours: false,
    open: async () => new session.MemoryStore(),
    ...inItsProcess,
  },
  memorystore: {
    ours: false,
    async open() {
      const { default: create } = await import('memorystore');
      return new (create(session))({ checkPeriod: 60_000 });
    },
    ...inItsProcess,
  },
  'connect-redis-8': {
    ours: false,
    server: 'redis',
    async open(url, prefix) {
      const [{ RedisStore }, { Redis }] = await Promise.all([import('connect-redis-8'), import('ioredis')]);
      return new RedisStore({ client: new Redis(url), prefix });
    },
    inspect: onRedis,
  },
  'connect-redis-10': {
    ours: false,
    server: 'redis',
    async open(url, prefix) {
      const [{ RedisStore }, { createClient }] = await Promise.all([
        import('connect-redis-10'),
        import('redis'),
      ]);
      return new RedisStore({ client: await createClient({ url }).connect(), prefix });
    },
    inspect: onRedis,
  },
  'express-mysql-session': {
    ours: false,
    server: 'mariadb',
    async open(url, tableName) {
      const { default: connect } = await import('express-mysql-session');
      const { hostname: host, port, username: user, password, pathname } = new URL(url);
      const store = new (connect(session))({
        ...{ host, port: Number(port), user, password, database: pathname.slice(1) },
        ...{ connectionLimit: 10, schema: { tableName } },
      });
      await store.onReady();
      return store;
    },
    inspect: onMySQL,
  },
  'connect-mongo': {
    ours: false,
    server: 'mongo',
    async open(mongoUrl, dbName) {
      const { default: MongoStore } = await import('connect-mongo');
      return MongoStore.create({ mongoUrl, dbName });
    },
    inspect: onMongo,
  },
  'connect-pg-simple': {
    ours: false,
    server: 'postgres',
    async open(connectionString, tableName) {
      const [{ default: connect }, { Pool }] = await Promise.all([import('connect-pg-simple'), import('pg')]);
      const pool = new Pool({ connectionString });
      // Made by the store, a table fails in the second of two processes, and a second table because its index has the same name.
      await pool.query(`SELECT pg_advisory_xact_lock(1);
        CREATE TABLE IF NOT EXISTS ${tableName} (sid varchar PRIMARY KEY, sess json NOT NULL, expire timestamp(6) NOT NULL)`);
      return new (connect(session))({ pool, tableName, pruneSessionInterval: false });
    },
    inspect: onPostgres,
  },
} as const satisfies Record<string, StoreKind>;

/** The name of a table, database or key prefix that nobody else has. */
export function newNamespace(): string {
  return `races_${randomBytes(8).toString('hex')}`;
}

export type StoreName = keyof typeof stores;

export const storeNames = Object.keys(stores) as StoreName[];

export function storeKind(name: StoreName): StoreKind {
  return stores[name];
}

function fileOf(name: string): string {
  return join(tmpdir(), `session-stores-${name}.db`);
}

/** `get` of a store in this process, with a promise. */
export function read(store: Store, id: string): Promise<SessionData | null> {
  return new Promise((resolve, reject) => {
    store.get(id, (error, found) => (error ? reject(error) : resolve(found ?? null)));
  });
}

/** The server's, whatever the clock of the application says. */
const { now } = Date;

const until = (date: Date | undefined | null) => (date ? date.getTime() - now() : Number.POSITIVE_INFINITY);

async function onStore(store: Store): Promise<Inspector> {
  return {
    async left(id) {
      const found = await read(store, id);
      if (found === null) return undefined;
      const { expires } = found.cookie;
      return until(expires ? new Date(expires) : null);
    },
    drop: async () => {},
  };
}

async function onRedis(_store: Store, url: string, prefix: string): Promise<Inspector> {
  const { Redis } = await import('ioredis');
  const client = new Redis(url);
  // What it asks fails while there is no connection; that tells enough.
  client.on('error', () => {});
  return {
    async left(id) {
      const left = await client.pttl(prefix + id);
      return left === -2 ? undefined : left;
    },
    async drop() {
      for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1000 })) {
        if (keys.length > 0) await client.unlink(keys);
      }
    },
  };
}

async function onMySQL(_store: Store, uri: string, table: string): Promise<Inspector> {
  const { createPool } = await import('mysql2/promise');
  const pool = createPool({ uri });
  return {
    async left(id) {
      const sql = `SELECT expires FROM ${table} WHERE session_id = ?`;
      const [[row]] = await pool.query<RowDataPacket[]>(sql, [id]);
      return row && until(new Date(Number(row['expires']) * 1000));
    },
    drop: () => pool.query(`DROP TABLE ${table}`),
  };
}

async function onMongo(_store: Store, url: string, dbName: string): Promise<Inspector> {
  const { MongoClient } = await import('mongodb');
  const database = new MongoClient(url).db(dbName);
  const sessions = database.collection<{ _id: string; expires?: Date }>('sessions');
  return {
    async left(id) {
      const found = await sessions.findOne({ _id: id });
      return found ? until(found.expires) : undefined;
    },
    drop: () => database.dropDatabase(),
  };
}

async function onPostgres(_store: Store, connectionString: string, table: string): Promise<Inspector> {
  const { Pool } = await import('pg');
  const pool = new Pool({ connectionString });
  // What it asks fails while there is no connection; that tells enough.
  pool.on('error', () => {});
  return {
    async left(id) {
      const sql = `SELECT extract(epoch FROM expire - clock_timestamp())::float8 * 1000 AS left FROM ${table} WHERE sid = $1`;
      const { rows } = await pool.query<{ left: number }>(sql, [id]);
      return rows[0]?.left;
    },
    drop: () => pool.query(`DROP TABLE ${table}`),
  };
}

async function onSQLite(_store: Store, _url: string, name: string): Promise<Inspector> {
  const { default: Libsql } = await import('libsql');
  const file = fileOf(name);
  const database = new Libsql(file, { timeout: 10_000 });
  return {
    async left(id) {
      const [row] = database.prepare('SELECT expire FROM sessions WHERE sid = ?').raw().all(id) as [string][];
      return row && until(new Date(row[0]));
    },
    async drop() {
      database.close();
      await Promise.all(['', '-wal', '-shm'].map((end) => rm(`${file}${end}`, { force: true })));
    },
  };
}
