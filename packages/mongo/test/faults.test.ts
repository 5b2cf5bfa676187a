import type { StoreError } from '@session-stores/core';
import { collect, failure, serve, sessionWith } from '@session-stores/test-kit';
import { startMongoReplicaSet, startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { expect, onTestFinished, test } from 'vitest';
import type { MongoStore } from '../src/index.js';
import { connect, open, uniqueName } from './helpers.js';

const LIMIT = 1000;
/** What a busy machine may add to a time limit. */
const MARGIN = 700;
/** How long a client may take to come back: it looks every second. */
const RECOVERY = { timeout: 10_000, interval: 20 };

/** Every operation, by name. */
function everything(store: MongoStore): Record<string, () => Promise<unknown>> {
  return {
    get: () => store.get('a'),
    set: () => store.set('b', sessionWith({ text: 'after the fault' })),
    touch: () => store.touch('c', sessionWith()),
    destroy: () => store.destroy('d'),
    all: () => store.all(),
    entries: () => collect(store.entries()),
    length: () => store.length(),
    clear: () => store.clear(),
  };
}

/** The errors that all of them are answered with at once. */
function failures(store: MongoStore): Promise<(StoreError & { after: number })[]> {
  return Promise.all(
    Object.entries(everything(store)).map(async ([name, operation]) => {
      const error = await failure(operation());
      expect(error.operation).toBe(name);
      expect(error.after, name).toBeLessThan(LIMIT + MARGIN);
      return error;
    }),
  );
}

const works = (store: MongoStore) =>
  store.set('alive', sessionWith()).then(
    () => true,
    () => false,
  );

describeOnServer(
  () => startServer('mongo', { private: true }),
  'a server that is killed',
  (server) => {
    test.each(['url', 'client'] as const)(
      'is reported within the time limit, and served again when it is back: %s',
      async (how) => {
        const store = open({
          ...(how === 'url' ? { url: server.url } : { client: connect(server.url) }),
          dbName: uniqueName(),
          timeoutMs: LIMIT,
        });
        await store.set('a', sessionWith({ user: 'alice' }));
        await server.kill();
        onTestFinished(() => server.restart());
        // By the end of this one, it is known that nothing listens there any more.
        await failure(store.get('a'));
        const errors = await failures(store);
        for (const error of errors)
          expect(error).toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
        expect(errors.map(({ cause }) => String(cause)).join()).toContain(
          how === 'url' ? 'ECONNREFUSED' : '',
        );
        await server.restart();
        await expect.poll(() => works(store), RECOVERY).toBe(true);
        expect(await store.get('a')).toMatchObject({ user: 'alice' });
        for (const operation of Object.values(everything(store))) await operation();
      },
    );

    test('keeps every write and every logout that was acknowledged', async () => {
      const dbName = uniqueName();
      const store = open({ url: server.url, dbName, timeoutMs: LIMIT });
      for (let n = 0; n < 100; n++) await store.set(`gone${n}`, sessionWith());
      const stored: string[] = [];
      const ended: string[] = [];
      let failed = 0;
      const settle = (call: Promise<unknown>, id: string, list: string[]) =>
        call.then(
          () => void list.push(id),
          () => void failed++,
        );
      const calls: Promise<unknown>[] = [];
      for (let n = 0; n < 300; n++) {
        calls.push(settle(store.set(`id${n}`, sessionWith()), `id${n}`, stored));
        if (n < 100) calls.push(settle(store.destroy(`gone${n}`), `gone${n}`, ended));
        if (stored.length > 20 && failed === 0) await server.kill();
        await new Promise(setImmediate);
      }
      await server.kill();
      await Promise.all(calls);
      expect(failed).toBeGreaterThan(0);

      await server.restart();
      const documents = connect(server.url).db(dbName).collection<{ _id: string }>('sessions');
      const there = async () => (await documents.find().toArray()).map(({ _id }) => _id).sort();
      const atStart = await there();
      expect(atStart).toEqual(expect.arrayContaining(stored));
      expect(ended.filter((id) => atStart.includes(id))).toEqual([]);
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      expect((await there()).filter((id) => id !== 'alive')).toEqual(atStart);
    });

    test.each(['url', 'client'] as const)('may come after the store: %s', async (how) => {
      await server.kill();
      const store = open({
        ...(how === 'url' ? { url: server.url } : { client: connect(server.url) }),
        dbName: uniqueName(),
        timeoutMs: LIMIT,
      });
      for (const operation of [() => store.get('a'), () => store.set('a', sessionWith())]) {
        const error = await failure(operation());
        expect(error).toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
        expect(error.after).toBeLessThan(LIMIT + MARGIN);
      }
      await server.restart();
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      expect(await store.get('a')).toBeNull();
    });

    test('leaves an Express application running, which serves everybody again afterwards', async () => {
      const app = await serve(open({ url: server.url, dbName: uniqueName(), timeoutMs: LIMIT }));
      const [alice, bob] = [app.browser(), app.browser()];
      await alice.go('/login/alice');
      await bob.go('/login/bob');
      await server.kill();
      const during = await Promise.all(Array.from({ length: 50 }, () => alice.go('/')));
      expect(new Set(during.map(({ status }) => status))).toEqual(new Set([500]));
      expect((await alice.go('/')).body).toMatch(
        /^StoreError: mongo: get of session #\w+ failed: there is no connection to the server/,
      );
      await server.restart();
      await expect.poll(async () => (await alice.go('/')).status, RECOVERY).toBe(200);
      const after = await Promise.all(Array.from({ length: 50 }, () => bob.go('/')));
      expect(new Set(after.map(({ status }) => status))).toEqual(new Set([200]));
    });
  },
);

describeOnServer(
  () => startServer('mongo', { private: true }),
  'a server that is frozen',
  (server) => {
    test.each(['url', 'client'] as const)(
      'is answered for within the time limit, and served again when it thaws: %s',
      async (how) => {
        const store = open({
          ...(how === 'url' ? { url: server.url } : { client: connect(server.url) }),
          dbName: uniqueName(),
          timeoutMs: LIMIT,
        });
        await store.set('a', sessionWith({ user: 'alice' }));
        await server.pause();
        onTestFinished(() => server.resume());
        for (const turn of ['at first', 'and later']) {
          for (const error of await failures(store)) {
            expect(['TIMEOUT', 'UNAVAILABLE'], `${error.operation} ${turn}`).toContain(error.code);
          }
        }
        await server.resume();
        await expect.poll(() => works(store), RECOVERY).toBe(true);
        for (const operation of Object.values(everything(store))) await operation();
      },
    );

    test.each(['url', 'client'] as const)('gets nothing later that was never sent: %s', async (how) => {
      const dbName = uniqueName();
      // Two connections: what cannot be sent waits for one of them.
      const client = connect(`${server.url}&maxPoolSize=2`);
      const store = open({
        ...(how === 'url' ? { url: `${server.url}&maxPoolSize=2` } : { client }),
        dbName,
        timeoutMs: LIMIT,
      });
      await store.length();
      await server.pause();
      const calls = Array.from({ length: 50 }, (_, n) => failure(store.set(`id${n}`, sessionWith())));
      const errors = await Promise.all(calls);
      const sent = errors.flatMap(({ mayHaveHappened }, n) => (mayHaveHappened ? [`id${n}`] : []));
      expect(sent.length).toBeLessThanOrEqual(2);
      await server.resume();
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      await Promise.all(Array.from({ length: 20 }, () => store.get('a')));
      const documents = connect(server.url).db(dbName).collection<{ _id: string }>('sessions');
      const there = (await documents.find({ _id: /^id/ }).toArray()).map(({ _id }) => _id);
      expect(there.filter((id) => !sent.includes(id))).toEqual([]);
    });

    test('is waited for at the start no longer than the time limit', async () => {
      await server.pause();
      const store = open({ url: server.url, dbName: uniqueName(), timeoutMs: LIMIT });
      const error = await failure(store.get('a'));
      expect(error).toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
      expect(error.after).toBeLessThan(LIMIT + MARGIN);
      await server.resume();
      await expect.poll(() => works(store), RECOVERY).toBe(true);
    });

    test('is closed without waiting for it', async () => {
      const store = open({ url: server.url, dbName: uniqueName(), timeoutMs: LIMIT });
      await store.length();
      await server.pause();
      const call = failure(store.get('a'));
      const start = performance.now();
      await store.close();
      expect(performance.now() - start).toBeLessThan(2 * LIMIT + MARGIN);
      expect(['TIMEOUT', 'UNAVAILABLE']).toContain((await call).code);
      await server.resume();
    });
  },
);

describeOnServer(
  () => startServer('mongo', { private: true, args: ['--setParameter', 'enableTestCommands=1'] }),
  'a server that drops connections',
  (server) => {
    test('costs no more than the calls under way: each is answered once, and nothing acknowledged is lost', async () => {
      const store = open({ url: server.url, dbName: uniqueName() });
      await store.length();
      const admin = connect(server.url).db('admin');
      let lost = 0;

      /** Writes until enough was acknowledged; answers what the server may hold in the end. */
      const work = async (id: string) => {
        let possible = new Set<number | undefined>([undefined]);
        for (let n = 1, stored = 0; stored < 20; n++) {
          let answers = 0;
          await new Promise<void>((resolve) => {
            store.set(id, sessionWith({ n }), (error) => {
              answers++;
              if (error === null) {
                stored++;
                possible = new Set([n]);
              } else if (error.code !== 'UNAVAILABLE') throw error;
              else if (error.mayHaveHappened) {
                lost++;
                possible.add(n);
              }
              setImmediate(resolve);
            });
          });
          expect(answers).toBe(1);
        }
        return { id, possible };
      };
      const mode = { activationProbability: 0.05 };
      const data = { failCommands: ['update'], closeConnection: true };
      await admin.command({ configureFailPoint: 'failCommand', mode, data });
      const ends = await Promise.all(Array.from({ length: 10 }, (_, index) => work(`id${index}`)));
      await admin.command({ configureFailPoint: 'failCommand', mode: 'off' });
      expect(lost, 'some must have been under way').toBeGreaterThan(0);
      for (const { id, possible } of ends) expect([...possible], id).toContain((await store.get(id))?.n);
    });
  },
);

describeOnServer(startMongoReplicaSet, 'a session that another client has locked', (server) => {
  test('is answered for within the time limit, changed by nobody later, and delays nobody else', async () => {
    const client = connect(server.url);
    const dbName = uniqueName();
    const store = open({ client, dbName, timeoutMs: LIMIT });
    const other = open({ client, dbName });
    await store.set('a', sessionWith({ user: 'alice' }));
    await store.set('b', sessionWith({ user: 'bob' }));
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
      const call = failure(change());
      const start = performance.now();
      await store.set('b', sessionWith({ user: 'bob' }));
      expect(await other.get('a')).toMatchObject({ user: 'alice' });
      expect(performance.now() - start).toBeLessThan(LIMIT / 2);
      const error = await call;
      expect(error).toMatchObject({ code: 'TIMEOUT', mayHaveHappened: false });
      expect(error.after).toBeLessThan(LIMIT + MARGIN);
    }
    await lock.abortTransaction();
    await lock.endSession();
    const before = await documents.findOne({ _id: 'a' });
    await Promise.all(Array.from({ length: 20 }, () => store.get('a')));
    expect(await documents.findOne({ _id: 'a' })).toEqual(before);
    await store.set('a', sessionWith({ user: 'on time' }));
    expect(await store.get('a')).toMatchObject({ user: 'on time' });
  });
});

describeOnServer('mongo', 'a session that is too large', ({ url }) => {
  test('is refused before it is sent, and what was stored is intact', async () => {
    const dbName = uniqueName();
    const client = connect(url, { monitorCommands: true });
    const store = open({ client, dbName });
    const largest = 8 * 1024 * 1024 - 8192;
    await store.set('a', sessionWith({ text: 'x'.repeat(largest) }));
    const request = { sessionID: 'a' };
    const session = store.createSession(request as never, (await store.get('a')) as never);
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
