import session, { type Session, type SessionData } from 'express-session';
import { expect, expectTypeOf, test } from 'vitest';
import type { Backend, ListedSession, StoreError } from '../src/index.js';
import { MapBackend, plain, setUp, TestStore } from './helpers.js';

test('express-session takes the store', () => {
  const { store } = setUp();
  expectTypeOf(store).toExtend<session.Store>();
  expect(session({ store, secret: 'test', resave: false, saveUninitialized: false })).toBeTypeOf('function');
});

test('promises, typed', async () => {
  const { store } = setUp();
  const found = await store.get('a');
  expectTypeOf(found).toEqualTypeOf<SessionData | null>();
  expectTypeOf(await store.all()).toEqualTypeOf<ListedSession[]>();
  expectTypeOf(await store.length()).toEqualTypeOf<number>();
  expectTypeOf(await store.sweep()).toEqualTypeOf<number>();
  expectTypeOf(await store.load('a')).toEqualTypeOf<(Session & SessionData) | undefined>();
  for (const nothing of [
    await store.set('a', plain()),
    await store.touch('a', plain()),
    await store.destroy('a'),
    await store.clear(),
  ]) {
    expectTypeOf(nothing).toEqualTypeOf<void>();
  }
  for await (const { id, cookie } of store.entries()) {
    expectTypeOf(id).toEqualTypeOf<string>();
    expectTypeOf(cookie).toEqualTypeOf<session.Cookie>();
  }
  expectTypeOf(await store.close()).toEqualTypeOf<void>();
});

test('callbacks, typed', () => {
  const { store } = setUp();
  store.get('a', (error, found) => {
    expectTypeOf(error).toEqualTypeOf<StoreError | null>();
    expectTypeOf(found).toEqualTypeOf<SessionData | null | undefined>();
  });
  store.length((_error, count) => expectTypeOf(count).toEqualTypeOf<number | undefined>());
  store.set('a', plain(), (error) => expectTypeOf(error).toEqualTypeOf<StoreError | null>());
  expectTypeOf(store.get('a', () => {})).toEqualTypeOf<void>();
  expectTypeOf(store.destroy('a', () => {})).toEqualTypeOf<void>();
  store.destroy('a', undefined);
});

test('misuse does not compile', () => {
  const { store } = setUp();
  const misuse = () => {
    // @ts-expect-error an id is a string
    void store.get(1);
    // @ts-expect-error a session has a cookie
    void store.set('a', { n: 1 });
    // @ts-expect-error a session is wanted
    void store.set('a');
    // @ts-expect-error a callback is a function
    store.destroy('a', 'later');
    // @ts-expect-error a typo
    new TestStore(new MapBackend(), { tll: 1 });
    // @ts-expect-error a number of seconds
    new TestStore(new MapBackend(), { ttl: '60' });
    // @ts-expect-error one of three
    new TestStore(new MapBackend(), { conflicts: 'ignore' });
    // @ts-expect-error stringify answers at once
    new TestStore(new MapBackend(), { serializer: { stringify: async () => '', parse: JSON.parse } });
    // @ts-expect-error a backend has all methods
    const incomplete: Backend = { name: 'x' };
    return incomplete;
  };
  expect(misuse).toBeTypeOf('function');
});
