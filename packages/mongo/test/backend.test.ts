import { caller, collect, type Place, testBackend, testSweep } from '@session-stores/test-kit';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { MongoClient } from 'mongodb';
import { afterAll, describe, expect, test } from 'vitest';
import { backendOn, connect, uniqueName } from './helpers.js';

const MINUTE = 60_000;

describeOnServer('mongo', 'the backend', ({ url }) => {
  const setUp = () => backendOn(connect(url));

  const dbName = uniqueName();
  afterAll(async () => {
    const client = new MongoClient(url);
    await client.db(dbName).dropDatabase();
    await client.close();
  });

  function place(expiry: 'native' | 'sweep' = 'native'): Place {
    const client = connect(url);
    const options = { dbName, collectionName: uniqueName(), expiry };
    const { backend, documents } = backendOn(client, options);
    const beside = { dbName, collectionName: `${options.collectionName}2` };
    return {
      here: backend,
      there: backendOn(connect(url), options).backend,
      neighbours: () => [backendOn(client, beside).backend, backendOn(client).backend],
      records: () => documents.countDocuments(),
    };
  }

  testBackend(place);
  describe('that sweeps', () => testSweep(() => place('sweep')));

  test('keeps the text and the deadline in the fields of connect-mongo', async () => {
    const { backend, documents } = setUp();
    await backend.write('a', '{"n":1}', MINUTE, 'always', caller);
    expect(await documents.findOne()).toEqual({ _id: 'a', session: '{"n":1}', expires: expect.any(Date) });
  });

  test('takes documents without `expires` for sessions that do not end', async () => {
    const { backend, documents } = setUp();
    await documents.insertOne({ _id: 'a', session: 'text' });
    const endless = { data: 'text', ttl: Number.POSITIVE_INFINITY };
    expect(await backend.read('a', caller)).toEqual(endless);
    expect(await collect(backend.entries(caller))).toEqual([{ id: 'a', ...endless }]);
    expect(await backend.count(caller)).toBe(1);
    expect(await backend.touch('a', MINUTE, 'extend', caller)).toBe(true);
    expect(await documents.findOne()).toEqual({ _id: 'a', session: 'text' });
    expect(await backend.touch('a', MINUTE, 'set', caller)).toBe(true);
    expect((await backend.read('a', caller))?.ttl).toBeLessThanOrEqual(MINUTE);
  });

  test.each([
    ['null', null],
    ['a number', Date.now() + MINUTE],
    ['text', '2999-01-01'],
  ])('takes documents whose `expires` is %s for none, and lists the others', async (_, expires) => {
    const { backend, documents } = setUp();
    await documents.insertOne({ _id: 'a', session: 'text', expires });
    await backend.write('b', 'text', MINUTE, 'always', caller);
    expect(await backend.read('a', caller)).toBeUndefined();
    expect(await backend.count(caller)).toBe(1);
    expect((await collect(backend.entries(caller))).map(({ id }) => id)).toEqual(['b']);
  });

  test.each([
    ['none', {}],
    ['null', { session: null }],
    ['a number', { session: 1 }],
  ])('gives documents whose session is %s as text that is none, and writes over them', async (_, fields) => {
    const { backend, documents } = setUp();
    await documents.insertOne({ _id: 'a', ...fields });
    expect(JSON.parse((await backend.read('a', caller))?.data || 'null')).not.toBeTypeOf('string');
    expect(await backend.write('a', 'text', MINUTE, 'exists', caller)).toBe(true);
    expect((await backend.read('a', caller))?.data).toBe('text');
  });

  test('leaves alone what else a document holds', async () => {
    const { backend, documents } = setUp();
    const createdAt = new Date();
    await documents.insertOne({ _id: 'a', session: 'old', createdAt });
    await backend.write('a', 'new', MINUTE, 'always', caller);
    await backend.touch('a', 2 * MINUTE, 'set', caller);
    expect(await documents.findOne()).toMatchObject({ session: 'new', createdAt });
  });

  test('removes what never ends', async () => {
    const { backend, documents } = setUp();
    await documents.insertOne({ _id: 'for ever', session: 'text' });
    expect(await backend.remove('for ever', caller)).toBe(true);
    expect(await documents.countDocuments()).toBe(0);
  });
});
