import { beforeEach, describe, expect, test, vi } from 'vitest';
import { dropped, MapBackend, plain, settled, setUp, silent, TestStore } from './helpers.js';

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

test('all gives the live sessions, each with its id, and entries streams the same', async () => {
  const { backend, store } = setUp();
  backend.put('a', plain({ n: 1 }));
  backend.put('gone', plain({ n: 2 }), -1);
  backend.put('b', { ...plain({ n: 3 }), id: 'not its id' });
  const expected = [expect.objectContaining({ id: 'a', n: 1 }), expect.objectContaining({ id: 'b', n: 3 })];
  expect(await store.all()).toEqual(expected);
  expect(await collect(store.entries())).toEqual(expected);
  expect(await store.length()).toBe(2);
});

test('an empty store', async () => {
  const { store } = setUp();
  expect(await store.all()).toEqual([]);
  expect(await store.length()).toBe(0);
  await store.clear();
});

test('clear ends all sessions', async () => {
  const { backend, store } = setUp();
  for (const id of ['a', 'b', 'c']) backend.put(id, plain());
  await store.clear();
  expect(await store.length()).toBe(0);
  expect(await store.get('a')).toBeNull();
});

test('text that is no session is passed over and announced', async () => {
  const { backend, store } = setUp();
  backend.put('bad one', 'nonsense');
  backend.put('good', plain({ n: 1 }));
  backend.put('bad two', '{}');
  const list = store.entries();
  expect(await collect(list)).toMatchObject([{ id: 'good' }]);
  expect(await store.all()).toMatchObject([{ id: 'good' }]);
  await settled();
  const corrupt = (operation: string) => ['failed', expect.objectContaining({ code: 'CORRUPT', operation })];
  expect(store.announced).toEqual([corrupt('entries'), corrupt('entries'), corrupt('all'), corrupt('all')]);
});

test('an error of the consumer is its own, and ends the stream', async () => {
  const { backend, store } = setUp();
  let ended = false;
  backend.entries = async function* () {
    try {
      for (const id of ['a', 'b']) yield { id, data: JSON.stringify(plain()), ttl: 1_000 };
    } finally {
      ended = true;
    }
  };
  const consumer = async () => {
    for await (const _session of store.entries()) throw new Error("the consumer's own");
  };
  await expect(consumer()).rejects.toThrow("the consumer's own");
  await settled();
  expect(ended).toBe(true);
  expect(store.announced).toEqual([]);
});

test('a consumer that stops early stops the backend', async () => {
  const { backend, store } = setUp();
  let pages = 0;
  backend.entries = async function* () {
    for (;;) {
      pages += 1;
      yield { id: `${pages}`, data: JSON.stringify(plain()), ttl: 1_000 };
    }
  };
  for await (const { id } of store.entries()) if (id === '3') break;
  await settled();
  expect(pages).toBe(3);
});

test('nothing is asked before the first session is wanted', async () => {
  const { backend, store } = setUp();
  store.entries();
  await settled();
  expect(backend.calls).toEqual([]);
});

test.each(['all', 'entries'] as const)('%s that fails is an error of the store', async (operation) => {
  const { backend, store } = setUp();
  backend.between = dropped;
  const list = operation === 'all' ? store.all() : collect(store.entries());
  await expect(list).rejects.toMatchObject({ code: 'BACKEND', operation, mayHaveHappened: false });
});

describe('with time passing', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
    return () => vi.useRealTimers();
  });

  test('a long list has the time limit for each page, and the consumer may take its time', async () => {
    const { backend, store } = setUp({ timeoutMs: 100 });
    backend.entries = async function* (caller) {
      for (let page = 1; page <= 3; page += 1) {
        await vi.advanceTimersByTimeAsync(60);
        caller.progress();
        await vi.advanceTimersByTimeAsync(60);
        yield { id: `${page}`, data: JSON.stringify(plain()), ttl: 1_000 };
      }
      await new Promise(() => {});
    };
    const seen: string[] = [];
    const walk = (async () => {
      for await (const { id } of store.entries()) {
        seen.push(id);
        await vi.advanceTimersByTimeAsync(1_000);
      }
    })();
    const stuck = expect(walk).rejects.toMatchObject({ code: 'TIMEOUT', operation: 'entries' });
    while (seen.length < 3) await settled();
    await settled();
    await vi.advanceTimersByTimeAsync(100);
    await stuck;
    expect(seen).toEqual(['1', '2', '3']);
  });

  test('a page that never comes is a TIMEOUT, and giving up does not hang on it', async () => {
    const { backend, store } = setUp({ timeoutMs: 100 });
    backend.between = silent;
    const all = expect(store.all()).rejects.toMatchObject({ code: 'TIMEOUT', operation: 'all' });
    await vi.advanceTimersByTimeAsync(100);
    await all;
  });

  class Sweeping extends MapBackend {
    sweeps = 0;
    fail = false;
    sweep(): number {
      this.sweeps += 1;
      if (this.fail) throw new Error('sweep failed');
      return 7;
    }
  }

  test('sweep is called by the application and by a timer, every 60 seconds give or take a half', async () => {
    const backend = new Sweeping();
    const store = new TestStore(backend);
    expect(await store.sweep()).toBe(7);
    backend.sweeps = 0;
    await vi.advanceTimersByTimeAsync(29_999);
    expect(backend.sweeps).toBe(0);
    await vi.advanceTimersByTimeAsync(60_001);
    expect(backend.sweeps).toBeGreaterThanOrEqual(1);
    await vi.advanceTimersByTimeAsync(900_000);
    expect(backend.sweeps).toBeGreaterThanOrEqual(11);
    expect(backend.sweeps).toBeLessThanOrEqual(33);
    await store.close();
  });

  test('sweepInterval is in seconds', async () => {
    const backend = new Sweeping();
    const store = new TestStore(backend, { sweepInterval: 0.1 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(backend.sweeps).toBeGreaterThanOrEqual(66);
    expect(backend.sweeps).toBeLessThanOrEqual(200);
    await store.close();
  });

  test('a sweep that fails is announced, and the next one comes', async () => {
    const backend = new Sweeping();
    backend.fail = true;
    const store = new TestStore(backend, { sweepInterval: 1 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(backend.sweeps).toBeGreaterThan(3);
    expect(store.announced).toHaveLength(backend.sweeps);
    expect(store.announced[0]).toEqual([
      'failed',
      expect.objectContaining({ code: 'BACKEND', operation: 'sweep' }),
    ]);
    await store.close();
  });

  test('a backend whose server sweeps has no timer, and sweep answers 0', async () => {
    const { store } = setUp();
    expect(vi.getTimerCount()).toBe(0);
    expect(await store.sweep()).toBe(0);
  });
});
