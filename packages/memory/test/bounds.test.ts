import { beforeEach, describe, expect, test, vi } from 'vitest';
import { MemoryStore } from '../src/index.js';
import { ids, lasting, requestFor, stopTime } from './helpers.js';

describe('maxSessions', () => {
  async function full(maxSessions = 3) {
    const store = new MemoryStore({ maxSessions });
    for (const id of ['a', 'b', 'c'].slice(0, maxSessions)) await store.set(id, lasting(60_000));
    return store;
  }

  test('the least recently used session goes first', async () => {
    const store = await full();
    await store.set('d', lasting(60_000));
    expect(await ids(store)).toEqual(['b', 'c', 'd']);
  });

  test.each([
    ['get', (store: MemoryStore) => store.get('a')],
    ['set', (store: MemoryStore) => store.set('a', lasting(60_000))],
    ['touch', (store: MemoryStore) => store.touch('a', lasting(60_000))],
  ])('%s counts as use', async (_name, use) => {
    const store = await full();
    await use(store);
    await store.set('d', lasting(60_000));
    expect((await ids(store)).sort()).toEqual(['a', 'c', 'd']);
  });

  test('looking at all of them does not', async () => {
    const store = await full();
    const walk = store.entries();
    expect(await walk.next()).toMatchObject({ value: { id: 'a' } });
    await store.all();
    await store.length();
    await store.set('d', lasting(60_000));
    expect(await store.get('a')).toBeNull();
  });

  test('replacing one pushes no other out', async () => {
    const store = await full();
    await store.set('b', lasting(60_000, { n: 2 }));
    expect((await ids(store)).sort()).toEqual(['a', 'b', 'c']);
  });

  test('room that destroy made is used', async () => {
    const store = await full();
    await store.destroy('b');
    await store.set('d', lasting(60_000));
    expect(await ids(store)).toEqual(['a', 'c', 'd']);
  });

  test('one is enough', async () => {
    const store = await full(1);
    await store.set('b', lasting(60_000));
    expect(await ids(store)).toEqual(['b']);
  });

  test('a session that was pushed out is not brought back by a late save', async () => {
    const store = await full();
    const session = await requestFor(store, 'a');
    for (const id of ['d', 'e', 'f']) await store.set(id, lasting(60_000));
    session.n = 1;
    await store.set('a', session);
    expect(await ids(store)).toEqual(['d', 'e', 'f']);
  });

  test.each([0, -1, 1.5, '10', Number.POSITIVE_INFINITY])('is not %s', (maxSessions) => {
    expect(() => Reflect.construct(MemoryStore, [{ maxSessions }])).toThrow(
      'MemoryStore: option `maxSessions` must be a whole number from 1 up',
    );
  });
});

describe('options of other stores', () => {
  test.each([
    ['checkPeriod', '`sweepInterval`, in seconds'],
    ['max', '`maxSessions`'],
  ])('%s is answered with %s', (name, ours) => {
    expect(() => Reflect.construct(MemoryStore, [{ [name]: 1 }])).toThrow(ours);
  });
});

describe('the sweep', () => {
  beforeEach(() => stopTime());

  test('removes what has expired, and says how many', async () => {
    const store = new MemoryStore();
    for (let i = 0; i < 10; i += 1) await store.set(`short ${i}`, lasting(1_000));
    await store.set('long', lasting(60_000));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await store.sweep()).toBe(10);
    expect(await store.sweep()).toBe(0);
    expect(await ids(store)).toEqual(['long']);
  });

  test('comes by itself, about every sweepInterval', async () => {
    const store = new MemoryStore({ sweepInterval: 10 });
    for (let i = 0; i < 100; i += 1) await store.set(`${i}`, lasting(1_000));
    await vi.advanceTimersByTimeAsync(15_000);
    expect(await store.sweep(), 'nothing was left').toBe(0);
    await store.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('does not let other work wait, and spares what is used and made meanwhile', async () => {
    const store = new MemoryStore();
    const SESSIONS = 50_000;
    for (let i = 0; i < SESSIONS; i += 1) await store.set(`${i}`, lasting(i % 2 === 0 ? 1_000 : 60_000));
    await vi.advanceTimersByTimeAsync(1_000);
    let turns = 0;
    let swept: number | undefined;
    const sweep = store.sweep().then((count) => {
      swept = count;
    });
    while (swept === undefined) {
      await store.get(`${2 * turns + 1}`);
      await store.set(`new ${turns}`, lasting(60_000));
      turns += 1;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    await sweep;
    expect(turns).toBeGreaterThan(3);
    expect(swept).toBe(SESSIONS / 2);
    expect(await store.length()).toBe(SESSIONS / 2 + turns);
  });

  test('ends, however much the sessions are used meanwhile', async () => {
    const store = new MemoryStore();
    const all = Array.from({ length: 20_000 }, (_, i) => `${i}`);
    for (const id of all) await store.set(id, lasting(60_000));
    let ended = false;
    const sweep = store.sweep().then(() => {
      ended = true;
    });
    for (let turn = 0; turn < 5 && !ended; turn += 1) {
      await Promise.all(all.map((id) => store.get(id)));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect(ended).toBe(true);
    await sweep;
  });
});
