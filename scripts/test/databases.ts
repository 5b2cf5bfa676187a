import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promised } from '@session-stores/test-kit';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import connectSQLite from 'better-sqlite3-session-store';
import { MongoStore } from 'connect-mongo';
import connectPgSimple from 'connect-pg-simple';
import { RedisStore } from 'connect-redis';
import connectMySQL from 'express-mysql-session';
import session from 'express-session';
import { Redis } from 'ioredis';
import Libsql from 'libsql';
import { MongoClient } from 'mongodb';
import { createPool, type RowDataPacket } from 'mysql2/promise';
import { Pool } from 'pg';
import { afterAll } from 'vitest';

/** An empty database, the published store on it, and what its server says of a session's deadline, in milliseconds from now. */
interface Database {
  readonly url: string;
  readonly theirs: ReturnType<typeof promised>;
  left(id: string): Promise<number>;
  /** Deletes all sessions. */
  clear(): Promise<unknown>;
  close(): Promise<unknown>;
}

export type Databases = Readonly<Record<'redis' | 'mysql' | 'mongo' | 'postgres' | 'sqlite', Database>>;

/** A `describe` whose tests need a database of each kind. */
export function describeOnDatabases(title: string, tests: (databases: Databases) => void): void {
  // The keys have their default prefix: so Redis is not shared.
  const redisServer = () => startServer('redis', { private: true });
  describeOnServer(redisServer, title, (redis) =>
    describeOnServer('mariadb', 'with MariaDB', (mysql) =>
      describeOnServer('postgres', 'with PostgreSQL', (postgres) =>
        describeOnServer('mongo', 'and MongoDB', async (mongo) => {
          const databases = {
            redis: redisDatabase(redis.url),
            mysql: await mysqlDatabase(mysql.url),
            mongo: mongoDatabase(mongo.url),
            postgres: await postgresDatabase(postgres.url),
            sqlite: sqliteDatabase(),
          };
          afterAll(() => Promise.all(Object.values(databases).map((database) => database.close())));
          tests(databases);
        }),
      ),
    ),
  );
}

function redisDatabase(url: string): Database {
  const client = new Redis(url);
  return {
    url,
    theirs: promised(new RedisStore({ client })),
    left: (id) => client.pttl(`sess:${id}`),
    clear: () => client.flushall(),
    close: async () => client.disconnect(),
  };
}

async function mysqlDatabase(server: string): Promise<Database> {
  const database = `docs_${randomUUID().replaceAll('-', '')}`;
  const look = createPool(server);
  await look.query(`CREATE DATABASE ${database}`);
  const url = Object.assign(new URL(server), { pathname: database });
  const { hostname: host, port, username: user, password } = url;
  const store = new (connectMySQL(session))({ host, port: Number(port), user, password, database });
  await store.onReady();
  return {
    url: url.href,
    theirs: promised(store),
    async left(id) {
      const [[row]] = await look.query<RowDataPacket[]>(
        `SELECT (expires - UNIX_TIMESTAMP(NOW(3))) * 1000 AS ms FROM ${database}.sessions WHERE session_id = ?`,
        [id],
      );
      return Number(row?.['ms']);
    },
    clear: () => look.query(`DELETE FROM ${database}.sessions`),
    async close() {
      await store.close();
      await look.query(`DROP DATABASE ${database}`);
      await look.end();
    },
  };
}

function mongoDatabase(server: string): Database {
  const url = Object.assign(new URL(server), { pathname: `docs-${randomUUID()}` }).href;
  const client = new MongoClient(url);
  const sessions = client.db().collection<{ _id: string; ms?: number }>('sessions');
  const store = new MongoStore({ mongoUrl: url });
  return {
    url,
    theirs: promised(store),
    async left(id) {
      const ms = { $subtract: ['$expires', '$$NOW'] };
      return (await sessions.findOne({ _id: id }, { projection: { ms } }))?.ms ?? Number.NaN;
    },
    clear: () => sessions.deleteMany(),
    async close() {
      await client.db().dropDatabase();
      await store.close();
      await client.close();
    },
  };
}

async function postgresDatabase(server: string): Promise<Database> {
  const database = `docs_${randomUUID().replaceAll('-', '')}`;
  const maker = new Pool({ connectionString: server });
  await maker.query(`CREATE DATABASE ${database}`);
  const url = Object.assign(new URL(server), { pathname: database }).href;
  const pool = new Pool({ connectionString: url });
  const TheirStore = connectPgSimple(session);
  const theirs = promised(new TheirStore({ pool, createTableIfMissing: true, pruneSessionInterval: false }));
  // It makes its table now.
  await theirs.get('nobody');
  return {
    url,
    theirs,
    async left(id) {
      const { rows } = await pool.query<{ ms: number }>(
        'SELECT extract(epoch FROM expire - clock_timestamp())::float8 * 1000 AS ms FROM session WHERE sid = $1',
        [id],
      );
      return rows[0]?.ms ?? Number.NaN;
    },
    clear: () => pool.query('DELETE FROM session'),
    async close() {
      await pool.end();
      await maker.query(`DROP DATABASE ${database} WITH (FORCE)`);
      await maker.end();
    },
  };
}

function sqliteDatabase(): Database {
  const folder = mkdtempSync(join(tmpdir(), 'session-stores-docs-'));
  const file = join(folder, 'sessions.db');
  const client = new Libsql(file, { timeout: 1000 });
  return {
    url: pathToFileURL(file).href,
    theirs: promised(new (connectSQLite(session))({ client })),
    async left(id) {
      const sql = `SELECT 1000 * (unixepoch(expire, 'subsec') - unixepoch('subsec')) FROM sessions WHERE sid = ?`;
      const [row] = client.prepare(sql).raw().all(id) as [number][];
      return row?.[0] ?? Number.NaN;
    },
    clear: async () => client.exec('DELETE FROM sessions'),
    async close() {
      client.close();
      rmSync(folder, { recursive: true });
    },
  };
}
