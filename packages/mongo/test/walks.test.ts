import type { Caller } from '@session-stores/core';
import { caller, collect, sessionWith } from '@session-stores/test-kit';
import { describeOnServer } from '@session-stores/test-servers/vitest';
import { expect, test } from 'vitest';
import { backendOn, connect, open } from './helpers.js';

const MINUTE = 60_000;

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `id${index}`);
}

/** Documents as they are stored, which end in `ms` from now. */
function documentsOf(ids: readonly string[], ms: number, text = 'text') {
  return ids.map((_id) => ({ _id, session: text, expires: new Date(Date.now() + ms) }));
}

describeOnServer('mongo', 'what goes over all sessions', ({ url }) => {
  test('finds each session once, with its text and the time it has left', async () => {
    const { backend, documents } = backendOn(connect(url));
    await documents.insertMany([
      ...documentsOf(numbered(12_000), MINUTE),
      ...documentsOf(['ended'], -1),
      { _id: 'for ever', session: 'text' },
    ]);
    const entries = await collect(backend.entries(caller));
    expect(entries.map(({ id }) => id).sort()).toEqual([...numbered(12_000), 'for ever'].sort());
    expect(entries.every(({ data, ttl }) => data === 'text' && ttl > 0)).toBe(true);
    expect(await backend.count(caller)).toBe(12_001);
    await backend.clear(caller);
    expect(await documents.countDocuments()).toBe(0);
    expect(await backend.count(caller)).toBe(0);
    expect(await collect(backend.entries(caller))).toEqual([]);
  });

  test('finds each once while all of them are touched', async () => {
    const { backend, documents } = backendOn(connect(url));
    await documents.insertMany(documentsOf(numbered(1500), MINUTE));
    const seen: string[] = [];
    for await (const { id } of backend.entries(caller)) {
      seen.push(id);
      if (seen.length % 100 === 0) {
        await documents.updateMany({}, { $set: { expires: new Date(Date.now() + MINUTE + seen.length) } });
      }
    }
    expect(seen.sort()).toEqual(numbered(1500).sort());
  });

  test('holds a bounded part of large sessions in memory, and finds them all', async () => {
    const { backend, documents } = backendOn(connect(url));
    const text = 'x'.repeat(1_000_000);
    for (const id of numbered(60)) await documents.insertMany(documentsOf([id], MINUTE, text));
    const start = process.memoryUsage().rss;
    let [found, most] = [0, start];
    for await (const { data } of backend.entries(caller)) {
      found += data.length / text.length;
      most = Math.max(most, process.memoryUsage().rss);
    }
    expect(found).toBe(60);
    // A page is 16 MB at most, here several times: as received, as text, and as what was not collected yet.
    expect(most - start).toBeLessThan(300_000_000);
  });

  test('begins its time limit anew with each page', async () => {
    const { backend, documents } = backendOn(connect(url));
    await documents.insertMany(documentsOf(numbered(12_000), MINUTE));
    let pages = 0;
    const counting: Caller = { ...caller, progress: () => pages++ };
    await backend.count(counting);
    expect(pages).toBe(2);
    await backend.clear(counting);
    expect(pages).toBe(4);
  });

  test('stops when its caller has been answered', async () => {
    const { backend, documents } = backendOn(connect(url));
    await documents.insertMany(documentsOf(numbered(6000), MINUTE));
    const over: Caller = {
      ...caller,
      progress() {
        throw new Error('over');
      },
    };
    await expect(backend.clear(over)).rejects.toThrow('over');
    expect(await documents.countDocuments()).toBe(1000);
  });

  test('leaves other collections and databases alone', async () => {
    const client = connect(url);
    const { dbName, documents } = backendOn(client);
    const store = open({ client, dbName });
    const neighbour = open({ client, dbName, collectionName: 'sessions2' });
    const elsewhere = open({ client, dbName: backendOn(client).dbName });
    for (const each of [store, neighbour, elsewhere]) await each.set('a', sessionWith({ user: 'alice' }));
    expect(await store.length()).toBe(1);
    expect(await store.all()).toHaveLength(1);
    await store.clear();
    expect(await documents.countDocuments()).toBe(0);
    for (const each of [neighbour, elsewhere]) expect(await each.get('a')).toMatchObject({ user: 'alice' });
  });

  test('passes over documents whose id is no string', async () => {
    const client = connect(url);
    const { dbName, backend, documents } = backendOn(client);
    await client.db(dbName).collection<{ _id: number }>('sessions').insertOne({ _id: 1 });
    await documents.insertMany(documentsOf(['a'], MINUTE));
    expect(await backend.count(caller)).toBe(1);
    expect((await collect(backend.entries(caller))).map(({ id }) => id)).toEqual(['a']);
    await backend.clear(caller);
    expect(await documents.countDocuments()).toBe(1);
  });
});

describeOnServer('mongo', 'sweeping', ({ url }) => {
  test('deletes what has ended, in batches, and nothing else', async () => {
    const { backend, documents } = backendOn(connect(url), { expiry: 'sweep' });
    await documents.insertMany([
      ...documentsOf(numbered(1200), -1),
      ...documentsOf(['live'], MINUTE),
      { _id: 'for ever', session: 'text' },
      { _id: 'null', session: 'text', expires: null },
    ]);
    let batches = 0;
    expect(await backend.sweep?.({ ...caller, progress: () => batches++ })).toBe(1200);
    expect(batches).toBe(3);
    expect((await documents.find().toArray()).map(({ _id }) => _id).sort()).toEqual([
      'for ever',
      'live',
      'null',
    ]);
    expect(await backend.sweep?.(caller)).toBe(0);
  });

  test('goes by the index', async () => {
    const client = connect(url, { monitorCommands: true });
    const { backend, documents } = backendOn(client, { expiry: 'sweep' });
    await documents.insertMany([...documentsOf(numbered(2000), MINUTE), ...documentsOf(['ended'], -1)]);
    await backend.count(caller);
    const filters: object[] = [];
    client.on('commandStarted', ({ commandName, command }) => {
      if (commandName === 'find') filters.push(command['filter']);
    });
    await backend.sweep?.(caller);
    const { executionStats } = await documents.find(filters[0] ?? {}).explain('executionStats');
    expect(executionStats.totalDocsExamined).toBeLessThan(10);
  });

  test('is done by the store again and again', async () => {
    const client = connect(url);
    const { dbName, documents } = backendOn(client);
    const store = open({ client, dbName, expiry: 'sweep', sweepInterval: 0.05 });
    for (let round = 0; round < 3; round++) {
      await documents.insertMany(documentsOf([`id${round}`], -1));
      await expect.poll(() => documents.countDocuments(), { timeout: 5000, interval: 10 }).toBe(0);
    }
    expect(await store.sweep()).toBe(0);
  });
});
