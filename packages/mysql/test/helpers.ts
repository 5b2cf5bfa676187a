import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { BackendError, Caller, StoreError } from '@session-stores/core';
import { describeOnServer, type SharedServer } from '@session-stores/test-servers/vitest';
import express from 'express';
import session from 'express-session';
import { createPool, type Pool, type PoolOptions, type RowDataPacket } from 'mysql2';
import { afterAll, expect, onTestFinished } from 'vitest';
import { Connections } from '../src/connections.js';
import { MySQLStore, type MySQLStoreOptions } from '../src/index.js';
import { MySQLBackend } from '../src/mysql-backend.js';

declare module 'express-session' {
  interface SessionData {
    user?: string;
    n?: number;
    text?: string;
  }
}

export const MINUTE = 60_000;

/** The same tests on every kind of server. */
export function onEachServer(title: string, tests: (server: SharedServer) => void): void {
  for (const name of ['mariadb', 'mysql'] as const) describeOnServer(name, `${title} (${name})`, tests);
}

/** A call that has all the time in the world. */
export const caller: Caller = { check() {}, progress() {}, timeLeft: () => 20_000, wait: (ready) => ready };

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

/** A session of a minute. */
export function sessionWith(data: Partial<session.SessionData> = {}, maxAge = MINUTE): session.SessionData {
  const cookie = new session.Cookie();
  cookie.maxAge = maxAge;
  return { ...data, cookie };
}

/** Every member of a stream. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of stream) all.push(each);
  return all;
}

/** The error that a call is answered with, and how many milliseconds that took. */
export async function failure(
  call: Promise<unknown>,
): Promise<(StoreError | BackendError) & { after: number }> {
  const start = performance.now();
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error, 'the call should have failed').toBeInstanceOf(Error);
  return Object.assign(error as StoreError, { after: performance.now() - start });
}

/** A person's browser on an Express application. */
export interface Browser {
  cookie: string | undefined;
  /** The status and the text of a route's answer. */
  go(route: string): Promise<{ status: number; body: string }>;
}

const SECRET = 'the same in every application of these tests';

/** A stock Express application on `store`, with the routes `/login/:user`, `/` (counts and tells) and `/logout`. */
export async function serve(
  store: session.Store,
  options: Partial<session.SessionOptions> = {},
): Promise<{ browser(cookie?: string): Browser }> {
  const app = express();
  app.use(
    session({
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: MINUTE },
      ...options,
      secret: SECRET,
      store,
    }),
  );
  app.get('/login/:user', (req, res, next) => {
    req.session.regenerate((error) => {
      if (error) return next(error);
      req.session.user = req.params.user;
      return res.send('welcome');
    });
  });
  app.get('/', (req, res) => {
    if (req.session.user === undefined) return res.status(401).send('who are you?');
    req.session.n = (req.session.n ?? 0) + 1;
    return res.send(`${req.session.user} ${req.session.n}`);
  });
  app.get('/logout', (req, res, next) => {
    req.session.destroy((error) => (error ? next(error) : res.send('bye')));
  });
  app.use(((error, _req, res, next) => {
    if (res.headersSent) return next();
    return res.status(500).send(String(error));
  }) satisfies express.ErrorRequestHandler);

  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;

  return {
    browser: (cookie) => ({
      cookie,
      async go(route) {
        const headers: Record<string, string> = this.cookie ? { cookie: this.cookie } : {};
        const response = await fetch(`http://127.0.0.1:${port}${route}`, {
          headers,
          signal: AbortSignal.timeout(20_000),
        });
        this.cookie = response.headers.getSetCookie().at(-1)?.split(';')[0] ?? this.cookie;
        return { status: response.status, body: await response.text() };
      },
    }),
  };
}
