import { failure, sessionWith, testFaults, untilItWorks } from '@session-stores/test-kit';
import { startMongoReplicaSet, startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { expect, test } from 'vitest';
import { connect, open, uniqueName } from './helpers.js';

const LIMIT = 1000;
/** What a busy machine may add to a time limit. */
const MARGIN = 3000;

describeOnServer(
  () => startServer('mongo', { private: true }),
  'a server',
  (server) => {
    testFaults(server, {
      ways: {
        url: (url, dbName, options) => open({ url, dbName, ...options }),
        // Two connections: what cannot be sent waits for one of them.
        client: (url, dbName, options) =>
          open({ client: connect(`${url}&maxPoolSize=2`), dbName, ...options }),
      },
      limitMs: LIMIT,
      async ids(dbName) {
        const sessions = connect(server.url).db(dbName).collection<{ _id: string }>('sessions');
        return (await sessions.find().toArray()).map(({ _id }) => _id);
      },
    });
  },
);

describeOnServer(startMongoReplicaSet, 'a session that another client has locked', (server) => {
  test('is answered for within the time limit, changed by nobody later, and delays nobody else', async () => {
    const client = connect(server.url);
    const dbName = uniqueName();
    const store = open({ client, dbName, timeoutMs: LIMIT });
    const other = open({ client, dbName });
    await other.set('a', sessionWith({ user: 'alice' }));
    await untilItWorks(store);
    const documents = client.db(dbName).collection<{ _id: string; locked?: boolean }>('sessions');

    const lock = client.startSession();
    lock.startTransaction();
    await documents.updateOne({ _id: 'a' }, { $set: { locked: true } }, { session: lock });
    const late = [
      () => store.set('a', sessionWith({ user: 'late' })),
      () => store.touch('a', sessionWith()),
      () => store.destroy('a'),
    ];
    for (const change of late) {
      let answered = false;
      const call = failure(change()).finally(() => {
        answered = true;
      });
      await other.set('b', sessionWith({ user: 'bob' }));
      expect(await other.get('a')).toMatchObject({ user: 'alice' });
      expect(answered).toBe(false);
      const error = await call;
      expect(error).toMatchObject({ code: 'TIMEOUT', mayHaveHappened: false });
      expect(error.after).toBeLessThan(LIMIT + MARGIN);
    }
    await lock.abortTransaction();
    await lock.endSession();
    const before = await documents.findOne({ _id: 'a' });
    await Promise.all(Array.from({ length: 20 }, () => other.get('a')));
    expect(await documents.findOne({ _id: 'a' })).toEqual(before);
    await other.set('a', sessionWith({ user: 'on time' }));
    expect(await other.get('a')).toMatchObject({ user: 'on time' });
  });
});

describeOnServer('mongo', 'a session that is too large', ({ url }) => {
  test('is refused before it is sent, and what was stored is intact', async () => {
    const dbName = uniqueName();
    const client = connect(url, { monitorCommands: true });
    const store = open({ client, dbName });
    const largest = 8 * 1024 * 1024 - 8192;
    await store.set('a', sessionWith({ text: 'x'.repeat(largest) }));
    const session = await store.load('a');
    if (session === undefined) throw new Error('it is gone');
    session.text = 'y'.repeat(largest);
    await store.set('a', session);
    expect((await store.get('a'))?.text).toBe(session.text);

    let updates = 0;
    client.on('commandStarted', ({ commandName }) => void (commandName === 'update' && updates++));
    for (const text of ['x'.repeat(9_000_000), '🦊'.repeat(3_000_000)]) {
      const error = await failure(store.set('a', sessionWith({ text })));
      expect(error).toMatchObject({ code: 'TOO_LARGE', mayHaveHappened: false });
    }
    expect(updates).toBe(0);
    expect((await store.get('a'))?.text).toBe(session.text);
    await client.db(dbName).dropDatabase();
  });
});
