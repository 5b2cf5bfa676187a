import { rm } from 'node:fs/promises';
import type { RowDataPacket } from 'mysql2/promise';

/** Looks at sessions on the server itself, and cleans up there. */
export interface Look {
  /** Milliseconds until the server forgets the session; `undefined` when nothing of it is there. */
  left(namespace: string, id: string): Promise<number | undefined>;
  /** Deletes the whole namespace. */
  drop(namespace: string): Promise<unknown>;
  /** The largest session that fits there, in bytes of JSON, where there is a limit that can be reached. */
  maxBytes?(): Promise<number>;
  close(): Promise<unknown>;
}

/** Opens a look at a server. */
export type Looker = (url: string) => Promise<Look>;

/** The server's, whatever the clock of the application says. */
const { now } = Date;

export async function onRedis(url: string): Promise<Look> {
  const { Redis } = await import('ioredis');
  const client = new Redis(url);
  // What it asks fails while there is no connection; that tells enough.
  client.on('error', () => {});
  return {
    async left(prefix, id) {
      const left = await client.pttl(prefix + id);
      return left === -2 ? undefined : left === -1 ? Number.POSITIVE_INFINITY : left;
    },
    async drop(prefix) {
      for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1000 })) {
        if (keys.length > 0) await client.unlink(keys);
      }
    },
    close: async () => client.disconnect(),
  };
}

export async function onMySQL(uri: string): Promise<Look> {
  const { createPool } = await import('mysql2/promise');
  const pool = createPool({ uri });
  const query = async (sql: string, values: unknown[] = []) =>
    (await pool.query<RowDataPacket[]>(sql, values))[0][0];
  return {
    async left(table, id) {
      const sql = `SELECT (expires - UNIX_TIMESTAMP(NOW(3))) * 1000 AS ms FROM ${table} WHERE session_id = ?`;
      const row = await query(sql, [id]);
      return row && Number(row['ms']);
    },
    drop: (table) => query(`DROP TABLE IF EXISTS ${table}`),
    async maxBytes() {
      // No more than a MEDIUMTEXT holds.
      const row = await query('SELECT LEAST(@@max_allowed_packet, 16777215) AS bytes');
      return Number(row?.['bytes']);
    },
    close: () => pool.end(),
  };
}

/** The namespace is a schema. */
export const onPostgres =
  (table: string, expires: string): Looker =>
  async (connectionString) => {
    const { Pool } = await import('pg');
    const pool = new Pool({ connectionString });
    pool.on('error', () => {});
    return {
      async left(schema, id) {
        const sql = `SELECT extract(epoch FROM ${expires} - clock_timestamp()) * 1000 AS ms FROM ${schema}.${table} WHERE sid = $1`;
        const {
          rows: [row],
        } = await pool.query(sql, [id]);
        return row && Number(row.ms);
      },
      drop: (schema) => pool.query(`DROP SCHEMA ${schema} CASCADE`),
      close: () => pool.end(),
    };
  };

/** The namespace is a database. */
export const onMongo =
  (maxBytes: number): Looker =>
  async (url) => {
    const { MongoClient } = await import('mongodb');
    const client = new MongoClient(url);
    return {
      async left(dbName, id) {
        const sessions = client.db(dbName).collection<{ _id: string; expires?: Date }>('sessions');
        const found = await sessions.findOne({ _id: id });
        return found ? (found.expires?.getTime() ?? Number.POSITIVE_INFINITY) - now() : undefined;
      },
      drop: (dbName) => client.db(dbName).dropDatabase(),
      maxBytes: async () => maxBytes,
      close: () => client.close(),
    };
  };

export const fileIn = (folder: string, namespace: string) => `${folder}/${namespace}.db`;

export async function onSQLite(folder: string): Promise<Look> {
  const { default: Libsql } = await import('libsql');
  return {
    async left(namespace, id) {
      const file = new Libsql(fileIn(folder, namespace), { timeout: 5000 });
      try {
        const sql =
          "SELECT round(1000 * (unixepoch(expire, 'subsec') - unixepoch('subsec'))) AS ms FROM sessions WHERE sid = ?";
        const row: unknown = file.prepare(sql).get(id);
        return typeof row === 'object' && row !== null && 'ms' in row ? Number(row.ms) : undefined;
      } finally {
        file.close();
      }
    },
    drop: (namespace) =>
      Promise.all(['', '-wal', '-shm'].map((end) => rm(fileIn(folder, namespace) + end, { force: true }))),
    close: async () => {},
  };
}
