import { failure, serve, sessionWith, testClients } from '@session-stores/test-kit';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { MongoClient } from 'mongodb';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { connect, open, uniqueName } from './helpers.js';

const NOWHERE = 'mongodb://127.0.0.1:1';

describeOnServer('mongo', 'the client', ({ url }) => {
  const forModules = uniqueName();
  afterAll(async () => {
    const client = new MongoClient(url);
    await client.db(forModules).dropDatabase();
    await client.close();
  });

  /** A database of the test's own. */
  function database(): string {
    const dbName = uniqueName();
    const client = connect(url);
    onTestFinished(async () => void (await client.db(dbName).dropDatabase()));
    return dbName;
  }

  testClients({
    given() {
      const client = connect(url);
      const store = open({ client, dbName: database() });
      return { store, serves: async () => (await client.db().command({ ping: 1 }))['ok'] === 1 };
    },
    opened() {
      const name = uniqueName();
      const admin = connect(url).db('admin');
      const stages = [
        { $currentOp: { allUsers: true, idleConnections: true } },
        { $match: { appName: name } },
      ];
      return {
        store: open({ url: `${url}&appName=${name}`, dbName: database() }),
        connections: async () => (await admin.aggregate(stages).toArray()).length,
      };
    },
    code: {
      imports: `
        import { MongoStore } from '${import.meta.resolve('@session-stores/mongo')}';
        import { MongoClient } from '${import.meta.resolve('mongodb')}';`,
      store: `new MongoStore({ url: '${url}', dbName: '${forModules}' })`,
      lost: [
        `new MongoStore({ url: '${NOWHERE}', timeoutMs: 500 })`,
        `new MongoStore({ client: new MongoClient('${NOWHERE}', { serverSelectionTimeoutMS: 400 }), timeoutMs: 500 })`,
        `new MongoStore({ client: new MongoClient('${NOWHERE}', { serverSelectionTimeoutMS: 400 }).connect(), timeoutMs: 500 })`,
      ],
    },
  });

  test('may be a promise', async () => {
    const store = open({ client: connect(url).connect(), dbName: database() });
    await store.set('a', sessionWith({ user: 'alice' }));
    expect(await store.get('a')).toMatchObject({ user: 'alice' });
  });

  test('that never comes is an error of each call, and of nobody else', async () => {
    const store = open({ client: Promise.reject(new Error('no such host')) });
    await new Promise(setImmediate);
    for (const call of [() => store.get('a'), () => store.set('a', sessionWith())]) {
      const error = await failure(call());
      expect(error).toMatchObject({ mayHaveHappened: false });
      expect(`${error.message} ${error.cause}`).toContain('no such host');
    }
    await store.close();
  });

  test('that turns out to be none is an error that says so', async () => {
    const store = open({ client: Promise.resolve({}) as Promise<MongoClient> });
    expect((await failure(store.get('a'))).message).toContain('`client` holds no MongoClient');
  });

  test('leaves no session of its own behind', async () => {
    const client = connect(url, { monitorCommands: true });
    const ids = new Set<string>();
    client.on('commandStarted', ({ command }) => void ids.add(command['lsid']?.id.toString('hex')));
    const store = open({ client, dbName: database() });
    for (let n = 0; n < 20; n++) await store.set('a', sessionWith({ n }));
    expect(ids.size).toBeLessThanOrEqual(3);
  });

  test.each([
    ['raw documents', { raw: true }],
    ['long integers', { promoteLongs: false }],
    ['wrapped values', { promoteValues: false }],
    ['big integers', { useBigInt64: true }],
    ['ignored undefined', { ignoreUndefined: true }],
    ['no retries', { retryWrites: false, retryReads: false }],
    ['a strict API', { serverApi: { version: '1', strict: true } as const }],
    ['the journal off', { journal: false }],
    ['majority reads', { readConcernLevel: 'majority' } as const],
  ])('may be set to %s', async (_, options) => {
    const dbName = database();
    const plain = connect(url);
    const documents = plain
      .db(dbName)
      .collection<{ _id: string; session: unknown; expires?: Date }>('sessions');
    await documents.insertOne({ _id: 'for ever', session: JSON.stringify(sessionWith({ user: 'bob' })) });
    await documents.insertOne({
      _id: 'subdocument',
      session: { ...sessionWith({ n: 1 }).cookie, cookie: {} },
    });
    const store = open({ client: connect(url, options), dbName, touchAfter: 0 });
    await store.set('a', sessionWith({ user: 'alice' }));

    const { browser } = await serve(store);
    const alice = browser();
    await alice.go('/login/alice');
    expect((await alice.go('/')).body).toBe('alice 1');
    expect((await alice.go('/')).body).toBe('alice 2');
    await alice.go('/logout');
    expect((await alice.go('/')).status).toBe(401);

    expect(await store.get('for ever')).toMatchObject({ user: 'bob' });
    expect(await store.get('subdocument')).toMatchObject({ path: '/' });
    expect(await store.length()).toBe(3);
    expect((await store.all()).map(({ id }) => id).sort()).toEqual(['a', 'for ever', 'subdocument']);
    const found = (await store.all()).find(({ id }) => id === 'a');
    const left = Number(found?.cookie.expires) - Date.now();
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThan(61_000);
    await store.destroy('a');
    await store.clear();
    expect(await store.length()).toBe(0);
  });

  test('that the application has closed is an error that says so', async () => {
    const client = connect(url);
    const store = open({ client, dbName: database() });
    await store.set('a', sessionWith());
    await client.close();
    const error = await failure(store.set('a', sessionWith()));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
  });
});
