import { MongoClient } from 'mongodb';
import { expect, onTestFinished, test } from 'vitest';
import { startMongoReplicaSet, startServer } from '../src/index.js';
import { describeOnServer } from '../src/vitest.js';
import { listens } from './helpers.js';

function connect(url: string): MongoClient {
  const client = new MongoClient(url);
  onTestFinished(() => client.close());
  return client;
}

describeOnServer(
  () => startServer('mongo', { private: true }),
  'a MongoDB server',
  (server) => {
    test('keeps journaled writes through a kill and a restart', async () => {
      const documents = connect(server.url).db('test').collection<{ _id: number }>('restart');
      for (let _id = 0; _id < 20; _id++)
        await documents.insertOne({ _id }, { writeConcern: { journal: true } });
      await server.restart();
      const again = connect(server.url).db('test').collection('restart');
      expect(await again.countDocuments()).toBe(20);
    });
  },
);

describeOnServer(
  () => startMongoReplicaSet({ size: 3 }),
  'a MongoDB replica set',
  (set) => {
    test('has a primary, and another one after that was killed', async () => {
      const client = connect(set.url);
      const primary = async () => (await client.db('admin').command({ hello: 1 }))['primary'];
      const first = await primary();
      await set.members.find(({ url }) => new URL(url).host === first)?.kill();
      await expect.poll(() => primary().catch(() => first), { timeout: 20_000 }).not.toBe(first);
    });

    test('stops with all its members', async () => {
      const other = await startMongoReplicaSet();
      await other.stop();
      for (const { url } of other.members) expect(await listens(url)).toBe(false);
    });
  },
);
