import { inspect } from 'node:util';
import { failure, sessionWith, testOptions } from '@session-stores/test-kit';
import { startServer } from '@session-stores/test-servers';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { MongoClient } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { MongoStore } from '../src/index.js';
import { connect, open, uniqueName } from './helpers.js';

describe('the options', () => {
  const url = 'mongodb://host';
  testOptions(MongoStore, [
    ['neither client nor url', {}, 'MongoStore: give either `client` or `url`, got neither'],
    ['no options', undefined, 'MongoStore: the options must be an object, got a value of type undefined'],
    ['another scheme', { url: 'http://host' }, 'option `url` must be a mongodb:// or mongodb+srv:// URL'],
    ['no scheme', { url: 'localhost:27017' }, 'option `url` must be a mongodb:// or mongodb+srv:// URL'],
    ['no host', { url: 'mongodb://' }, 'option `url` must be'],
    ['an impossible port', { url: 'mongodb://host:99999' }, 'option `url` is refused by the driver'],
    ['a URL with an option that is none', { url: `${url}/?nonsense=1` }, 'nonsense'],
    ['a database name that is none', { url, dbName: 'a.b' }, 'option `dbName` must be a database name'],
    ['an empty collection name', { url, collectionName: '' }, 'option `collectionName` must be'],
    ['a dollar in a collection name', { url, collectionName: 'a$b' }, 'option `collectionName` must be'],
    ['an expiry that is none', { url, expiry: 'ttl' }, "option `expiry` must be 'native' or 'sweep'"],
    ['an interval without sweeps', { url, sweepInterval: 60 }, "`sweepInterval` goes with `expiry: 'sweep'`"],
    ['a short interval', { url, expiry: 'sweep', sweepInterval: 0 }, 'option `sweepInterval` must be'],
    ['an unknown name', { url, host: 'host' }, 'unknown option `host`: there are `client`'],
    ['the URL of connect-mongo', { mongoUrl: url }, 'unknown option `mongoUrl`: use `url`'],
    ['the removal of connect-mongo', { url, autoRemove: 'disabled' }, 'use `expiry`'],
    ['the client of connect-mongo', { clientPromise: 1 }, 'use `client`'],
    ['no client at all', { client: 'x' }, 'option `client` must be a MongoClient or a promise of one'],
    ['both client and url', { client: new MongoClient(url), url }, 'give either `client` or `url`, got both'],
  ]);

  test.each([
    'http://alice:hunter2@host',
    'mongodb://alice:hunter2@host:port',
    'mongodb://alice:hunter2@host:99999',
    'mongodb://alice:hunter2@host/?nonsense=1',
    'mongodb://alice:hunter2@ho st',
    'mongodb://alice:hunter2@hunter2@host',
    'mongodb://alice:hunter2%@host',
    'mongodb://hunter2',
    'mongodb+srv://alice:hunter2@host:1',
    'mongodb+srv://alice:hunter2@host,other',
  ])('never show what a URL holds: %s', async (wrong) => {
    let error: unknown;
    try {
      await open({ url: wrong, timeoutMs: 200 }).get('a');
    } catch (failed) {
      error = failed;
    }
    expect(error).toBeInstanceOf(Error);
    if (wrong !== 'mongodb://hunter2')
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
  });
});

describeOnServer('mongo', 'the options on a server', ({ url }) => {
  test('name the database and the collection', async () => {
    const dbName = uniqueName();
    const client = connect(url);
    await open({ url, dbName, collectionName: 'my.sessions' }).set('a', sessionWith({ user: 'alice' }));
    expect(await client.db(dbName).collection('my.sessions').countDocuments()).toBe(1);
    await client.db(dbName).dropDatabase();
  });

  test('take the database that the URL names, and `sessions`', async () => {
    const dbName = uniqueName();
    const named = new URL(url);
    named.pathname = dbName;
    await open({ url: named.href }).set('a', sessionWith({ user: 'alice' }));
    const database = connect(url).db(dbName);
    expect(await database.collection('sessions').countDocuments()).toBe(1);
    await database.dropDatabase();
  });

  test('declare who expires sessions', () => {
    expect(open({ url }).capabilities).toEqual({ shared: true, nativeExpiry: true, grainMs: 1 });
    expect(open({ url, expiry: 'sweep' }).capabilities.nativeExpiry).toBe(false);
  });
});

const PASSWORD = 'p@ss: /?#%word';

async function startWithPassword() {
  const server = await startServer('mongo', { private: true, args: ['--auth'] });
  const client = new MongoClient(server.url);
  const admin = client.db('admin');
  const roles = (...names: string[]) => names.map((role) => ({ role, db: 'app' }));
  await admin.command({ createUser: 'root', pwd: PASSWORD, roles: ['root'] });
  await client.close();

  const root = new MongoClient(urlOf(server.url, 'root', PASSWORD));
  const app = root.db('app');
  const documents = { db: 'app', collection: 'sessions' };
  await app.command({
    createRole: 'writer',
    roles: [],
    privileges: [{ resource: documents, actions: ['find', 'insert', 'update', 'remove'] }],
  });
  await app.command({
    createRole: 'looker',
    roles: [],
    privileges: [{ resource: documents, actions: ['find', 'insert', 'update', 'remove', 'listIndexes'] }],
  });
  const grant = (user: string, role: string) =>
    root.db('admin').command({ createUser: user, pwd: PASSWORD, roles: roles(role) });
  await grant('owner', 'readWrite');
  await grant('reader', 'read');
  await grant('writer', 'writer');
  await grant('looker', 'looker');
  await root.close();
  return server;
}

function urlOf(url: string, user: string, password: string): string {
  const login = `//${user}:${encodeURIComponent(password)}@`;
  return url.replace('//', login).replace('/?', '/app?authSource=admin&');
}

describeOnServer(startWithPassword, 'a server with users', (server) => {
  const as = (user: string) => open({ url: urlOf(server.url, user, PASSWORD) });

  test('is opened with the password in the URL', async () => {
    const store = as('owner');
    await store.set('a', sessionWith({ user: 'alice' }));
    expect(await store.get('a')).toMatchObject({ user: 'alice' });
  });

  test('is served to a user who may not make the index once it is there', async () => {
    await as('owner').length();
    const store = as('looker');
    await store.set('b', sessionWith({ user: 'bob' }));
    expect(await store.get('b')).toMatchObject({ user: 'bob' });
    await store.destroy('b');
  });

  test('says what is wrong with a password, and does not show it', async () => {
    const wrong = urlOf(server.url, 'owner', 'hunter2hunter2');
    for (const store of [open({ url: wrong }), open({ client: connect(wrong) })]) {
      for (const error of [await failure(store.get('a')), await failure(store.set('a', sessionWith()))]) {
        expect(error).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
        expect(error.message).toContain('Authentication failed');
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
      }
    }
  });

  test('says what a user may not do', async () => {
    await as('owner').set('a', sessionWith({ user: 'alice' }));
    const reader = as('reader');
    expect(await reader.get('a')).toMatchObject({ user: 'alice' });
    const error = await failure(reader.set('a', sessionWith({ user: 'bob' })));
    expect(error).toMatchObject({ code: 'BACKEND', mayHaveHappened: false });
    expect(error.message).toContain('not authorized on app to execute command');
    expect(inspect(error, { depth: 9 })).not.toContain('bob');
    expect(await reader.get('a')).toMatchObject({ user: 'alice' });
    expect((await failure(as('writer').get('a'))).message).toContain('listIndexes');
  });
});
