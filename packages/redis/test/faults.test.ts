import { failure, sessionWith, testFaults, untilItWorks } from '@session-stores/test-kit';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import { expect, test } from 'vitest';
import { connect, open } from './helpers.js';

const LIMIT = 500;
/** What a busy machine may add to a time limit. */
const MARGIN = 700;
/** How long a client may take to come back: its longest pause between two attempts is a second. */
const RECOVERY = { timeout: 10_000, interval: 20 };

describeOnServer(
  () => startServer('redis', { private: true, persist: true }),
  'a server',
  (server) => {
    testFaults(server, {
      ways: {
        url: (url, name, options) => open({ url, prefix: `${name}:`, ...options }),
        client: (url, name, options) => open({ client: connect(url), prefix: `${name}:`, ...options }),
      },
      limitMs: LIMIT,
      ids: async (name) =>
        (await connect(server.url).keys(`${name}:*`)).map((key) => key.split(':')[1] ?? ''),
    });

    test('that is frozen keeps the old session when a large one was cut off', async () => {
      const prefix = uniquePrefix();
      const store = open({ url: server.url, timeoutMs: LIMIT, prefix });
      await store.set('a', sessionWith({ text: 'old' }));
      await server.pause();
      const error = await failure(store.set('a', sessionWith({ text: 'x'.repeat(20_000_000) })));
      expect(['TIMEOUT', 'UNAVAILABLE']).toContain(error.code);
      // By the end of this one, the connection has been given up.
      await failure(store.get('b'));
      await server.resume();
      await untilItWorks(store);
      expect((await store.get('a'))?.text?.length).toBe(3);
    });

    test("that is frozen is reported by the client's own time limit where that is shorter", async () => {
      const store = open({ client: connect(server.url, { commandTimeout: 50 }), prefix: uniquePrefix() });
      await store.set('a', sessionWith());
      await server.pause();
      const error = await failure(store.set('a', sessionWith()));
      expect(error).toMatchObject({ code: 'TIMEOUT', mayHaveHappened: true });
      expect(error.message).toContain('the server did not answer in time');
      await server.resume();
    });

    test('that is back is not blamed for what happened long ago', async () => {
      await server.kill();
      const client = connect(server.url, { retryStrategy: () => 10 });
      const store = open({ client, prefix: uniquePrefix() });
      expect((await failure(store.get('a'))).cause).toMatchObject({ code: 'ECONNREFUSED' });
      await server.restart();
      await untilItWorks(store);
      client.disconnect();
      const error = await failure(store.get('a'));
      expect(error.code).toBe('UNAVAILABLE');
      expect(error.cause).toBeUndefined();
    });

    test('gets nothing from the offline queue of a client, into which nothing is put', async () => {
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
      await untilItWorks(store);
      expect(await store.get('a')).toBeNull();
    });

    test('gets nothing again from a client that is set to `maxRetriesPerRequest: 0`', async () => {
      const client = connect(server.url, { maxRetriesPerRequest: 0 });
      const store = open({ client, prefix: uniquePrefix(), timeoutMs: LIMIT });
      await store.length();
      await server.pause();
      expect(await failure(store.set('a', sessionWith()))).toMatchObject({
        code: 'TIMEOUT',
        mayHaveHappened: true,
      });
      await server.restart();
      await untilItWorks(store);
      expect(await store.get('a')).toBeNull();
    });
  },
);
