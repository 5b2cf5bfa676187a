import { randomUUID } from 'node:crypto';
import { describeOnServer, type SharedServer } from '@session-stores/test-servers/vitest';
import { Pool, type PoolConfig } from 'pg';
import { afterAll, onTestFinished } from 'vitest';
import { Connections } from '../src/connections.js';
import { PostgresStore, type PostgresStoreOptions } from '../src/index.js';
import { PostgresBackend } from '../src/postgres-backend.js';

export const MINUTE = 60_000;

/** Tests on a server of PostgreSQL. */
export function onPostgres(title: string, tests: (server: SharedServer) => void): void {
  describeOnServer('postgres', title, tests);
}

/** A table name that nobody else has. */
export function uniqueTable(): string {
  return `t_${randomUUID().replaceAll('-', '')}`;
}

/** A client of the test's own, to look at the server and to hurt it. */
export interface Client {
  /** The rows of a statement. */
  query(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
}

/** A pool to look at the server with, for all tests of a file. */
export function lookAt(url: string) {
  const pool = new Pool({ connectionString: url, max: 40 });
  pool.on('error', () => {});
  afterAll(() => pool.end());
  return {
    async query(sql: string, values: unknown[] = []) {
      return (await pool.query<Record<string, unknown>>(sql, values)).rows;
    },
    /** A connection for what lasts longer than a statement; it ends with the test. */
    async session(): Promise<Client> {
      const client = await pool.connect();
      client.on('error', () => {});
      onTestFinished(() => client.release(true));
      return {
        async query(sql, values = []) {
          return (await client.query<Record<string, unknown>>(sql, values)).rows;
        },
      };
    },
  };
}

/** A pool that is closed after the test. */
export function poolOn(url: string, options: PoolConfig = {}): Pool {
  const pool = new Pool({ connectionString: url, ...options });
  pool.on('error', () => {});
  onTestFinished(() => pool.end());
  return pool;
}

/** A store that is closed after the test. */
export function open(options: PostgresStoreOptions): PostgresStore {
  const store = new PostgresStore(options);
  onTestFinished(() => store.close());
  return store;
}

const place = (table: string) => ({ schema: undefined, table, createTable: true, timeoutMs: 5000 });

/** A backend with connections of its own. */
export function backendOn(url: string, table: string): PostgresBackend {
  const pool = new Pool({ connectionString: url, statement_timeout: 5000 });
  const backend = new PostgresBackend(new Connections(pool, 5000), place(table));
  onTestFinished(() => backend.close());
  return backend;
}

/** A backend on a pool that the test has. */
export function backendOver(pool: Pool, table: string): PostgresBackend {
  return new PostgresBackend(new Connections(pool, undefined), place(table));
}

/** The table as connect-pg-simple makes it, or with other types. */
export function peerTable(name: string, { sess = 'json', expire = 'timestamp(6)' } = {}): string {
  return `CREATE TABLE ${name} (
    sid varchar NOT NULL COLLATE "default" PRIMARY KEY,
    sess ${sess} NOT NULL,
    expire ${expire} NOT NULL
  )`;
}
