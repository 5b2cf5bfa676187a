import { serve, sessionWith } from '@session-stores/test-kit';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { MongoStore as ConnectMongo } from 'connect-mongo';
import type session from 'express-session';
import { type Document, MongoClient } from 'mongodb';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { open, uniqueName } from './helpers.js';

const layouts = {
  'as text': {},
  'as a subdocument': { stringify: false },
  'with the time of the last change': { touchAfter: 30 },
  'with all times, as a subdocument': { stringify: false, touchAfter: 30, timestamps: true },
} as const;

describeOnServer('mongo', 'the layout of connect-mongo', ({ url }) => {
  // Theirs closes the client that it was given, so it gets none of ours.
  const client = new MongoClient(url);
  const dbName = uniqueName();
  afterAll(async () => {
    await client.db(dbName).dropDatabase();
    await client.close();
  });

  function setUp(options: (typeof layouts)[keyof typeof layouts]) {
    const collectionName = uniqueName();
    const peer = new ConnectMongo({ mongoUrl: url, dbName, collectionName, ...options });
    onTestFinished(async () => {
      await peer.collectionP;
      await peer.close();
    });
    const documents = client.db(dbName).collection<Document & { _id: string }>(collectionName);
    return {
      peer,
      theirs: promised(peer),
      ours: open({ client, dbName, collectionName, touchAfter: 0 }),
      document: (id: string) => documents.findOne({ _id: id }),
      /** Lets the session end soon. */
      shorten: (id: string) =>
        documents.updateOne({ _id: id }, { $set: { expires: new Date(Date.now() + 10_000) } }),
    };
  }

  describe.each(Object.entries(layouts))('%s', (_, options) => {
    test('is read, touched, listed and destroyed by us', async () => {
      const { ours, theirs, document, shorten } = setUp(options);
      await theirs.set('a', sessionWith({ user: 'alice', n: 1 }));
      await theirs.set('b', sessionWith({ user: 'bob' }));
      const found = await ours.get('a');
      expect(found).toMatchObject({ user: 'alice', n: 1, cookie: { originalMaxAge: 60_000, path: '/' } });

      await shorten('a');
      const before = await document('a');
      await ours.touch('a', sessionWith());
      const after = await document('a');
      expect(after?.['expires'].getTime()).toBeGreaterThan(Date.now() + 50_000);
      expect({ ...after, expires: 0 }).toEqual({ ...before, expires: 0 });

      expect((await ours.all()).map(({ id, user }) => `${id} ${user}`).sort()).toEqual(['a alice', 'b bob']);
      expect(await ours.length()).toBe(2);
      await ours.destroy('a');
      expect(await theirs.get('a')).toBeNull();
      expect(await theirs.length()).toBe(1);
    });

    test('is changed by us and read, touched, listed and destroyed by connect-mongo', async () => {
      const { ours, theirs, document, shorten } = setUp(options);
      const since = new Date(0);
      await theirs.set('a', sessionWith({ user: 'alice', n: 1, since }));
      await theirs.set('b', sessionWith({ user: 'bob' }));
      const written = await document('a');

      const request = { sessionID: 'a', sessionStore: ours };
      const found = await ours.get('a');
      const session = ours.createSession(request as never, found as never);
      session.n = 2;
      await ours.set('a', session);
      const changed = await document('a');
      expect(typeof changed?.['session']).toBe(typeof written?.['session']);
      const read = await theirs.get('a');
      expect(read).toMatchObject({ user: 'alice', n: 2, cookie: { originalMaxAge: 60_000 } });
      expect(new Date(String(read?.since))).toEqual(since);
      // In a subdocument a date is one, as before.
      expect(typeof read?.since).toBe('stringify' in options ? 'object' : 'string');

      await shorten('a');
      const theirSession = Object.assign(sessionWith(), { lastModified: new Date(1) });
      await theirs.touch('a', theirSession);
      expect((await document('a'))?.['expires'].getTime()).toBeGreaterThan(Date.now() + 50_000);
      expect(await theirs.all()).toHaveLength(2);
      expect(await theirs.length()).toBe(2);
      await theirs.destroy('a');
      expect(await ours.get('a')).toBeNull();
      expect(await ours.length()).toBe(1);
    });

    test('keeps a person logged in from one application to the other and back', async () => {
      const { ours, peer } = setUp(options);
      const [one, two] = await Promise.all([serve(ours), serve(peer, { rolling: true })]);
      const there = two.browser();
      await there.go('/login/alice');
      expect((await there.go('/')).body).toBe('alice 1');

      const here = one.browser(there.cookie);
      expect((await here.go('/')).body).toBe('alice 2');
      expect((await there.go('/')).body).toBe('alice 3');
      expect((await here.go('/')).body).toBe('alice 4');
      await here.go('/logout');
      expect((await there.go('/')).status).toBe(401);
    });
  });

  // A session that is new is text, which connect-mongo with `stringify: false` cannot read.
  test.each(['as text', 'with the time of the last change'] as const)(
    'takes back a person who logged in with us: %s',
    async (layout) => {
      const { ours, peer } = setUp(layouts[layout]);
      const [one, two] = await Promise.all([serve(ours), serve(peer)]);
      const here = one.browser();
      await here.go('/login/bob');
      const back = two.browser(here.cookie);
      expect((await back.go('/')).body).toBe('bob 1');
      expect((await here.go('/')).body).toBe('bob 2');
      await back.go('/logout');
      expect((await here.go('/')).status).toBe(401);
    },
  );

  test('is written as connect-mongo writes it', async () => {
    const collectionName = uniqueName();
    const peer = new ConnectMongo({ mongoUrl: url, dbName, collectionName });
    onTestFinished(() => peer.close());
    const session = { ...sessionWith({ user: 'żółć 🦊', n: 1 }), nothing: undefined };
    await promised(peer).set('theirs', session);
    await open({ client, dbName, collectionName }).set('ours', session);
    const documents = client.db(dbName).collection<Document & { _id: string }>(collectionName);
    const [ours, theirs] = await Promise.all(['ours', 'theirs'].map((id) => documents.findOne({ _id: id })));
    expect(Object.keys(ours ?? {}).sort()).toEqual(Object.keys(theirs ?? {}).sort());
    expect(JSON.parse(ours?.['session'])).toEqual(JSON.parse(theirs?.['session']));
    expect(Math.abs(ours?.['expires'] - theirs?.['expires'])).toBeLessThan(2000);
  });

  test('has the same collection and database by default', async () => {
    const named = new URL(url);
    named.pathname = uniqueName();
    const peer = new ConnectMongo({ mongoUrl: named.href });
    onTestFinished(() => peer.close());
    await promised(peer).set('a', sessionWith({ user: 'alice' }));
    expect(await open({ url: named.href }).get('a')).toMatchObject({ user: 'alice' });
    await client.db(named.pathname.slice(1)).dropDatabase();
  });
});

/** The operations of connect-mongo as promises. */
function promised(store: ConnectMongo) {
  type Done<T> = (error: unknown, result?: T) => void;
  const settled = <T>(call: (done: Done<T>) => void) =>
    new Promise<T | undefined>((resolve, reject) => {
      call((error, result) => (error ? reject(error) : resolve(result)));
    });
  return {
    get: (id: string) => settled<session.SessionData | null>((done) => store.get(id, done)),
    set: (id: string, data: session.SessionData) => settled((done) => store.set(id, data, done)),
    touch: (id: string, data: session.SessionData) => settled((done) => store.touch(id, data, done)),
    destroy: (id: string) => settled((done) => store.destroy(id, done)),
    all: () => settled<unknown>((done) => store.all(done)),
    length: () => settled<number>((done) => store.length(done)),
  };
}
