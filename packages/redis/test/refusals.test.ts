import { inspect } from 'node:util';
import { caller, failure, serve, sessionWith } from '@session-stores/test-kit';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import { expect, test } from 'vitest';
import type { RedisStore } from '../src/index.js';
import { backendOn, connect, open } from './helpers.js';

/** How long a client may take to come back: its longest pause between two attempts is a second. */
const RECOVERY = { timeout: 10_000, interval: 20 };

describeOnServer(
  () => startServer('redis', { private: true }),
  'a server without memory left',
  (server) => {
    /** From now on the server refuses whatever needs memory. */
    const exhaust = (limit = 1) => connect(server.url).config('SET', 'maxmemory', limit);

    test('refuses new data with its reason, and keeps what it has', async () => {
      const store = open({ url: server.url });
      await store.set('a', sessionWith({ user: 'alice' }));
      await exhaust();
      for (const id of ['a', 'b']) {
        expect(await failure(store.set(id, sessionWith({ user: 'mallory' })))).toMatchObject({
          code: 'BACKEND',
          mayHaveHappened: false,
          message: expect.stringMatching(/^redis: set of session #\w{8} failed: OOM command not allowed/),
        });
      }
      expect(await store.get('a')).toMatchObject({ user: 'alice' });
      await store.touch('a', sessionWith());
      expect(await store.length()).toBe(1);
      expect(await store.all()).toHaveLength(1);
      await store.destroy('a');
      expect(await store.get('a')).toBeNull();
      await store.clear();
      await exhaust(0);
      await store.set('a', sessionWith());
    });

    test('leaves people logged in, shows them their pages and lets them log out', async () => {
      const app = await serve(open({ url: server.url, prefix: 'app:', touchAfter: 0 }));
      const alice = app.browser();
      await alice.go('/login/alice');
      expect((await alice.go('/')).body).toBe('alice 1');
      await exhaust();
      expect((await alice.go('/')).body).toBe('alice 2');
      expect((await alice.go('/')).body).toBe('alice 2');
      expect((await alice.go('/logout')).body).toBe('bye');
      expect((await alice.go('/')).status).toBe(401);
      await exhaust(0);
    });
  },
);

describeOnServer(
  () => startServer('redis', { private: true }),
  'a user who may not do everything',
  (server) => {
    async function asUser(...rules: string[]): Promise<RedisStore> {
      const admin = connect(server.url);
      await admin.acl(
        'SETUSER',
        'app',
        'reset',
        'on',
        '>secret-of-app',
        '~sess:*',
        '+@connection',
        '+info',
        ...rules,
      );
      return open({ url: server.url.replace('//', '//app:secret-of-app@') });
    }

    test('gets along with the commands that a store needs', async () => {
      const store = await asUser(
        '+get',
        '+set',
        '+evalsha',
        '+eval',
        '+pttl',
        '+pexpire',
        '+unlink',
        '+scan',
      );
      const app = await serve(store);
      const alice = app.browser();
      await alice.go('/login/alice');
      expect((await alice.go('/')).body).toBe('alice 1');
      expect((await alice.go('/')).body).toBe('alice 2');
      expect(await store.length()).toBe(1);
      await alice.go('/logout');
      await store.set('b', sessionWith());
      await store.clear();
      expect(await store.all()).toEqual([]);
    });

    test.each([
      ['+set +evalsha +eval', 'get', /NOPERM|can't run this command|no permissions to run the 'get' command/],
      ['+get +pttl +evalsha +eval', 'set', /NOPERM.* 'set'/],
      ['+get +set', 'get', /NOPERM.* 'evalsha'/],
      ['+get +set', 'destroy', /NOPERM.* 'unlink'/],
      ['+get +set', 'length', /NOPERM.* 'scan'/],
    ] as const)('with %s is told what is missing for %s', async (rules, operation, message) => {
      const store = await asUser(...rules.split(' '));
      const call = {
        get: () => store.get('secret-id'),
        set: () => store.set('secret-id', sessionWith({ user: 'alice' })),
        destroy: () => store.destroy('secret-id'),
        length: () => store.length(),
      }[operation];
      const error = await failure(call());
      expect(error).toMatchObject({ code: 'BACKEND', operation, mayHaveHappened: false });
      expect(error.message).toMatch(message);
      expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/secret-id|secret-of-app|alice/);
    });

    test('is told so for keys that are not theirs', async () => {
      await asUser('+@all');
      const url = server.url.replace('//', '//app:secret-of-app@');
      const error = await failure(open({ url, prefix: 'other:' }).set('secret-id', sessionWith()));
      expect(error).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
      expect(error.message).toMatch(/NOPERM/);
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('secret-id');
    });
  },
);

describeOnServer(
  () => startServer('redis', { private: true }),
  'a server that became a replica',
  (server) => {
    test('refuses writes as unavailable, serves reads, and is left for the new master', async () => {
      const store = open({ url: server.url, touchAfter: 0 });
      const admin = connect(server.url);
      await store.set('a', sessionWith({ user: 'alice' }));
      const stores = /id=(\d+) .*? name=store /;
      const named = open({ url: `${server.url}?connectionName=store` });
      await named.length();
      const before = stores.exec(String(await admin.client('LIST')))?.[1];
      await admin.replicaof('127.0.0.1', 1);

      const loaded = await store.load('a');
      expect(loaded).toMatchObject({ user: 'alice' });
      expect(await failure(named.set('b', sessionWith()))).toMatchObject({
        code: 'UNAVAILABLE',
        mayHaveHappened: false,
        message: expect.stringContaining('READONLY'),
      });
      expect((await failure(store.destroy('a'))).code).toBe('UNAVAILABLE');
      await expect
        .poll(async () => stores.exec(String(await admin.client('LIST')))?.[1], RECOVERY)
        .not.toBeOneOf([before, undefined]);

      await admin.replicaof('NO', 'ONE');
      await expect
        .poll(
          () =>
            named.set('b', sessionWith()).then(
              () => true,
              () => false,
            ),
          RECOVERY,
        )
        .toBe(true);
    });
  },
);

describeOnServer(
  // It takes longer to load its data, and answers after each 1024th command of the log.
  () => startServer('redis', { private: true, persist: true, args: ['--key-load-delay', '300'] }),
  'a server that loads its data',
  (server) => {
    test('is unavailable or waited for meanwhile, within the time limit, and then serves', async () => {
      const store = open({ url: server.url, timeoutMs: 200 });
      const eager = open({ client: connect(server.url, { enableReadyCheck: false }), timeoutMs: 2000 });
      await Promise.all(Array.from({ length: 4000 }, (_, n) => eager.set(`id${n}`, sessionWith({ n }))));
      const back = server.restart();
      await expect
        .poll(() => eager.get('id7').catch((error: unknown) => error), RECOVERY)
        .toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('LOADING') });
      const start = performance.now();
      const answer = await store.get('id7').catch(({ code }) => code);
      expect(performance.now() - start).toBeLessThan(1000);
      // It may be done by now.
      if (answer?.n !== 7) expect(answer).toBeOneOf(['TIMEOUT', 'UNAVAILABLE']);
      await back;
      for (const each of [store, eager])
        await expect.poll(() => each.get('id7').catch(() => null), RECOVERY).toMatchObject({ n: 7 });
    });
  },
);

describeOnServer('redis', 'the size of a session', ({ url }) => {
  test('may be a megabyte in an application', async () => {
    const store = open({ url, prefix: uniquePrefix() });
    const app = await serve(store);
    const alice = app.browser();
    await alice.go('/login/alice');
    expect((await alice.go('/size/1000000')).body).toBe('0');
    expect((await alice.go('/size/1000000')).body).toBe('1000000');
    expect((await alice.go('/')).body).toBe('alice 1');
  });

  test('may be 20 megabytes', async () => {
    const prefix = uniquePrefix();
    const store = open({ url, prefix, timeoutMs: 30_000 });
    await store.set('a', sessionWith({ text: 'x'.repeat(20_000_000) }));
    const loaded = await store.load('a');
    if (loaded === undefined) throw new Error('it is gone');
    expect(loaded.text?.length).toBe(20_000_000);
    loaded.text += 'x';
    await store.set('a', loaded);
    expect(await connect(url).strlen(`${prefix}a`)).toBeGreaterThan(20_000_000);
    await store.destroy('a');
  });

  test('is refused beyond the limit of Redis before anything is sent, and the old session stays', async () => {
    const prefix = uniquePrefix();
    const client = connect(url);
    const backend = backendOn(client, prefix);
    await backend.write('a', 'old', 60_000, 'always', caller);
    const tooLarge = '€'.repeat((512 * 1024 * 1024) / 3 + 1);
    await expect(backend.write('a', tooLarge, 60_000, 'always', caller)).rejects.toMatchObject({
      code: 'TOO_LARGE',
      mayHaveHappened: false,
    });
    expect((await backend.read('a', caller))?.data).toBe('old');
  });
});
