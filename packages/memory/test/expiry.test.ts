import { beforeEach, describe, expect, test, vi } from 'vitest';
import { MemoryStore } from '../src/index.js';
import { ids, lasting, requestFor, stopTime } from './helpers.js';

beforeEach(() => stopTime());

test('a session is there until the last millisecond, and then for nobody', async () => {
  const store = new MemoryStore();
  await store.set('a', lasting(1_000, { n: 1 }));
  const session = await requestFor(store, 'a');
  await vi.advanceTimersByTimeAsync(999);
  expect(await store.get('a')).toMatchObject({ n: 1 });
  expect([await ids(store), await store.length()]).toEqual([['a'], 1]);
  await vi.advanceTimersByTimeAsync(1);
  expect([await ids(store), await store.length()]).toEqual([[], 0]);
  expect(await store.get('a')).toBeNull();
  await store.touch('a', lasting(1_000));
  await store.touch('a', session);
  await store.set('a', session);
  session.n = 2;
  await store.set('a', session);
  expect(await store.get('a')).toBeNull();
});

test('touch and set move the deadline', async () => {
  const store = new MemoryStore();
  for (const [id, move] of Object.entries({
    set: () => store.set('set', lasting(1_000)),
    touch: () => store.touch('touch', lasting(1_000)),
  })) {
    await store.set(id, lasting(500));
    await vi.advanceTimersByTimeAsync(400);
    await move();
    await vi.advanceTimersByTimeAsync(999);
    expect(await store.get(id)).not.toBeNull();
    await vi.advanceTimersByTimeAsync(1);
    expect(await store.get(id)).toBeNull();
  }
});

test('touch moves it to an earlier moment too', async () => {
  const store = new MemoryStore();
  await store.set('a', lasting(60_000));
  await store.touch('a', lasting(500));
  await vi.advanceTimersByTimeAsync(500);
  expect(await store.get('a')).toBeNull();
});

test("a request's touch moves it to a later moment only", async () => {
  const store = new MemoryStore({ touchAfter: 0 });
  await store.set('a', lasting(1_000));
  const session = await requestFor(store, 'a');
  await store.touch('a', lasting(60_000));
  await store.touch('a', session);
  await vi.advanceTimersByTimeAsync(59_999);
  expect(await store.get('a')).not.toBeNull();
});

test('get tells how long the session has left', async () => {
  const store = new MemoryStore();
  await store.set('a', lasting(1_000));
  await vi.advanceTimersByTimeAsync(400);
  expect((await store.load('a'))?.cookie.maxAge).toBe(600);
});

describe.each(['forward', 'back'])('the clock of the machine is set %s', (way) => {
  test('and neither ends a session nor revives one', async () => {
    const store = new MemoryStore();
    await store.set('lives', lasting(60_000));
    await store.set('ended', lasting(1_000));
    await vi.advanceTimersByTimeAsync(1_000);
    vi.setSystemTime(Date.now() + (way === 'forward' ? 1 : -1) * 10 * 365 * 86_400_000);
    expect(await ids(store)).toEqual(['lives']);
    expect(await store.get('ended')).toBeNull();
    expect((await store.load('lives'))?.cookie.maxAge).toBe(59_000);
    await vi.advanceTimersByTimeAsync(58_999);
    expect(await store.get('lives')).not.toBeNull();
    await vi.advanceTimersByTimeAsync(1);
    expect(await store.get('lives')).toBeNull();
  });
});
