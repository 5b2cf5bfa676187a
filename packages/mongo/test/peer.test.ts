import { serve, sessionWith, testMigration } from '@session-stores/test-kit';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { MongoStore as ConnectMongo, createKrupteinAdapter } from 'connect-mongo';
import type { SessionData } from 'express-session';
import { type Document, MongoClient } from 'mongodb';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import type { MongoStoreOptions } from '../src/index.js';
import { open, uniqueName } from './helpers.js';

type PeerOptions = Omit<ConstructorParameters<typeof ConnectMongo>[0], 'client' | 'mongoUrl'>;

/** Reads subdocuments, and the text that our new sessions are; writes subdocuments. */
const subdocuments = {
  stringify: false,
  unserialize: (stored) => (typeof stored === 'string' ? JSON.parse(stored) : stored),
} satisfies PeerOptions;

const base64 = {
  stringify: (session: object) => Buffer.from(JSON.stringify(session)).toString('base64'),
  parse: (text: unknown) => JSON.parse(Buffer.from(String(text), 'base64').toString()),
};

/** How connect-mongo was told to keep sessions, and what ours has to be told then. */
const layouts: Record<string, { theirs: PeerOptions; ours?: Partial<MongoStoreOptions> }> = {
  'as text': { theirs: {} },
  'as text, with all times': { theirs: { touchAfter: 30, timestamps: true } },
  'as a subdocument': { theirs: subdocuments },
  'as a subdocument, with all times': { theirs: { ...subdocuments, touchAfter: 30, timestamps: true } },
  'as another text': {
    theirs: { serialize: base64.stringify, unserialize: base64.parse },
    ours: { serializer: base64 },
  },
};

describeOnServer('mongo', 'the data of connect-mongo', ({ url }) => {
  const client = new MongoClient(url);
  const dbName = uniqueName();
  afterAll(async () => {
    await client.db(dbName).dropDatabase();
    await client.close();
  });

  function setUp({ theirs: options, ours = {} }: (typeof layouts)[string]) {
    const collectionName = uniqueName();
    const documents = client.db(dbName).collection<Document & { _id: string }>(collectionName);
    const reopen = (other: Partial<MongoStoreOptions>) =>
      open({ client, dbName, collectionName, ttl: 100, ...other });
    return {
      // Theirs closes the client that it was given, so it gets none of ours.
      theirs: openTheirs({ mongoUrl: url, dbName, collectionName, ttl: 100, ...options }),
      ours: reopen(ours),
      reopen,
      documents,
      async left(id: string) {
        const [found] = await documents
          .aggregate([{ $match: { _id: id } }, { $project: { ms: { $subtract: ['$expires', '$$NOW'] } } }])
          .toArray();
        return Number(found?.['ms']);
      },
      /** And lets the last change be long ago, where there is one: theirs touches no session that was changed just now. */
      endIn: (id: string, ms: number) =>
        documents.updateOne({ _id: id }, [
          {
            $set: {
              expires: { $add: ['$$NOW', ms] },
              lastModified: { $cond: ['$lastModified', new Date(1), '$$REMOVE'] },
            },
          },
        ]),
    };
  }

  describe.each(Object.entries(layouts))('%s', (_, layout) => {
    testMigration(() => setUp(layout), { countsExpired: true });

    test('keeps its form and its other fields when we change it', async () => {
      const { theirs, ours, documents } = setUp(layout);
      const since = new Date(0);
      await set(theirs, 'a', sessionWith({ user: 'alice', since }));
      const written = await documents.findOne();
      await ours.set('a', { ...sessionWith({ user: 'alice', n: 1 }), since: since.toJSON() });
      const changed = await documents.findOne();
      const outside = { session: 0, expires: 0 };
      expect({ ...changed, ...outside }).toEqual({ ...written, ...outside });
      expect(typeof changed?.['session']).toBe(typeof written?.['session']);
      expect(changed?.['session'].since).toEqual(written?.['session'].since);
    });
  });

  test('is stored as it stores it', async () => {
    const { theirs, ours, documents } = setUp({ theirs: {} });
    const session = { ...sessionWith({ user: 'żółć 🦊', n: 1 }), nothing: undefined };
    await set(theirs, 'theirs', session);
    await ours.set('ours', session);
    const [mine, its] = await Promise.all(['ours', 'theirs'].map((id) => documents.findOne({ _id: id })));
    expect(Object.keys(mine ?? {}).sort()).toEqual(Object.keys(its ?? {}).sort());
    expect(JSON.parse(mine?.['session'])).toEqual(JSON.parse(its?.['session']));
  });

  test('as a subdocument goes back to a store that reads no text, but for new sessions', async () => {
    const { theirs, ours } = setUp({ theirs: { stringify: false } });
    const [one, two] = await Promise.all([serve(theirs), serve(ours)]);
    const there = one.browser();
    await there.go('/login/alice');
    const here = two.browser(there.cookie);
    expect((await here.go('/')).body).toBe('alice 1');
    expect((await there.go('/')).body).toBe('alice 2');

    await here.go('/login/bob');
    expect((await one.browser(here.cookie).go('/')).status).toBe(500);
  });

  test('that is encrypted is read with what decrypts it, and otherwise an error which says so', async () => {
    const secret = 'a long secret';
    const { theirs, ours, reopen } = setUp({ theirs: { crypto: { secret } } });
    await set(theirs, 'a', sessionWith({ user: 'alice' }));
    await expect(ours.get('a')).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringContaining('what is stored cannot be parsed'),
    });
    const { decrypt } = createKrupteinAdapter({ secret });
    const reader = reopen({
      serializer: {
        stringify: JSON.stringify,
        parse: async (stored) =>
          JSON.parse(stored.startsWith('{') ? stored : JSON.parse(await decrypt(stored))),
      },
    });
    expect(await reader.get('a')).toMatchObject({ user: 'alice' });
    await reader.set('a', sessionWith({ user: 'bob' }));
    expect(await reader.get('a')).toMatchObject({ user: 'bob' });
  });

  test('has the same collection and database by default', async () => {
    const named = new URL(url);
    named.pathname = uniqueName();
    await set(openTheirs({ mongoUrl: named.href }), 'a', sessionWith({ user: 'alice' }));
    expect(await open({ url: named.href }).get('a')).toMatchObject({ user: 'alice' });
    await client.db(named.pathname.slice(1)).dropDatabase();
  });
});

/** The published store, closed after the test. */
function openTheirs(options: ConstructorParameters<typeof ConnectMongo>[0]) {
  const store = new ConnectMongo(options);
  onTestFinished(async () => {
    await store.collectionP;
    await store.close();
  });
  return store;
}

function set(store: ConnectMongo, id: string, session: SessionData): Promise<void> {
  return new Promise((resolve, reject) => {
    store.set(id, session, (error) => (error ? reject(error) : resolve()));
  });
}
