import { randomUUID } from 'node:crypto';
import { type Document, MongoClient, type MongoClientOptions } from 'mongodb';
import { onTestFinished } from 'vitest';
import { MongoStore, type MongoStoreOptions } from '../src/index.js';
import { MongoBackend } from '../src/mongo-backend.js';
import { type ConnectionOptions, MongoConnection } from '../src/mongo-connection.js';

declare module 'express-session' {
  interface SessionData {
    since?: unknown;
  }
}

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

/** A backend on a client that the test has, and the documents as the server has them. A database that is not named goes with the test. */
export function backendOn(
  client: MongoClient,
  options: Partial<Omit<ConnectionOptions, 'client' | 'ownsClient'>> = {},
) {
  const { dbName = uniqueName(), collectionName = 'sessions', expiry = 'native' } = options;
  const connection = new MongoConnection({ client, ownsClient: false, dbName, collectionName, expiry });
  if (options.dbName === undefined) onTestFinished(async () => void (await client.db(dbName).dropDatabase()));
  return {
    dbName,
    backend: new MongoBackend(connection, expiry),
    documents: client.db(dbName).collection<Document & { _id: string }>(collectionName),
  };
}
