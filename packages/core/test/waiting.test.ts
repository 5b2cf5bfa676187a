import { beforeEach, describe, expect, test, vi } from 'vitest';
import { BackendError } from '../src/index.js';
import { held, newRequest, plain, requestFor, settled, setUp } from './helpers.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
  return () => vi.useRealTimers();
});

/** A backend that waits for a connection before it sends anything. */
function waiting() {
  const connection = held();
  const between: typeof connection.between = async (_call, act, caller) => {
    await caller.wait(connection.promise);
    return act();
  };
  return { between, connected: connection.release };
}

describe('a call whose time runs out while it waits for a connection', () => {
  test('has certainly changed nothing, and is not sent later', async () => {
    const { backend, store } = setUp({ timeoutMs: 100 });
    const { between, connected } = waiting();
    backend.next('write', between);
    const set = store.set('a', plain({ n: 1 }));
    const failed = expect(set).rejects.toMatchObject({ code: 'TIMEOUT', mayHaveHappened: false });
    await vi.advanceTimersByTimeAsync(100);
    await failed;
    connected();
    await settled();
    expect(backend.text('a')).toBeUndefined();
  });

  test('leaves a new session new: the next save creates it', async () => {
    const { backend, store } = setUp({ timeoutMs: 100 });
    const { between, connected } = waiting();
    backend.next('write', between);
    const { sessionID, session } = newRequest(store);
    session.n = 1;
    const failed = expect(store.set(sessionID, session)).rejects.toMatchObject({ code: 'TIMEOUT' });
    await vi.advanceTimersByTimeAsync(100);
    await failed;
    connected();
    await store.set(sessionID, session);
    expect(backend.json(sessionID)).toMatchObject({ n: 1 });
    expect(store.announced.filter(([event]) => event === 'discarded')).toEqual([]);
  });

  test('leaves a loaded session as it was loaded: the next save is no conflict', async () => {
    const { backend, store } = setUp({ timeoutMs: 100, conflicts: 'reject' });
    backend.put('a', plain({ n: 1 }));
    const { session } = await requestFor(store, 'a');
    const { between, connected } = waiting();
    backend.next('write', between);
    session.n = 2;
    const failed = expect(store.set('a', session)).rejects.toMatchObject({ code: 'TIMEOUT' });
    await vi.advanceTimersByTimeAsync(100);
    await failed;
    connected();
    session.n = 3;
    await store.set('a', session);
    expect(backend.json('a')).toMatchObject({ n: 3 });
  });
});

test('clear may have happened once a page is done, whatever ends it', async () => {
  const { backend, store } = setUp();
  const refusal = new BackendError('no connection', { code: 'UNAVAILABLE', mayHaveHappened: false });
  backend.next('clear', (_call, _act, caller) => {
    caller.progress();
    throw refusal;
  });
  await expect(store.clear()).rejects.toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: true });
  backend.next('clear', () => {
    throw refusal;
  });
  await expect(store.clear()).rejects.toMatchObject({ code: 'UNAVAILABLE', mayHaveHappened: false });
});

test('close waits no longer than the time limit for a walk over many pages', async () => {
  const { backend, store } = setUp({ timeoutMs: 100 });
  backend.next('clear', async (_call, act, caller) => {
    for (let page = 0; page < 100; page += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      caller.progress();
    }
    return act();
  });
  const cleared = store.clear();
  const closed = store.close();
  await vi.advanceTimersByTimeAsync(100);
  await closed;
  expect(backend.calls.at(-1)).toBe('close');
  await vi.advanceTimersByTimeAsync(5000);
  await cleared;
});

test('a session that never ends on the server has the end that its settings give', async () => {
  const { backend, store } = setUp();
  backend.put('a', plain({}, 5000), Number.POSITIVE_INFINITY);
  const { cookie } = (await store.get('a')) ?? plain();
  expect(cookie.expires).toEqual(new Date(Date.now() + 5000));
});
