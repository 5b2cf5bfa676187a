import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { SessionStore } from '../src/index.js';
import { dropped, held, newRequest, plain, refused, runModule, settled, setUp } from './helpers.js';

type Callback = (error: unknown, result?: unknown) => void;

const operations: Record<string, (store: SessionStore, callback?: Callback) => unknown> = {
  get: (store, callback) => Reflect.apply(store.get, store, ['a', callback]),
  set: (store, callback) => Reflect.apply(store.set, store, ['a', plain({ n: 1 }), callback]),
  touch: (store, callback) => Reflect.apply(store.touch, store, ['a', plain(), callback]),
  destroy: (store, callback) => Reflect.apply(store.destroy, store, ['a', callback]),
  all: (store, callback) => Reflect.apply(store.all, store, [callback]),
  length: (store, callback) => Reflect.apply(store.length, store, [callback]),
  clear: (store, callback) => Reflect.apply(store.clear, store, [callback]),
  sweep: (store, callback) => Reflect.apply(store.sweep, store, [callback]),
  load: (store, callback) => Reflect.apply(store.load, store, ['a', callback]),
  close: (store, callback) => Reflect.apply(store.close, store, [callback]),
  regenerate: (store, callback) => Reflect.apply(store.regenerate, store, [newRequest(store), callback]),
};
/** `sweep` asks a backend only where the backend has one. */
const failing = Object.entries(operations).filter(([name]) => name !== 'sweep');

describe.each(Object.entries(operations))('%s', (_name, operation) => {
  test('answers a callback once, after it has returned', async () => {
    const { store } = setUp();
    const answers: unknown[][] = [];
    let returned = false;
    const result = operation(store, (...args) => answers.push([returned, ...args]));
    returned = true;
    expect(result).toBeUndefined();
    await settled();
    expect(answers).toHaveLength(1);
    expect(answers[0]?.slice(0, 2)).toEqual([true, null]);
  });

  test.each([undefined, null])('gives a promise when the callback is %s', async (none) => {
    const { store } = setUp();
    const result = Reflect.apply(operation, undefined, [store, none]);
    expect(result).toBeInstanceOf(Promise);
    await result;
  });

  test('refuses what is no function, and does nothing', async () => {
    const { backend, store } = setUp();
    expect(() => Reflect.apply(operation, undefined, [store, 'later'])).toThrow(
      'the callback must be a function, got string',
    );
    await settled();
    expect(backend.calls).toEqual([]);
  });
});

describe.each(failing)('%s that fails', (name, operation) => {
  test('answers a callback once, with the error', async () => {
    const { backend, store } = setUp();
    backend.between = refused;
    const answers: unknown[][] = [];
    operation(store, (...args) => answers.push(args));
    expect(answers).toEqual([]);
    await settled();
    expect(answers).toEqual([[expect.objectContaining({ name: 'StoreError', code: 'UNAVAILABLE' })]]);
    expect(store.announced, 'who is answered needs no event').toEqual([]);
  });

  test('rejects its promise and announces the error once', async () => {
    const { backend, store } = setUp();
    backend.between = refused;
    const operationNames = { load: 'get', regenerate: 'destroy' };
    const expected = expect.objectContaining({
      code: 'UNAVAILABLE',
      operation: Reflect.get(operationNames, name) ?? name,
    });
    await expect(operation(store)).rejects.toEqual(expected);
    await settled();
    expect(store.announced).toEqual([['failed', expected]]);
  });
});

test('a backend may answer at once or later', async () => {
  const { backend, store } = setUp();
  backend.between = (_call, act) => act();
  await store.set('a', plain({ n: 1 }));
  backend.between = async (_call, act) => {
    await nextTurn();
    return act();
  };
  expect(await store.get('a')).toMatchObject({ n: 1 });
});

test('a session that is not there is null', async () => {
  const { store } = setUp();
  expect(await store.get('nobody')).toBeNull();
  await expect(new Promise((resolve) => store.get('nobody', (...args) => resolve(args)))).resolves.toEqual([
    null,
    null,
  ]);
  expect(await store.load('nobody')).toBeUndefined();
});

test('regenerate gives a new session even when the old one could not be ended', async () => {
  const { backend, store } = setUp();
  const request = newRequest(store);
  const old = request.session;
  backend.between = dropped;
  await expect(store.regenerate(request)).rejects.toMatchObject({ operation: 'destroy' });
  expect(request.session).not.toBe(old);
  expect(request.session.id).not.toBe(old.id);
});

test('a listener that throws is an uncaught exception and harms no call', async () => {
  const { stdout } = await runModule(`${childBackend}
    process.on('uncaughtException', (error, origin) => console.log(origin, error.message));
    const failing = new TestStore(new Failing());
    failing.on('failed', () => { throw new Error('from failed'); });
    await failing.destroy('a').catch((error) => console.log('rejected', error.code));
    const working = new TestStore(new Working());
    working.on('discarded', () => { throw new Error('from discarded'); });
    const session = await working.load('a');
    Working.prototype.touch = () => false;
    await working.set('a', session);
    console.log('saved');
    await new Promise(setImmediate);
  `);
  expect(lines(stdout).sort()).toEqual([
    'rejected BACKEND',
    'saved',
    'uncaughtException from discarded',
    'uncaughtException from failed',
  ]);
});

test('a callback that throws is an uncaught exception and is not called again', async () => {
  const { stdout } = await runModule(`${childBackend}
    process.on('uncaughtException', (error) => console.log('uncaught', error.message));
    process.on('unhandledRejection', (error) => console.log('unhandled', error.message));
    const session = { cookie: {} };
    for (const [kind, Backend] of Object.entries({ Working, Failing })) {
      const store = new TestStore(new Backend());
      const calls = [['get', 'a'], ['set', 'a', session], ['touch', 'a', session], ['destroy', 'a'], ['load', 'a'],
        ['all'], ['length'], ['clear'], ['sweep'], ['close']];
      for (const [method, ...args] of calls) {
        store[method](...args, () => { throw new Error(kind + ' ' + method); });
        await new Promise(setImmediate);
      }
    }
  `);
  const methods = ['get', 'set', 'touch', 'destroy', 'load', 'all', 'length', 'clear', 'sweep', 'close'];
  expect(lines(stdout)).toEqual(
    ['Working', 'Failing'].flatMap((kind) => methods.map((method) => `uncaught ${kind} ${method}`)),
  );
});

test('a failing call without a callback does not end the process', async () => {
  const result = await runModule(`${childBackend}
    const store = new TestStore(new Failing());
    const session = { cookie: {} };
    store.destroy('a', undefined);
    store.destroy('', null);
    store.set('a', session);
    store.set('a', null);
    store.touch('a', session);
    store.get('a');
    store.load('a');
    store.all();
    store.length();
    store.clear();
    store.regenerate({ sessionID: 'a' });
    store.close();
    setTimeout(() => console.log('still here'), 10);
    store.generate = () => {};
  `);
  expect(result).toEqual({ exitCode: 0, stdout: 'still here\n', stderr: '' });
});

test('announces a late save and a late touch, with the id masked', async () => {
  const { store } = setUp({ touchAfter: 0 });
  await store.set('a-secret-id', plain({ n: 1 }, 60_000));
  const session = await store.load('a-secret-id');
  await store.destroy('a-secret-id');
  session?.save();
  if (session) {
    await store.touch('a-secret-id', session);
    session.n = 2;
    await store.set('a-secret-id', session);
  }
  await settled();
  const discarded = (operation: string) => [
    'discarded',
    { operation, session: expect.stringMatching(/^#[0-9a-f]{8}$/) },
  ];
  expect(store.announced).toEqual([discarded('set'), discarded('touch'), discarded('set')]);
});

test('a call waits for nothing but its own answer', async () => {
  const { backend, store } = setUp();
  const gate = held();
  backend.next('count', gate.between);
  const slow = store.length();
  expect(await store.get('a')).toBeNull();
  gate.release();
  expect(await slow).toBe(0);
});

const childBackend = `
  import { SessionStore } from '@session-stores/core';
  class TestStore extends SessionStore { constructor(backend) { super(backend, {}); } }
  class Working {
    name = 'child';
    capabilities = { shared: false, nativeExpiry: true, grainMs: 1 };
    read() { return { data: '{"cookie":{}}', ttl: 1000 }; }
    write() { return true; }
    touch() { return true; }
    remove() { return true; }
    async *entries() {}
    count() { return 0; }
    clear() {}
    sweep() { return 0; }
    close() {}
  }
  class Failing extends Working {
    read() { throw new Error('down'); }
    write() { throw new Error('down'); }
    async touch() { throw new Error('down'); }
    async remove() { throw new Error('down'); }
    async *entries() { throw new Error('down'); }
    async count() { throw new Error('down'); }
    async clear() { throw new Error('down'); }
    async sweep() { throw new Error('down'); }
    async close() { throw new Error('down'); }
  }
`;

function lines(stdout: string): string[] {
  return stdout.split('\n').filter((line) => line !== '');
}
