import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Caller, StoreError } from '@session-stores/core';
import express from 'express';
import session from 'express-session';
import { type Document, MongoClient, type MongoClientOptions } from 'mongodb';
import { expect, onTestFinished } from 'vitest';
import { MongoStore, type MongoStoreOptions } from '../src/index.js';
import { MongoBackend } from '../src/mongo-backend.js';
import { Connection, type ConnectionOptions } from '../src/mongo-connection.js';

declare module 'express-session' {
  interface SessionData {
    user?: string;
    n?: number;
    text?: string;
    since?: unknown;
  }
}

/** A call that is never over. */
export const caller: Caller = { check() {}, progress() {}, timeLeft: () => 10_000, wait: (ready) => ready };

/** A database that nobody else has. */
export function uniqueName(): string {
  return `test-${randomUUID()}`;
}

/** A plain client, closed after the test. */
export function connect(url: string, options: MongoClientOptions = {}): MongoClient {
  const client = new MongoClient(url, options);
  onTestFinished(() => client.close());
  return client;
}

/** A store that is closed after the test. */
export function open(options: MongoStoreOptions): MongoStore {
  const store = new MongoStore(options);
  onTestFinished(() => store.close());
  return store;
}

/** A backend on a client that the test has, and the documents as the server has them. */
export function backendOn(
  client: MongoClient,
  { dbName = uniqueName(), expiry = 'native' }: Partial<Pick<ConnectionOptions, 'dbName' | 'expiry'>> = {},
) {
  const collectionName = 'sessions';
  const connection = new Connection({ client, ownsClient: false, dbName, collectionName, expiry });
  onTestFinished(async () => void (await client.db(dbName).dropDatabase()));
  return {
    dbName,
    backend: new MongoBackend(connection, expiry),
    documents: client.db(dbName).collection<Document & { _id: string }>(collectionName),
  };
}

/** A session of a minute. */
export function sessionWith(data: Partial<session.SessionData> = {}): session.SessionData {
  const cookie = new session.Cookie();
  cookie.maxAge = 60_000;
  return { ...data, cookie };
}

/** Every member of a stream. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of stream) all.push(each);
  return all;
}

/** The error that a call is answered with, and how many milliseconds that took. */
export async function failure(call: Promise<unknown>): Promise<StoreError & { after: number }> {
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

/** A stock Express application on `store`, with the routes `/login/:user`, `/` (counts and tells), `/logout`. */
export async function serve(
  store: session.Store,
  options: Partial<session.SessionOptions> = {},
): Promise<{ browser(cookie?: string): Browser }> {
  const app = express();
  app.use(
    session({
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: 60_000 },
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
