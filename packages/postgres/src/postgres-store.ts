import {
  checkOptions,
  DEFAULT_TIMEOUT_MS,
  invalidOption,
  type OptionRule,
  rule,
  SessionStore,
  type StoreOptions,
  type SweepOptions,
} from '@session-stores/core';
import { Pool, type PoolConfig } from 'pg';
import { Connections } from './connections.js';
import { PostgresBackend } from './postgres-backend.js';

const flag: OptionRule = { wants: 'true or false', accepts: (value) => typeof value === 'boolean' };

/** A name that PostgreSQL does not cut off. */
const identifier: OptionRule = {
  wants: 'a name of up to 63 bytes',
  accepts: (value) => typeof value === 'string' && /^[^\0]+$/.test(value) && Buffer.byteLength(value) < 64,
};

/** pg's options that say how to connect. */
const connectionRules = {
  connectionString: {
    wants: 'a postgres:// URL',
    accepts: (value) => typeof value === 'string' && /^postgres(ql)?:\/\/./.test(value),
    secret: true,
  },
  host: rule.nonEmptyString,
  port: {
    wants: 'a port number',
    accepts: (value) => Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536,
  },
  user: rule.nonEmptyString,
  password: {
    wants: 'a string, or a function that gives one',
    accepts: (value) => typeof value === 'string' || typeof value === 'function',
    secret: true,
  },
  database: rule.nonEmptyString,
  ssl: {
    wants: 'true, false or an object of TLS options',
    accepts: (value) => typeof value === 'boolean' || (typeof value === 'object' && value !== null),
    secret: true,
  },
  application_name: rule.string,
  options: rule.string,
  keepAlive: flag,
  max: rule.count,
  idleTimeoutMillis: rule.timerMs,
} as const satisfies Partial<Record<keyof PoolConfig, OptionRule>>;

type PostgresConnectionOptions = { [Name in keyof typeof connectionRules]?: PoolConfig[Name] | undefined };

export interface PostgresStoreOptions extends StoreOptions, SweepOptions, PostgresConnectionOptions {
  /** A pool of pg. It stays open when the store is closed. */
  pool?: Pool | undefined;
  /** `postgres://` URL of a server, beside or instead of pg's other connection options: the store opens connections and closes them. */
  connectionString?: string | undefined;
  /** The schema that the table is in. Default: where the connections' `search_path` finds it, `public` as a rule. */
  schema?: string | undefined;
  /** The table's name. Default `session`, as connect-pg-simple has it. */
  table?: string | undefined;
  /** Whether to make the table when it is not there. Default true. */
  createTable?: boolean | undefined;
}

const about = { name: 'PostgresStore', backend: 'postgres' };

/** The part of a caller's time after which a statement is ended by the server. */
const STATEMENT_SHARE = 0.6;

/**
 * Sessions in PostgreSQL, one row each, in the layout of connect-pg-simple: `sid`, `sess` (JSON), `expire`. Deadlines are kept on the
 * server's clock. The table is made on first use.
 */
export class PostgresStore extends SessionStore {
  /** @throws {StoreError} `INVALID_OPTION` */
  constructor(options: PostgresStoreOptions) {
    checkOptions(about, options, {
      pool: rule.withMethods('a Pool of pg', 'connect', 'query'),
      schema: identifier,
      table: identifier,
      createTable: flag,
      sweepInterval: rule.timerSeconds,
      ...connectionRules,
    });
    const { pool, schema, table = 'session', createTable = true, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const connection = Object.fromEntries(
      Object.entries(options).filter(([name, value]) => name in connectionRules && value !== undefined),
    );
    const toConnect = Object.keys(connection).length > 0;
    if ((pool !== undefined) === toConnect) {
      const given = toConnect ? 'both' : 'neither';
      throw invalidOption(
        about,
        `give either \`pool\`, or \`connectionString\` or connection options, got ${given}`,
      );
    }
    const place = { schema, table, createTable, timeoutMs };
    super(
      new PostgresBackend(pool ? new Connections(pool, undefined) : connect(connection, timeoutMs), place),
      options,
    );
  }
}

function connect(connection: PoolConfig, timeoutMs: number): Connections {
  const limit = Math.ceil(timeoutMs * STATEMENT_SHARE);
  const limits = { connectionTimeoutMillis: timeoutMs, statement_timeout: limit };
  return new Connections(new Pool({ ...connection, ...limits }), limit);
}
