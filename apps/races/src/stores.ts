import { MemoryStore } from '@session-stores/memory';
import { MongoStore } from '@session-stores/mongo';
import { MySQLStore } from '@session-stores/mysql';
import { RedisStore } from '@session-stores/redis';
import type { ServerName } from '@session-stores/test-servers';
import connectMongo from 'connect-mongo';
import { RedisStore as ConnectRedis8 } from 'connect-redis-8';
import { RedisStore as ConnectRedis10 } from 'connect-redis-10';
import connectMySQL from 'express-mysql-session';
import session, { type Store } from 'express-session';
import { Redis } from 'ioredis';
import createMemoryStore from 'memorystore';
import { MongoClient } from 'mongodb';
import { createPool, type RowDataPacket } from 'mysql2/promise';
import { createClient } from 'redis';

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
  /** A store without one lives in its process. */
  readonly server?: ServerName;
  /** @param namespace A table or database, or part of a key: letters, digits and `_`. */
  open(url: string, namespace: string): Store | Promise<Store>;
  inspect(store: Store, url: string, namespace: string): Inspector;
}

/** Every deadline that a request moves is moved on the server. */
const always = { touchAfter: 0 };

const TheirMemoryStore = createMemoryStore(session);
const TheirMySQLStore = connectMySQL(session);

const stores = {
  memory: { ours: true, open: () => new MemoryStore(always), inspect: inProcess },
  redis: {
    ours: true,
    server: 'redis',
    open: (url, prefix) => new RedisStore({ url, prefix, ...always }),
    inspect: onRedis,
  },
  mariadb: {
    ours: true,
    server: 'mariadb',
    open: (uri, table) => new MySQLStore({ uri, table, ...always }),
    inspect: onMySQL,
  },
  mysql: {
    ours: true,
    server: 'mysql',
    open: (uri, table) => new MySQLStore({ uri, table, ...always }),
    inspect: onMySQL,
  },
  mongo: {
    ours: true,
    server: 'mongo',
    open: (url, dbName) => new MongoStore({ url, dbName, ...always }),
    inspect: onMongo,
  },
  'express-session': { ours: false, open: () => new session.MemoryStore(), inspect: inProcess },
  memorystore: {
    ours: false,
    open: () => new TheirMemoryStore({ checkPeriod: 60_000 }),
    inspect: inProcess,
  },
  'connect-redis-8': {
    ours: false,
    server: 'redis',
    open: (url, prefix) => new ConnectRedis8({ client: new Redis(url), prefix }),
    inspect: onRedis,
  },
  'connect-redis-10': {
    ours: false,
    server: 'redis',
    open: async (url, prefix) =>
      new ConnectRedis10({ client: await createClient({ url }).connect(), prefix }),
    inspect: onRedis,
  },
  'express-mysql-session': {
    ours: false,
    server: 'mariadb',
    open: async (url, tableName) => {
      const { hostname: host, port, username: user, password, pathname } = new URL(url);
      const store = new TheirMySQLStore({
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
    open: (mongoUrl, dbName) => connectMongo.create({ mongoUrl, dbName }),
    inspect: onMongo,
  },
} as const satisfies Record<string, StoreKind>;

export type StoreName = keyof typeof stores;

export const storeNames = Object.keys(stores) as StoreName[];

export function storeKind(name: StoreName): StoreKind {
  return stores[name];
}

/** `get` of a store in this process, with a promise. */
export function read(store: Store, id: string): Promise<session.SessionData | null> {
  return new Promise((resolve, reject) => {
    store.get(id, (error, found) => (error ? reject(error) : resolve(found ?? null)));
  });
}

const until = (date: Date | undefined | null) =>
  date ? date.getTime() - Date.now() : Number.POSITIVE_INFINITY;

function inProcess(store: Store): Inspector {
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

function onRedis(_store: Store, url: string, prefix: string): Inspector {
  const client = new Redis(url);
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

function onMySQL(_store: Store, uri: string, table: string): Inspector {
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

function onMongo(_store: Store, url: string, dbName: string): Inspector {
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
