import type { Subject } from '@session-stores/conformance';
import { testStore } from '@session-stores/conformance/vitest';
import { behindProxy } from '@session-stores/test-kit';
import { startMongoReplicaSet } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { MongoClient } from 'mongodb';
import { afterAll } from 'vitest';
import { MongoStore, type MongoStoreOptions } from '../src/index.js';
import { uniqueName } from './helpers.js';

interface Variant {
  readonly options: (client: MongoClient) => MongoStoreOptions;
  /** The longest that the server takes to delete what has expired. */
  readonly expiryLagMs: number;
  /** A server that tells where it is, or a client that knows, cannot be interrupted on the way. */
  readonly viaProxy?: boolean;
  readonly unsupported?: readonly string[];
}

function conforms(
  title: string,
  url: string,
  { options, expiryLagMs, viaProxy = false, unsupported = [] }: Variant,
): void {
  const client = new MongoClient(url);
  const dbName = uniqueName();
  afterAll(async () => {
    await client.db(dbName).dropDatabase();
    await client.close();
  });

  const openAt = (address: string) =>
    new MongoStore({ url: address, dbName, collectionName: uniqueName(), timeoutMs: 3_000 });
  const harness = (): Subject<MongoStore> => {
    const { client: _, ...given } = options(client);
    const where = { dbName, collectionName: uniqueName(), ttl: 100, timeoutMs: 30_000 };
    const connect = () => new MongoStore({ ...options(client), ...where });
    return {
      store: connect(),
      connect,
      elsewhere: {
        module: new URL('fixtures/elsewhere.mjs', import.meta.url).href,
        options: { ...given, url, ...where },
      },
      expiryLagMs,
      ...(viaProxy && { interruptible: () => behindProxy(url, openAt) }),
      fallbackMs: 100_000,
      // Half of a document: the update that changes it holds the old text and the new.
      maxBytes: 8 * 1024 * 1024,
      cleanUp: (store) => store.close(),
      async deadline(id) {
        const found = await client
          .db(dbName)
          .collection<{ _id: string; expires?: Date }>(where.collectionName)
          .findOne({ _id: id });
        if (found === null) return undefined;
        return found.expires === undefined ? Number.POSITIVE_INFINITY : found.expires.getTime() - Date.now();
      },
    };
  };
  testStore(`MongoStore ${title}`, harness, { unsupported });
}

describeOnServer('mongo', 'on a standalone server', ({ url }) => {
  // As it comes, the server looks for what has expired once a minute, which is long to watch.
  const slowly = { expiryLagMs: 120_000, unsupported: ['CAPABILITY-002'] };
  conforms('with a URL', url, { options: () => ({ url }), viaProxy: true, ...slowly });
  conforms('with a client, that sweeps', url, {
    options: (client) => ({ client, expiry: 'sweep' }),
    expiryLagMs: 1_000,
    unsupported: ['FAULT'],
  });
});

const startKeenReplicaSet = () => startMongoReplicaSet({ args: ['--setParameter', 'ttlMonitorSleepSecs=1'] });

describeOnServer(startKeenReplicaSet, 'on a replica set', ({ url }) => {
  conforms('with a client', url, {
    options: (client) => ({ client }),
    expiryLagMs: 5_000,
    unsupported: ['FAULT'],
  });
});
