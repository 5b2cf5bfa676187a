import assert, { AssertionError } from 'node:assert/strict';
import { inspect } from 'node:util';
import type { AnyStore, Callback } from './harness.js';
import { Unsupported } from './requirement.js';

/** How long a store may take to answer one call before the suite calls it silent. */
export const ANSWER_MS = 20_000;

export type Method = 'get' | 'set' | 'destroy' | 'touch' | 'all' | 'length' | 'clear';

/** How a store answered: with `error`, by its callback or thrown, or with `value`. */
export interface Outcome {
  readonly error?: unknown;
  readonly value?: unknown;
  readonly threw?: boolean;
}

export interface SessionCookie {
  originalMaxAge: number | null;
  maxAge?: number | null;
  expires?: Date | string | null;
  [setting: string]: unknown;
}

export interface SessionData {
  cookie: SessionCookie;
  [key: string]: unknown;
}

/** A session as the middleware puts it on a request. */
export interface LiveSession extends SessionData {
  readonly id: string;
  save(callback?: (error?: unknown) => void): LiveSession;
  reload(callback: (error?: unknown) => void): LiveSession;
  destroy(callback?: (error?: unknown) => void): LiveSession;
  regenerate(callback: (error?: unknown) => void): LiveSession;
  touch(): LiveSession;
}

/** A request as far as sessions are concerned. */
export interface LiveRequest {
  sessionID: string;
  sessionStore: AnyStore;
  session: LiveSession;
}

/** The seven operations of one store as promises. An error that a store answers with is a failed assertion. */
export class Calls {
  readonly store: AnyStore;

  constructor(store: AnyStore) {
    this.store = store;
  }

  /** The session, or `null` when the store has none. */
  async get(sid: string): Promise<SessionData | null> {
    const value = await this.#call('get', sid);
    if (value === null || value === undefined) return null;
    if (!isSession(value)) assert.fail(`get answered with ${show(value)} instead of a session with a cookie`);
    return value;
  }

  async set(sid: string, data: object): Promise<void> {
    await this.#call('set', sid, data);
  }

  async destroy(sid: string): Promise<void> {
    await this.#call('destroy', sid);
  }

  async touch(sid: string, data: object): Promise<void> {
    await this.#call('touch', sid, data);
  }

  /** All sessions; the object keyed by id that some stores answer with is taken as well as an array. */
  async all(): Promise<SessionData[]> {
    const value = await this.#call('all');
    assert.ok(typeof value === 'object' && value !== null, `all answered with ${show(value)}`);
    return Object.values(value);
  }

  async length(): Promise<unknown> {
    return this.#call('length');
  }

  async clear(): Promise<void> {
    await this.#call('clear');
  }

  /** Calls a method that may fail, and tells how it answered. */
  async attempt(method: Method, ...args: readonly unknown[]): Promise<Outcome> {
    this.needs(method);
    const outcome = await answerOf(method, (callback) => this.invoke(method, ...args, callback));
    return method === 'get' && isAbsence(outcome.error) ? { value: null } : outcome;
  }

  /** The bare call, with just these arguments. */
  invoke(method: Method, ...args: readonly unknown[]): unknown {
    const operation = this.store[method];
    if (typeof operation !== 'function') throw new Unsupported(`the store has no ${method}`);
    return Reflect.apply(operation, this.store, args);
  }

  /** Ends the requirement as unsupported when the store lacks a method. */
  needs(...methods: readonly Method[]): void {
    for (const method of methods) {
      if (typeof this.store[method] !== 'function') throw new Unsupported(`the store has no ${method}`);
    }
  }

  async #call(method: Method, ...args: readonly unknown[]): Promise<unknown> {
    const { error, value } = await this.attempt(method, ...args);
    if (error) assert.fail(`${method} answered with an error: ${show(error)}`);
    return value;
  }
}

/** There was no answer in all the time that there is for one. However slow the machine is, that is the store's failure. */
export class Silence extends AssertionError {
  constructor(message: string) {
    super({ message });
  }
}

/** How something that takes a callback answers: by it, or by throwing. Silence is a failed assertion. */
export function answerOf(
  what: string,
  call: (callback: Callback) => unknown,
  withinMs = ANSWER_MS,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Silence(`${what} did not call back within ${withinMs} ms`));
    }, withinMs);
    const answer = (outcome: Outcome) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    try {
      const returned = call((error, value) => answer({ error, value }));
      // A promise beside the callback is none of the contract; its rejection is judged where it is asked for.
      Promise.resolve(returned).catch(() => {});
    } catch (error) {
      answer({ error, threw: true });
    }
  });
}

/** Short, for evidence. */
export function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  const text =
    typeof value === 'string' ? value : inspect(value, { depth: 5, breakLength: Number.POSITIVE_INFINITY });
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** An error by which `get` may say that there is no such session: the contract makes a special case of it. */
function isAbsence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function isSession(value: unknown): value is SessionData {
  return typeof value === 'object' && value !== null && 'cookie' in value && typeof value.cookie === 'object';
}
