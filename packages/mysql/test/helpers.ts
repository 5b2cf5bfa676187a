import { randomUUID } from 'node:crypto';
import { describeOnServer, type SharedServer } from '@session-stores/test-servers/vitest';
import { createPool, type Pool, type PoolOptions, type RowDataPacket } from 'mysql2';
import { afterAll, onTestFinished } from 'vitest';
import { Connections } from '../src/connections.js';
import { MySQLStore, type MySQLStoreOptions } from '../src/index.js';
import { MySQLBackend } from '../src/mysql-backend.js';

export const MINUTE = 60_000;

/** The same tests on every kind of server. */
export function onEachServer(title: string, tests: (server: SharedServer) => void): void {
  for (const name of ['mariadb', 'mysql'] as const) describeOnServer(name, `${title} (${name})`, tests);
}

/** A table name that nobody else has. */
export function uniqueTable(): string {
  return `t_${randomUUID().replaceAll('-', '')}`;
}

/** A client of the test's own, to look at the server and to hurt it. */
export interface Client {
  /** The rows of a statement. */
  query(sql: string, values?: unknown[]): Promise<RowDataPacket[]>;
  /** A connection for what lasts longer than a statement; it ends with the test. */
  session(): Promise<Pick<Client, 'query' | 'end'>>;
  end(): Promise<void>;
}

export function connect(url: string, options: PoolOptions = {}): Client {
  const asked = createPool({ uri: url, ...options }).promise();
  return {
    async query(sql, values = []) {
      const [rows] = await asked.query<RowDataPacket[]>(sql, values);
      return rows;
    },
    async session() {
      const connection = await asked.getConnection();
      const end = async () => connection.destroy();
      onTestFinished(end);
      return {
        end,
        async query(sql, values = []) {
          const [rows] = await connection.query<RowDataPacket[]>(sql, values);
          return rows;
        },
      };
    },
    end: () => asked.end(),
  };
}

/** The same, for all tests of a file. */
export function lookAt(url: string): Client {
  const look = connect(url, { connectionLimit: 40 });
  afterAll(() => look.end());
  return look;
}

/** A pool that is closed after the test. */
export function poolOn(url: string, options: PoolOptions = {}): Pool {
  const pool = createPool({ uri: url, ...options });
  onTestFinished(() => pool.promise().end());
  return pool;
}

/** A store that is closed after the test. */
export function open(options: MySQLStoreOptions): MySQLStore {
  const store = new MySQLStore(options);
  onTestFinished(() => store.close());
  return store;
}

const names = (table: string) => ({
  table: [table],
  columns: { id: 'session_id', expires: 'expires', data: 'data' },
});

/** A backend with connections of its own. */
export function backendOn(url: string, table: string, options: PoolOptions = {}): MySQLBackend {
  const backend = made(new Connections(createPool({ uri: url, ...options }), true), table);
  onTestFinished(() => backend.close());
  return backend;
}

/** A backend on a pool that the test has. */
export function backendOver(pool: Pool, table: string): MySQLBackend {
  return made(new Connections(pool, false), table);
}

function made(connections: Connections, table: string): MySQLBackend {
  return new MySQLBackend(connections, names(table), { createTable: true, timeoutMs: 5000 });
}

/** The table as express-mysql-session makes it. */
export function peerTable(name: string): string {
  return `CREATE TABLE ${name} (
    session_id varchar(128) COLLATE utf8mb4_bin NOT NULL,
    expires int(11) unsigned NOT NULL,
    data mediumtext COLLATE utf8mb4_bin,
    PRIMARY KEY (session_id)) ENGINE=InnoDB`;
}
