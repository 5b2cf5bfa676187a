import { caller, failure, sessionWith } from '@session-stores/test-kit';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import type { IndexDescriptionInfo } from 'mongodb';
import { expect, test } from 'vitest';
import { backendOn, connect, open } from './helpers.js';

const MINUTE = 60_000;

describeOnServer('mongo', 'the index', ({ url }) => {
  function setUp(expiry: 'native' | 'sweep' = 'native') {
    const client = connect(url);
    const given = backendOn(client, { expiry });
    const indexes = async () =>
      (await given.documents.indexes())
        .filter(({ name }) => name !== '_id_')
        .map(({ name, expireAfterSeconds }: IndexDescriptionInfo) => ({ name, expireAfterSeconds }));
    return { ...given, client, indexes };
  }

  test('is made with the first call, as connect-mongo makes it', async () => {
    const { backend, indexes } = setUp();
    await backend.count(caller);
    expect(await indexes()).toEqual([{ name: 'expires_1', expireAfterSeconds: 0 }]);
  });

  test('is made once, by many calls of many clients at once', async () => {
    const { dbName } = backendOn(connect(url));
    const backends = Array.from({ length: 10 }, () => backendOn(connect(url), { dbName }));
    await Promise.all(backends.flatMap(({ backend }) => [backend.count(caller), backend.read('a', caller)]));
    expect(await backends[0]?.documents.indexes()).toHaveLength(2);
  });

  test.each([
    ['with a delay', { expireAfterSeconds: 3600 }],
    ['with another name', { expireAfterSeconds: 0, name: 'ttl' }],
  ])('is used as it is: %s', async (_, options) => {
    const { backend, documents, indexes } = setUp();
    await documents.createIndex({ expires: 1 }, options);
    const before = await indexes();
    await backend.count(caller);
    expect(await indexes()).toEqual(before);
  });

  test('that expires nothing is reported, and the store serves as soon as it is gone', async () => {
    const { client, dbName, documents, indexes } = setUp();
    await documents.createIndex({ expires: 1 });
    const store = open({ client, dbName });
    const error = await failure(store.set('a', sessionWith()));
    expect(error).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
    expect(error.message).toContain(`the index expires_1 of ${dbName}.sessions does not expire sessions`);
    await documents.dropIndex('expires_1');
    await store.set('a', sessionWith());
    expect(await indexes()).toEqual([{ name: 'expires_1', expireAfterSeconds: 0 }]);
  });

  test('whose name is taken is reported', async () => {
    const { client, dbName, documents } = setUp();
    await documents.createIndex({ other: 1 }, { name: 'expires_1' });
    const error = await failure(open({ client, dbName }).get('a'));
    expect(error.code).toBe('BACKEND');
    expect(error.message).toContain('expires_1');
  });

  test('for sweeping is not in the way of native expiry later', async () => {
    const { backend, dbName, client, indexes } = setUp('sweep');
    await backend.count(caller);
    expect(await indexes()).toEqual([{ name: 'expires_1__id_1', expireAfterSeconds: undefined }]);
    await open({ client, dbName }).length();
    expect(await indexes()).toHaveLength(2);
  });

  test('of native expiry serves for sweeping too', async () => {
    const { backend, dbName, client, indexes } = setUp('sweep');
    await open({ client, dbName }).length();
    await backend.count(caller);
    expect(await indexes()).toEqual([{ name: 'expires_1', expireAfterSeconds: 0 }]);
  });
});

describeOnServer(
  () => startServer('mongo', { private: true, args: ['--setParameter', 'ttlMonitorSleepSecs=1'] }),
  'a server that expires sessions',
  (server) => {
    test('deletes those that have ended, and keeps those that do not end', async () => {
      const { backend, documents } = backendOn(connect(server.url));
      await backend.write('short', 'text', 1, 'always', caller);
      await backend.write('long', 'text', MINUTE, 'always', caller);
      await documents.insertOne({ _id: 'for ever', session: 'text' });
      await expect.poll(() => documents.countDocuments(), { timeout: 10_000 }).toBe(2);
      expect(await backend.count(caller)).toBe(2);
    });
  },
);
