import { failure, sessionWith } from '@session-stores/test-kit';
import { expect, test } from 'vitest';
import type { SQLiteStore } from '../src/index.js';
import { connect, open, uniqueFile } from './helpers.js';

/** A store, and another connection that is writing to its file. */
async function setUp(timeoutMs: number) {
  const file = uniqueFile();
  const store = open({ file, timeoutMs });
  for (const id of ['a', 'b']) await store.set(id, sessionWith({ text: 'old' }));
  const locker = connect(file);
  locker.exec('BEGIN IMMEDIATE');
  return { file, store, locker };
}

const writes: Record<string, (store: SQLiteStore) => Promise<unknown>> = {
  set: (store) => store.set('a', sessionWith({ text: 'new' })),
  'set of a new one': (store) => store.set('c', sessionWith()),
  touch: (store) => store.touch('a', sessionWith({}, 1000_000)),
  destroy: (store) => store.destroy('a'),
  clear: (store) => store.clear(),
  sweep: (store) => store.sweep(),
};

test('while another process writes, sessions are read, and the process is not held up', async () => {
  const { store, locker } = await setUp(20_000);
  const written = Promise.all(Object.values(writes).map((write) => write(store)));
  const start = performance.now();
  for (let n = 0; n < 20; n++) {
    expect(await store.get('b')).toMatchObject({ text: 'old' });
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(performance.now() - start).toBeLessThan(5000);
  expect(await store.length()).toBe(2);
  locker.exec('COMMIT');
  await written;
  expect(await store.length()).toBe(0);
});

test.each(Object.entries(writes))(
  'what was answered with an error is not done later: %s',
  async (_, write) => {
    const { file, store, locker } = await setUp(200);
    const rows = () => connect(file).prepare('SELECT * FROM sessions').all();
    const before = rows();
    const error = await failure(write(store));
    expect(error).toMatchObject({ code: 'TIMEOUT', mayHaveHappened: false });
    locker.exec('COMMIT');
    await store.set('d', sessionWith());
    await store.destroy('d');
    expect(rows()).toEqual(before);
  },
);

test('calls on one id take effect in their order, however many wait', async () => {
  const { store, locker } = await setUp(20_000);
  const calls = Array.from({ length: 500 }, (_, n) => store.set('a', sessionWith({ n })));
  const others = Array.from({ length: 500 }, (_, n) => store.set(`id${n}`, sessionWith()));
  locker.exec('COMMIT');
  await Promise.all([...calls, ...others]);
  expect(await store.get('a')).toMatchObject({ n: 499 });
  expect(await store.length()).toBe(502);
});
