import type { SessionStore } from '@session-stores/core';
import { failure, sessionWith, testLocked, writes } from '@session-stores/test-kit';
import { describe, expect, test } from 'vitest';
import { connect, open, uniqueFile } from './helpers.js';

/** A store with some sessions, and another connection to its file. */
async function setUp(timeoutMs: number) {
  const file = uniqueFile();
  const patient = open({ file, timeoutMs: 20_000 });
  for (const id of ['a', 'b', 'c']) await patient.set(id, sessionWith({ text: 'old' }));
  const store = open({ file, timeoutMs });
  // It has opened the file, which on a busy machine takes longer than a short limit.
  await expect.poll(() => store.length().catch(() => undefined), { timeout: 10_000 }).toBe(3);
  return { store, locker: connect(file) };
}

const sweep = (store: SessionStore) => store.sweep();

test('while another process writes, sessions are read, and the process is not held up', async () => {
  const { store, locker } = await setUp(20_000);
  locker.exec('BEGIN IMMEDIATE');
  const written = Promise.all([...Object.values(writes), sweep].map((write) => write(store)));
  const start = performance.now();
  for (let n = 0; n < 20; n++) {
    expect(await store.get('b')).toMatchObject({ text: 'old' });
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(performance.now() - start).toBeLessThan(5000);
  expect(await store.length()).toBe(3);
  locker.exec('COMMIT');
  await written;
  expect(await store.length()).toBe(0);
});

describe('while another process writes, a session', () => {
  testLocked(
    async (limit) => {
      const { store, locker } = await setUp(limit);
      return {
        store,
        lock() {
          locker.exec('BEGIN IMMEDIATE');
          return () => locker.exec('ROLLBACK');
        },
        rows: () => locker.prepare('SELECT * FROM sessions').all(),
        async settled() {
          // A change comes after those that wait.
          const answered = () => store.destroy('nobody').catch(() => 'not yet');
          await expect.poll(answered, { timeout: 10_000 }).toBeUndefined();
        },
      };
    },
    [200],
    { sweep },
  );

  test('is known not to have changed when time is up', async () => {
    const { store, locker } = await setUp(200);
    locker.exec('BEGIN IMMEDIATE');
    const error = await failure(store.destroy('a'));
    expect(error).toMatchObject({ code: 'TIMEOUT', mayHaveHappened: false });
  });
});

test('calls on one id take effect in their order, however many wait', async () => {
  const { store, locker } = await setUp(20_000);
  locker.exec('BEGIN IMMEDIATE');
  const calls = Array.from({ length: 500 }, (_, n) => store.set('a', sessionWith({ n })));
  const others = Array.from({ length: 500 }, (_, n) => store.set(`id${n}`, sessionWith()));
  locker.exec('COMMIT');
  await Promise.all([...calls, ...others]);
  expect(await store.get('a')).toMatchObject({ n: 499 });
  expect(await store.length()).toBe(503);
});
