import { type SharedData, sessionWith, testMigration } from '@session-stores/test-kit';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import { RedisStore as ConnectRedis8 } from 'connect-redis';
import { RedisStore as ConnectRedis10 } from 'connect-redis-10';
import { createClient } from 'redis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect, open } from './helpers.js';

describeOnServer('redis', 'the data of connect-redis', ({ url }) => {
  /** A client of the package `redis`, closed after the test. */
  async function connectNodeRedis() {
    const client = await createClient({ url }).connect();
    onTestFinished(() => client.destroy());
    return client;
  }

  const peers = {
    'connect-redis 8 with ioredis': async (options: object) =>
      new ConnectRedis8({ client: connect(url), ...options }),
    'connect-redis 10 with node-redis': async (options: object) =>
      new ConnectRedis10({ client: await connectNodeRedis(), ...options }),
  };
  const variants = {
    'as it is by default': {},
    'with a serializer': {
      serializer: {
        stringify: (session: object) => Buffer.from(JSON.stringify(session)).toString('base64'),
        parse: (text: string) => JSON.parse(Buffer.from(text, 'base64').toString()),
      },
    },
  };

  describe.each(Object.entries(peers))('%s', (_, peer) => {
    describe.each(Object.entries(variants))('%s', (_, variant) => {
      testMigration(async (): Promise<SharedData> => {
        const client = connect(url);
        const prefix = uniquePrefix();
        const options = { prefix, ttl: 100, ...variant };
        return {
          theirs: await peer(options),
          ours: open({ client, ...options }),
          left: (id) => client.pttl(prefix + id),
          endIn: (id, ms) => client.pexpire(prefix + id, ms),
        };
      });
    });

    test('is stored as it stores it', async () => {
      const client = connect(url);
      const prefix = uniquePrefix();
      const theirs = await peer({ prefix });
      const session = { ...sessionWith({ user: 'żółć 🦊', n: 1 }), nothing: undefined };
      await open({ client, prefix }).set('ours', session);
      await theirs.set('theirs', session);
      const [ours, its] = await client.mget(`${prefix}ours`, `${prefix}theirs`);
      expect(JSON.parse(ours ?? '')).toEqual(JSON.parse(its ?? ''));
    });

    test('that never expires is read and listed', async () => {
      const client = connect(url);
      const prefix = uniquePrefix();
      const theirs = await peer({ prefix, disableTTL: true });
      await theirs.set('a', sessionWith({ user: 'alice' }));
      expect(await client.pttl(`${prefix}a`)).toBe(-1);
      const ours = open({ client, prefix });
      expect(await ours.get('a')).toMatchObject({ user: 'alice' });
      expect((await ours.all()).map(({ id }) => id)).toEqual(['a']);
    });
  });

  test('has the same default prefix', async () => {
    const client = connect(url, { keyPrefix: uniquePrefix() });
    const theirs = new ConnectRedis8({ client });
    await theirs.set('a', sessionWith({ user: 'alice' }));
    expect(await open({ client }).get('a')).toMatchObject({ user: 'alice' });
    await theirs.destroy('a');
  });
});
