import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { inspect } from 'node:util';
import { failure, sessionWith, testOptions } from '@session-stores/test-kit';
import { type OwnServer, startServer } from '@session-stores/test-servers';
import { describeOnServer, uniquePrefix } from '@session-stores/test-servers/vitest';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { RedisStore } from '../src/index.js';
import { connect, open } from './helpers.js';

describe('the options', () => {
  testOptions(RedisStore, [
    ['neither client nor url', {}, 'RedisStore: give either `client` or `url`, got neither'],
    ['no options', undefined, 'RedisStore: the options must be an object, got a value of type undefined'],
    ['another scheme', { url: 'http://:hunter2@host' }, 'option `url` must be a redis:// or rediss:// URL'],
    ['no scheme', { url: 'localhost:6379' }, 'option `url` must be a redis:// or rediss:// URL'],
    ['no host', { url: 'redis://' }, 'option `url` must be a redis:// or rediss:// URL'],
    ['a database that is no number', { url: 'redis://:hunter2@host/sessions' }, 'got a string'],
    ['a path', { url: 'redis:///var/run/redis.sock' }, 'option `url` must be'],
    ['a half-encoded password', { url: 'redis://:100%@host' }, 'option `url` must be'],
    ['a user that is not UTF-8', { url: 'redis://%ff:word@host' }, 'option `url` must be'],
    ['a query', { url: 'redis://host?maxRetriesPerRequest=20' }, 'option `url` must be'],
    ['an impossible port', { url: 'redis://host:99999' }, 'option `url` must be'],
    [
      'an empty prefix',
      { url: 'redis://host', prefix: '' },
      'option `prefix` must be a non-empty, well-formed string',
    ],
    ['a prefix with half a character', { url: 'redis://host', prefix: '\ud800' }, 'option `prefix` must be'],
    ['a prefix that is no string', { url: 'redis://host', prefix: 1 }, 'option `prefix` must be'],
    ['an unknown name', { url: 'redis://host', host: 'host' }, 'unknown option `host`: there are `client`'],
    ['a name of connect-redis', { url: 'redis://host', disableTouch: true }, 'use `touchAfter`, in seconds'],
    ['no client at all', { client: 'redis' }, "(the package redis has another client), got 'redis'"],
    [
      'the client of the package `redis`',
      { client: createClient() },
      'option `client` must be an ioredis Redis or Cluster (the',
    ],
    [
      'both client and url',
      { client: new Redis({ lazyConnect: true }), url: 'redis://host' },
      'RedisStore: give either `client` or `url`, got both',
    ],
  ]);
});

test('a rediss:// URL speaks TLS from the first byte, with a host that is not trusted no further', async () => {
  const received: Buffer[] = [];
  const listener = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      received.push(bytes);
      socket.end('-ERR this is no TLS\r\n');
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  onTestFinished(() => void listener.close());
  const { port } = listener.address() as AddressInfo;

  const error = await failure(open({ url: `rediss://:hunter2@127.0.0.1:${port}` }).get('a'));
  expect(error.code).toBe('UNAVAILABLE');
  expect(String(error.cause)).toMatch(/SSL|TLS/);
  expect(received[0]?.subarray(0, 2)).toEqual(Buffer.from([0x16, 0x03]));
  expect(Buffer.concat(received).includes('hunter2')).toBe(false);
});

describeOnServer('redis', 'the options on a server', ({ url }) => {
  test('take a prefix, which keeps stores apart', async () => {
    const client = connect(url);
    const [one, two] = [uniquePrefix(), uniquePrefix()].map((prefix) => open({ client, prefix }));
    await one?.set('a', sessionWith({ user: 'alice' }));
    expect(await two?.get('a')).toBeNull();
    await two?.clear();
    expect(await one?.get('a')).toMatchObject({ user: 'alice' });
  });
});

const PASSWORD = 'p@ss: /?#%word';

async function startWithPassword(): Promise<OwnServer> {
  const server = await startServer('redis', { private: true });
  const client = new Redis(server.url);
  await client.config('SET', 'requirepass', PASSWORD);
  client.disconnect();
  return server;
}

describeOnServer(startWithPassword, 'the URL of a server with a password', (server) => {
  const url = (password: string, database = '') =>
    server.url.replace('//', `//:${encodeURIComponent(password)}@`) + database;

  test('opens it with the password and the database that it names', async () => {
    const store = open({ url: url(PASSWORD, '/3') });
    await store.set('a', sessionWith({ user: 'alice' }));
    expect(await store.get('a')).toMatchObject({ user: 'alice' });
    const look = connect(url(PASSWORD, '/3'));
    expect(await look.exists('sess:a')).toBe(1);
  });

  test('says what is wrong with a password, and does not show it', async () => {
    for (const store of [
      open({ url: url('hunter2hunter2') }),
      open({ client: connect(url('hunter2hunter2')) }),
    ]) {
      for (const error of [await failure(store.get('a')), await failure(store.set('a', sessionWith()))]) {
        expect(error).toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
        expect(error.cause).toMatchObject({ message: expect.stringContaining('WRONGPASS') });
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
      }
    }
  });

  test('says what is wrong where a password is missing', async () => {
    const error = await failure(open({ url: server.url }).get('a'));
    expect(`${error.message} ${error.cause}`).toContain('NOAUTH');
  });

  test('is refused with a reason where it names a database that is not there', async () => {
    const store = open({ url: url(PASSWORD, '/9999') });
    const error = await failure(store.set('a', sessionWith()));
    expect(`${error.message} ${error.cause}`).toContain('DB index is out of range');
    expect(await connect(url(PASSWORD)).dbsize()).toBe(0);
  });
});
