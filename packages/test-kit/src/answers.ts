import type { Caller, SessionStore, StoreError } from '@session-stores/core';
import { expect } from 'vitest';
import { sessionWith } from './sessions.js';

/** A call that has all the time that a test has. */
export const caller: Caller = { check() {}, progress() {}, timeLeft: () => 20_000, wait: (ready) => ready };

/** Every member of a stream. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of stream) all.push(each);
  return all;
}

/** The error that a call is answered with, and how many milliseconds that took. */
export async function failure(call: Promise<unknown>): Promise<StoreError & { after: number }> {
  const start = performance.now();
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error, 'the call should have failed').toBeInstanceOf(Error);
  return Object.assign(error as StoreError, { after: performance.now() - start });
}

/** Waits until a store serves (again): it then has a session `alive`. The slowest client looks for its server every second. */
export async function untilItWorks(store: SessionStore): Promise<void> {
  const works = () =>
    store.set('alive', sessionWith()).then(
      () => true,
      () => false,
    );
  await expect.poll(works, { timeout: 10_000, interval: 20 }).toBe(true);
}
