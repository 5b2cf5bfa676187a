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
import { createPool, type Pool, type PoolOptions } from 'mysql2';
import type { Pool as PromisePool } from 'mysql2/promise';
import { Connections } from './connections.js';
import { MySQLBackend } from './mysql-backend.js';

const text = rule.string;
const secret = { ...rule.string, secret: true };
const flag: OptionRule = { wants: 'true or false', accepts: (value) => typeof value === 'boolean' };
const milliseconds = rule.timerMs;
const object: OptionRule = {
  wants: 'an object',
  accepts: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};
const callable: OptionRule = { wants: 'a function', accepts: (value) => typeof value === 'function' };

/** mysql2's options that say how to connect. Those that say how results look are the store's. */
const connectionRules = {
  host: text,
  port: {
    wants: 'a port number',
    accepts: (value) => Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536,
  },
  socketPath: text,
  localAddress: text,
  user: text,
  password: secret,
  password1: secret,
  password2: secret,
  password3: secret,
  passwordSha1: secret,
  database: text,
  charset: text,
  ssl: {
    wants: "an object of TLS options or the name of one of mysql2's profiles",
    accepts: (value) => typeof value === 'string' || object.accepts(value),
    secret: true,
  },
  compress: flag,
  connectTimeout: milliseconds,
  enableKeepAlive: flag,
  keepAliveInitialDelay: { wants: 'a number of milliseconds', accepts: (value) => Number(value) >= 0 },
  connectAttributes: object,
  flags: { wants: 'an array of strings', accepts: (value) => Array.isArray(value) },
  authPlugins: object,
  authSwitchHandler: callable,
  enableCleartextPlugin: flag,
  insecureAuth: flag,
  stream: {
    wants: 'a stream or a function that makes one',
    accepts: (value) => typeof value === 'function' || object.accepts(value),
  },
  disableEval: flag,
  connectionLimit: rule.count,
  maxIdle: rule.count,
  idleTimeout: milliseconds,
  maxPreparedStatements: rule.count,
} as const satisfies Partial<Record<keyof PoolOptions, OptionRule>>;

type ConnectionName = keyof typeof connectionRules;

/** How to reach the server, as mysql2's `createPool` takes it: `host`, `port`, `user`, `password`, `database`, `ssl`, … */
type MySQLConnectionOptions = { [Name in ConnectionName]?: PoolOptions[Name] | undefined };

export interface MySQLStoreOptions extends StoreOptions, SweepOptions, MySQLConnectionOptions {
  /** A mysql2 pool, of `mysql2` or of `mysql2/promise`. It stays open when the store is closed. */
  pool?: Pool | PromisePool | undefined;
  /** `mysql://` URL of a server, beside or instead of connection options: the store opens connections and closes them. */
  uri?: string | undefined;
  /** The table's name, `table` or `schema.table`. Default `sessions`, as express-mysql-session has it. */
  table?: string | undefined;
  /** The columns' names. Default `session_id`, `expires` and `data`, as express-mysql-session has it. */
  columns?: { id?: string; expires?: string; data?: string } | undefined;
  /** Whether to make the table when it is not there. Default true. */
  createTable?: boolean | undefined;
}

const about = { name: 'MySQLStore', backend: 'mysql' };

const COLUMNS = { id: 'session_id', expires: 'expires', data: 'data' };

/** What MySQL takes for a name: `length` counts no more than its 64 characters. */
function isName(value: unknown): boolean {
  return typeof value === 'string' && /^[^\0]{1,64}$/u.test(value) && !value.endsWith(' ');
}

/**
 * Sessions in MySQL or MariaDB, one row each, in the layout of express-mysql-session: `session_id`, `expires` (unix seconds), `data`
 * (JSON). Deadlines are kept on the server's clock and rounded down to a second. The table is made on first use.
 */
export class MySQLStore extends SessionStore {
  /** @throws {StoreError} `INVALID_OPTION` */
  constructor(options: MySQLStoreOptions) {
    checkOptions(about, options, {
      pool: rule.withMethods('a pool of mysql2 or mysql2/promise', 'getConnection', 'execute'),
      uri: {
        wants: 'a mysql:// URL',
        accepts: (value) => typeof value === 'string' && /^mysql:\/\/./.test(value) && URL.canParse(value),
        secret: true,
      },
      table: {
        wants: 'a table name, `table` or `schema.table`',
        accepts: (value) =>
          typeof value === 'string' && value.split('.').length <= 2 && value.split('.').every(isName),
      },
      columns: {
        wants: 'an object with any of id, expires and data, three different column names',
        accepts: (value) => {
          if (!object.accepts(value)) return false;
          const names = { ...COLUMNS, ...Object(value) };
          const different = new Set(Object.values(names).map((name) => String(name).toLowerCase()));
          return (
            Object.values(names).every(isName) && Object.keys(names).length === 3 && different.size === 3
          );
        },
      },
      createTable: flag,
      sweepInterval: rule.timerSeconds,
      ...connectionRules,
    });
    const {
      pool,
      uri,
      table = 'sessions',
      columns,
      createTable = true,
      timeoutMs = DEFAULT_TIMEOUT_MS,
    } = options;
    const connection = Object.fromEntries(
      Object.entries(options).filter(([name, value]) => name in connectionRules && value !== undefined),
    );
    const toConnect = uri !== undefined || Object.keys(connection).length > 0;
    if ((pool !== undefined) === toConnect) {
      const given = toConnect ? 'both' : 'neither';
      throw invalidOption(about, `give either \`pool\`, or \`uri\` or connection options, got ${given}`);
    }
    const connections =
      pool === undefined
        ? new Connections(
            createPool({ connectTimeout: timeoutMs, ...(uri === undefined ? {} : { uri }), ...connection }),
            true,
          )
        : new Connections(callbackPool(pool), false);
    const names = { table: table.split('.'), columns: { ...COLUMNS, ...columns } };
    super(new MySQLBackend(connections, names, { createTable, timeoutMs }), options);
  }
}

/** The pool of `mysql2/promise` is a wrapper of the other. */
function callbackPool(pool: Pool | PromisePool): Pool {
  return 'pool' in pool ? pool.pool : pool;
}
