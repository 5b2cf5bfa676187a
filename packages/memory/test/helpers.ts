import type { Request } from 'express';
import type { SessionData } from 'express-session';
import { vi } from 'vitest';
import type { MemoryStore } from '../src/index.js';

declare module 'express-session' {
  interface SessionData {
    n?: number;
    note?: unknown;
  }
}

/** A plain session that lives for so many milliseconds. */
export function lasting(maxAge: number, data: Partial<SessionData> = {}): SessionData {
  const expires = new Date(Date.now() + maxAge);
  return { ...data, cookie: { originalMaxAge: maxAge, expires, path: '/' } };
}

/** A request that came with the cookie of a stored session. */
export async function requestFor(store: MemoryStore, id: string) {
  const data = await store.get(id);
  if (data === null) throw new Error('there is no such session');
  const request: object = { sessionID: id, sessionStore: store };
  return store.createSession(request as Request, data);
}

/** Time passes only when the test says so; `Date`, the machine's clock that people set, stays out of it. */
export function stopTime(): () => void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  return () => vi.useRealTimers();
}

export async function ids(store: MemoryStore): Promise<string[]> {
  return (await store.all()).map(({ id }) => id);
}
