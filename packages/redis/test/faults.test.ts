import { collect, failure, serve, sessionWith } from '@session-stores/test-kit';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import { expect, test } from 'vitest';
import type { RedisStore } from '../src/index.js';
import { connect, open } from './helpers.js';

const LIMIT = 300;
/** What a busy machine may add to a time limit. */
const MARGIN = 700;
/** How long a client may take to come back: its longest pause between two attempts is a second. */
const RECOVERY = { timeout: 10_000, interval: 20 };

/** Every operation, by name. */
function everything(store: RedisStore): Record<string, () => Promise<unknown>> {
  return {
    get: () => store.get('a'),
    set: () => store.set('a', sessionWith({ text: 'after the fault' })),
    touch: () => store.touch('a', sessionWith()),
    destroy: () => store.destroy('a'),
    all: () => store.all(),
    entries: () => collect(store.entries()),
    length: () => store.length(),
    clear: () => store.clear(),
  };
}

const works = (store: RedisStore) =>
  store.set('alive', sessionWith()).then(
    () => true,
    () => false,
  );

/** Whether the client has noticed that nothing listens there any more. */
const refused = async (store: RedisStore) =>
  String((await failure(store.get('a'))).cause).includes('ECONNREFUSED');

describeOnServer(
  () => startServer('redis', { private: true, persist: true }),
  'a server that is killed',
  (server) => {
    test.each(['url', 'client'] as const)(
      'is reported at once, and served again when it is back: %s',
      async (how) => {
        const store = open({
          ...(how === 'url' ? { url: server.url } : { client: connect(server.url) }),
          // With ioredis's defaults, what was under way is only answered by it.
          timeoutMs: 1000,
          prefix: uniquePrefix(),
        });
        await store.set('a', sessionWith({ user: 'alice' }));
        await server.kill();
        await expect.poll(() => refused(store), RECOVERY).toBe(true);
        for (const [name, operation] of Object.entries(everything(store))) {
          const error = await failure(operation());
          expect(error, name).toMatchObject({ code: 'UNAVAILABLE', operation: name, mayHaveHappened: false });
          expect(error.cause, name).toMatchObject({ code: 'ECONNREFUSED' });
          expect(error.after, name).toBeLessThan(MARGIN);
        }
        await server.restart();
        await expect.poll(() => works(store), RECOVERY).toBe(true);
        expect(await store.get('a')).toMatchObject({ user: 'alice' });
        for (const operation of Object.values(everything(store))) await operation();
      },
    );

    test('never gets later what was answered with an error', async () => {
      const prefix = uniquePrefix();
      const store = open({ url: server.url, prefix });
      await store.length();
      const stored: string[] = [];
      let failed = 0;
      const write = (id: string) =>
        store.set(id, sessionWith()).then(
          () => stored.push(prefix + id),
          () => failed++,
        );
      // Some are answered before the kill, some are under way, some come after it.
      const answers: Promise<number>[] = [];
      for (let n = 0; n < 300; n++) {
        answers.push(write(`id${n}`));
        if (n === 100) answers.push(server.kill().then(() => 0));
        if (n % 10 === 0) await new Promise(setImmediate);
      }
      await Promise.all(answers);
      expect(failed).toBeGreaterThan(0);

      await server.restart();
      const look = connect(server.url);
      const there = async () => (await look.keys(`${prefix}id*`)).sort();
      const atStart = await there();
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      await Promise.all(Array.from({ length: 20 }, () => store.get('a')));
      expect(await there()).toEqual(atStart);
      expect(atStart).toEqual(expect.arrayContaining(stored));
    });

    test('may come after the store', async () => {
      await server.kill();
      const store = open({ url: server.url, prefix: uniquePrefix() });
      const injected = open({ client: connect(server.url), prefix: uniquePrefix() });
      for (const each of [store, injected]) {
        const error = await failure(each.get('a'));
        expect(error.code).toBe('UNAVAILABLE');
        expect(error.after).toBeLessThan(MARGIN);
      }
      await server.restart();
      for (const each of [store, injected]) await expect.poll(() => works(each), RECOVERY).toBe(true);
    });

    test('leaves an Express application running, which serves everybody again afterwards', async () => {
      const store = open({ url: server.url, prefix: uniquePrefix() });
      const app = await serve(store);
      const [alice, bob] = [app.browser(), app.browser()];
      await alice.go('/login/alice');
      await bob.go('/login/bob');
      await server.kill();
      await expect.poll(async () => (await alice.go('/')).status, RECOVERY).toBe(500);
      const during = await Promise.all(Array.from({ length: 50 }, () => alice.go('/')));
      expect(new Set(during.map(({ status }) => status))).toEqual(new Set([500]));
      expect(during[0]?.body).toMatch(
        /^StoreError: redis: get of session #\w+ failed: there is no connection/,
      );

      await server.restart();
      await expect.poll(async () => (await alice.go('/')).status, RECOVERY).toBe(200);
      const after = await Promise.all(Array.from({ length: 50 }, () => bob.go('/')));
      expect(new Set(after.map(({ status }) => status))).toEqual(new Set([200]));
      expect((await bob.go('/')).body).toMatch(/^bob /);
    });
  },
);

describeOnServer(
  () => startServer('redis', { private: true }),
  'a server that is frozen',
  (server) => {
    test.each(['url', 'client'] as const)(
      'is answered for within the time limit, and served again when it thaws: %s',
      async (how) => {
        const store = open({
          ...(how === 'url' ? { url: server.url } : { client: connect(server.url) }),
          timeoutMs: LIMIT,
          prefix: uniquePrefix(),
        });
        await store.set('a', sessionWith({ user: 'alice' }));
        await server.pause();
        for (const turn of ['at first', 'and later']) {
          const errors = await Promise.all(
            Object.entries(everything(store)).map(async ([name, operation]) => ({
              name,
              error: await failure(operation()),
            })),
          );
          for (const { name, error } of errors) {
            expect(['TIMEOUT', 'UNAVAILABLE'], `${name} ${turn}`).toContain(error.code);
            expect(error.operation, `${name} ${turn}`).toBe(name);
            expect(error.after, `${name} ${turn}`).toBeLessThan(4 * LIMIT + MARGIN);
          }
        }
        await server.resume();
        await expect.poll(() => works(store), RECOVERY).toBe(true);
        for (const operation of Object.values(everything(store))) await operation();
      },
    );

    test('gets nothing later that was never sent', async () => {
      const prefix = uniquePrefix();
      const store = open({ url: server.url, timeoutMs: LIMIT, prefix });
      await store.length();
      await server.pause();
      expect(await failure(store.set('sent', sessionWith()))).toMatchObject({ mayHaveHappened: true });
      // By the end of this one, the connection has been given up.
      await failure(store.get('a'));
      const late = Array.from({ length: 50 }, (_, n) => failure(store.set(`late${n}`, sessionWith())));
      for (const { code } of await Promise.all(late)) expect(['TIMEOUT', 'UNAVAILABLE']).toContain(code);
      await server.resume();
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      await Promise.all(Array.from({ length: 20 }, () => store.get('a')));
      expect(await connect(server.url).keys(`${prefix}late*`)).toEqual([]);
    });

    test('is closed without waiting for it', async () => {
      const store = open({ url: server.url, timeoutMs: LIMIT });
      await store.length();
      await server.pause();
      const call = failure(store.get('a'));
      const start = performance.now();
      await store.close();
      expect(performance.now() - start).toBeLessThan(LIMIT + MARGIN);
      expect(['TIMEOUT', 'UNAVAILABLE']).toContain((await call).code);
      await server.resume();
    });

    test('keeps the old session when a large one was cut off', async () => {
      const prefix = uniquePrefix();
      const store = open({ url: server.url, timeoutMs: LIMIT, prefix });
      await store.set('a', sessionWith({ text: 'old' }));
      await server.pause();
      const error = await failure(store.set('a', sessionWith({ text: 'x'.repeat(20_000_000) })));
      expect(['TIMEOUT', 'UNAVAILABLE']).toContain(error.code);
      // By the end of this one, the connection has been given up.
      await failure(store.get('b'));
      await server.resume();
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      expect((await store.get('a'))?.text?.length).toBe(3);
    });
  },
);

describeOnServer(
  () => startServer('redis', { private: true }),
  'a server that drops connections',
  (server) => {
    test('costs no more than the calls under way: each is answered once, and nothing acknowledged is lost', async () => {
      const store = open({ url: server.url, prefix: uniquePrefix() });
      const killer = connect(server.url);
      let acknowledged = 0;
      let lost = 0;
      let refusals = 0;

      /** Writes until enough was acknowledged; answers what the server may hold in the end. */
      const work = async (id: string) => {
        let possible = new Set<number | undefined>([undefined]);
        for (let n = 1, stored = 0; stored < 100; n++) {
          let answers = 0;
          await new Promise<void>((resolve) => {
            store.set(id, sessionWith({ n }), (error) => {
              answers++;
              if (error === null) {
                stored++;
                possible = new Set([n]);
                if (++acknowledged % 100 === 50)
                  void killer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
              } else if (error.code !== 'UNAVAILABLE') throw error;
              else if (error.mayHaveHappened) {
                lost++;
                possible.add(n);
              } else refusals++;
              setImmediate(resolve);
            });
          });
          expect(answers).toBe(1);
        }
        return { id, possible };
      };
      const ends = await Promise.all(Array.from({ length: 10 }, (_, index) => work(`id${index}`)));
      expect(lost, 'some must have been under way').toBeGreaterThan(0);
      expect(refusals, 'some must have found no connection').toBeGreaterThan(0);
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      for (const { id, possible } of ends) expect([...possible], id).toContain((await store.get(id))?.n);
    });

    test('is not blamed for what happened long ago', async () => {
      await server.kill();
      const client = connect(server.url, { retryStrategy: () => 10 });
      const store = open({ client, prefix: uniquePrefix() });
      expect((await failure(store.get('a'))).cause).toMatchObject({ code: 'ECONNREFUSED' });
      await server.restart();
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      client.disconnect();
      const error = await failure(store.get('a'));
      expect(error.code).toBe('UNAVAILABLE');
      expect(error.cause).toBeUndefined();
    });
  },
);

describeOnServer(
  () => startServer('redis', { private: true }),
  'an injected client with an offline queue',
  (server) => {
    test('gets nothing to keep for later while it has no connection', async () => {
      const client = connect(server.url, { retryStrategy: () => 200 });
      const prefix = uniquePrefix();
      const store = open({ client, prefix });
      await store.length();
      await server.kill();
      await expect.poll(() => client.status, RECOVERY).toBe('reconnecting');
      const error = await failure(store.set('a', sessionWith()));
      expect(error).toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
      expect(error.after).toBeLessThan(MARGIN);
      await server.restart();
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      expect(await store.get('a')).toBeNull();
    });

    test('sends nothing again when it is set to `maxRetriesPerRequest: 0`', async () => {
      const client = connect(server.url, { maxRetriesPerRequest: 0 });
      const store = open({ client, prefix: uniquePrefix(), timeoutMs: LIMIT });
      await store.length();
      await server.pause();
      expect(await failure(store.set('a', sessionWith()))).toMatchObject({
        code: 'TIMEOUT',
        mayHaveHappened: true,
      });
      await server.restart();
      await expect.poll(() => works(store), RECOVERY).toBe(true);
      expect(await store.get('a')).toBeNull();
    });
  },
);
