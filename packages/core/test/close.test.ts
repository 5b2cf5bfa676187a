import { beforeEach, describe, expect, test, vi } from 'vitest';
import { dropped, held, MapBackend, plain, runModule, settled, setUp, silent, TestStore } from './helpers.js';

test('close ends the backend, once', async () => {
  const { backend, store } = setUp();
  await Promise.all([store.close(), store.close()]);
  await store.close();
  expect(backend.calls).toEqual(['close']);
});

test('close waits for the calls under way, those in the queue as well', async () => {
  const { backend, store } = setUp();
  const gate = held();
  backend.next('write', gate.between);
  const calls = [store.set('a', plain({ n: 1 })), store.set('a', plain({ n: 2 })), store.length()];
  const closed = store.close();
  await settled();
  expect(backend.calls).toEqual(['write a always', 'count']);
  gate.release();
  await closed;
  await Promise.all(calls);
  expect(backend.calls.at(-1)).toBe('close');
  expect(backend.json('a')).toMatchObject({ n: 2 });
});

test('calls after it are answered with CLOSED, also before it is done', async () => {
  const { backend, store } = setUp();
  const gate = held();
  backend.next('count', gate.between);
  const length = store.length();
  const list = store.entries();
  const closed = store.close();
  for (let when = 0; when < 2; when += 1) {
    const calls = {
      get: store.get('a'),
      set: store.set('a', plain()),
      touch: store.touch('a', plain()),
      destroy: store.destroy('a'),
      all: store.all(),
      length: store.length(),
      clear: store.clear(),
      sweep: store.sweep(),
    };
    for (const [operation, call] of Object.entries(calls)) {
      await expect(call).rejects.toMatchObject({ code: 'CLOSED', operation, mayHaveHappened: false });
    }
    gate.release();
    await closed;
  }
  await expect(list.next()).rejects.toMatchObject({ code: 'CLOSED', operation: 'entries' });
  await length;
  expect(backend.calls).toEqual(['count', 'close']);
});

test('a list that is under way ends with CLOSED', async () => {
  const { backend, store } = setUp();
  backend.put('a', plain());
  backend.put('b', plain());
  const list = store.entries();
  expect(await list.next()).toMatchObject({ done: false });
  await store.close();
  await expect(list.next()).rejects.toMatchObject({ code: 'CLOSED' });
});

test('an error of the backend is answered to every caller of close', async () => {
  const { backend, store } = setUp();
  backend.between = dropped;
  await expect(store.close()).rejects.toMatchObject({ code: 'BACKEND', operation: 'close' });
  await expect(new Promise((_, reject) => store.close(reject))).rejects.toMatchObject({ code: 'BACKEND' });
});

describe('with time passing', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
    return () => vi.useRealTimers();
  });

  test('close is answered in time by a server that is silent', async () => {
    const { backend, store } = setUp({ timeoutMs: 100 });
    backend.between = silent;
    const get = expect(store.get('a')).rejects.toMatchObject({ code: 'TIMEOUT' });
    const close = expect(store.close()).rejects.toMatchObject({ code: 'TIMEOUT', operation: 'close' });
    await vi.advanceTimersByTimeAsync(200);
    await Promise.all([get, close]);
  });

  test('no timer is left, and no sweep comes while it waits', async () => {
    class Sweeping extends MapBackend {
      sweep(): number {
        this.calls.push('sweep');
        return 0;
      }
    }
    const backend = new Sweeping();
    const store = new TestStore(backend, { sweepInterval: 1, timeoutMs: 60_000 });
    const gate = held();
    backend.next('read', gate.between);
    const get = store.get('a');
    const closed = store.close();
    await vi.advanceTimersByTimeAsync(10_000);
    gate.release();
    await Promise.all([get, closed]);
    expect(backend.calls).toEqual(['read a', 'close']);
    expect(store.announced).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a sweep that is under way at close is the last', async () => {
    const gate = held();
    class Sweeping extends MapBackend {
      async sweep(): Promise<number> {
        this.calls.push('sweep');
        await gate.promise;
        return 0;
      }
    }
    const backend = new Sweeping();
    const store = new TestStore(backend, { sweepInterval: 1 });
    await vi.advanceTimersByTimeAsync(2_000);
    const closed = store.close();
    gate.release();
    await closed;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(backend.calls).toEqual(['sweep', 'close']);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('neither an open store nor a call without an answer keeps the process alive', async () => {
  const result = await runModule(`
    import { SessionStore } from '@session-stores/core';
    const silent = () => new Promise(() => {});
    const backend = { name: 'child', capabilities: {}, read: silent, sweep: silent, close: silent };
    class TestStore extends SessionStore { constructor(options) { super(backend, options); } }
    const store = new TestStore({ sweepInterval: 0.001, timeoutMs: 3_600_000 });
    new TestStore({});
    store.get('a', () => console.log('never'));
    store.close(() => console.log('never'));
    console.log('done');
  `);
  expect(result).toEqual({ exitCode: 0, stdout: 'done\n', stderr: '' });
});
