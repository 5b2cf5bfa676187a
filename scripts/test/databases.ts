import { randomUUID } from 'node:crypto';
import { promised } from '@session-stores/test-kit';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { MongoStore } from 'connect-mongo';
import { RedisStore } from 'connect-redis';
import connectMySQL from 'express-mysql-session';
import session from 'express-session';
import { Redis } from 'ioredis';
import { MongoClient } from 'mongodb';
import { createPool, type RowDataPacket } from 'mysql2/promise';
import { afterAll } from 'vitest';

/** An empty database, the published store on it, and what its server says of a session's deadline, in milliseconds from now. */
interface Database {
  readonly url: string;
  readonly theirs: ReturnType<typeof promised>;
  left(id: string): Promise<number>;
  close(): Promise<unknown>;
}

export type Databases = Readonly<Record<'redis' | 'mysql' | 'mongo', Database>>;

/** A `describe` whose tests need a database of each kind. */
export function describeOnDatabases(title: string, tests: (databases: Databases) => void): void {
  // The keys have their default prefix: so Redis is not shared.
  const redisServer = () => startServer('redis', { private: true });
  describeOnServer(redisServer, title, (redis) =>
    describeOnServer('mariadb', 'with MariaDB', (mysql) =>
      describeOnServer('mongo', 'and MongoDB', async (mongo) => {
        const databases = {
          redis: redisDatabase(redis.url),
          mysql: await mysqlDatabase(mysql.url),
          mongo: mongoDatabase(mongo.url),
        };
        afterAll(() => Promise.all(Object.values(databases).map((database) => database.close())));
        tests(databases);
      }),
    ),
  );
}

function redisDatabase(url: string): Database {
  const client = new Redis(url);
  return {
    url,
    theirs: promised(new RedisStore({ client })),
    left: (id) => client.pttl(`sess:${id}`),
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
    async close() {
      await client.db().dropDatabase();
      await store.close();
      await client.close();
    },
  };
}
