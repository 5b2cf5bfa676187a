import { testStore } from '@session-stores/conformance/vitest';
import { startMongoReplicaSet } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { MongoClient } from 'mongodb';
import { afterAll } from 'vitest';
import { MongoStore, type MongoStoreOptions } from '../src/index.js';
import { uniqueName } from './helpers.js';

function conforms(title: string, url: string, options: (client: MongoClient) => MongoStoreOptions): void {
  const client = new MongoClient(url);
  const dbName = uniqueName();
  afterAll(async () => {
    await client.db(dbName).dropDatabase();
    await client.close();
  });

  testStore(`MongoStore ${title}`, () => {
    const collectionName = uniqueName();
    const connect = () => new MongoStore({ ...options(client), dbName, collectionName, ttl: 100 });
    return {
      store: connect(),
      connect,
      grainMs: 1,
      fallbackMs: 100_000,
      cleanUp: (store) => store.close(),
      async deadline(id) {
        const found = await client
          .db(dbName)
          .collection<{ _id: string; expires?: Date }>(collectionName)
          .findOne({ _id: id });
        if (found === null) return undefined;
        return found.expires === undefined ? Number.POSITIVE_INFINITY : found.expires.getTime() - Date.now();
      },
    };
  });
}

describeOnServer('mongo', 'on a standalone server', ({ url }) => {
  conforms('with a URL', url, () => ({ url }));
  conforms('with a client, that sweeps', url, (client) => ({ client, expiry: 'sweep' }));
});

describeOnServer(startMongoReplicaSet, 'on a replica set', ({ url }) => {
  conforms('with a client', url, (client) => ({ client }));
});
