import assert, { AssertionError } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import session from 'express-session';
import { type App, type Routes, type SessionOptions, serve } from './app.js';
import type { Answer, AnyStore, Callback, Subject } from './harness.js';
import { Inconclusive, Unsupported } from './requirement.js';

/** How long a store may take to answer one call before the suite calls it silent. */
const ANSWER_MS = 5_000;
/** How much later than its end, beyond the grain, a session may still be seen: the time a loaded machine needs. */
const LATE_MS = 1_000;
export const HOUR = 3_600_000;

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
    assert.ok(isSession(value), `get answered with ${show(value)} instead of a session with a cookie`);
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
  attempt(method: Method, ...args: readonly unknown[]): Promise<Outcome> {
    this.needs(method);
    return answerOf(method, (callback) => this.invoke(method, ...args, callback));
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

/** What a requirement works with: a fresh store, its operations, and tools to make sessions and to watch time pass. */
export class Context extends Calls {
  /** How coarse the store's deadlines are, in milliseconds. */
  readonly grainMs: number;
  /** A lifetime that is short to wait for and long enough to act within, in milliseconds. */
  readonly short: number;
  readonly subject: Subject;
  readonly #onEnd: (() => Answer<unknown>)[] = [];
  readonly #newSubject: () => Promise<Subject>;

  /** @param patience Multiplies `short`, after a machine proved too slow for it. */
  constructor(subject: Subject, newSubject: () => Promise<Subject>, patience: number) {
    super(subject.store);
    this.subject = subject;
    this.#newSubject = newSubject;
    this.grainMs = subject.grainMs ?? 1_000;
    this.short = (150 + 2 * this.grainMs) * patience;
    this.#onEnd.push(() => subject.cleanUp?.(subject.store));
  }

  /** A fresh id of the kind that express-session makes. */
  sid(): string {
    return randomUUID().replaceAll('-', '_');
  }

  /** A session as an application would store it, with express-session's own cookie. `maxAge` is in milliseconds. */
  session(data: Record<string, unknown> = {}, maxAge: number | null = HOUR): SessionData {
    const cookie = new session.Cookie();
    Object.assign(cookie, { maxAge });
    Object.assign(cookie, { originalMaxAge: maxAge });
    return { ...data, cookie: cookie as SessionCookie };
  }

  /** A second store on the same data, over another connection. */
  async other(): Promise<Calls> {
    const { subject } = this;
    if (!subject.connect) throw new Unsupported('the harness has no second connection');
    const store = await subject.connect();
    this.#onEnd.push(() => subject.cleanUp?.(store));
    return new Calls(store);
  }

  /** A store that shares nothing with this one, made by the harness like this one. */
  async stranger(): Promise<Calls> {
    const subject = await this.#newSubject();
    this.#onEnd.push(() => subject.cleanUp?.(subject.store));
    return new Calls(subject.store);
  }

  /** Milliseconds until a session ends, as the server says; `undefined` when it has no such session. */
  async deadline(sid: string): Promise<number | undefined> {
    if (!this.subject.deadline) throw new Unsupported("the harness cannot read the server's deadlines");
    return this.subject.deadline(sid);
  }

  /** Loads a session onto a new request, as the middleware does; fails when there is none. */
  async load(sid: string, store: AnyStore = this.store): Promise<LiveRequest> {
    const found = await new Calls(store).get(sid);
    assert.ok(found, 'the session that was just stored is not there');
    const req: Partial<LiveRequest> = { sessionID: sid, sessionStore: store };
    store.createSession(req, found);
    return req as LiveRequest;
  }

  /** A real HTTP server with stock express-session on this store. It ends with the requirement. */
  async app(options: SessionOptions, routes: Routes): Promise<App> {
    const app = await serve(this.store, options, routes);
    this.#onEnd.push(() => app.close());
    return app;
  }

  /** Polls until the condition holds; fails when it does not within `boundMs`. */
  async until(what: string, boundMs: number, condition: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + boundMs;
    while (!(await condition())) {
      if (Date.now() > end) assert.fail(`${what}: not so within ${boundMs} ms`);
      await delay(10);
    }
  }

  /** Asserts that a session is there before `end`, and gone after it. */
  async endsAt(sid: string, end: number): Promise<void> {
    assert.ok(await this.before(end, () => this.get(sid)), 'the session is not there before its end');
    await this.untilGone(sid, end);
  }

  /** Polls until a session is gone; fails when it is still there well after `end`. */
  async untilGone(sid: string, end: number): Promise<void> {
    const bound = Math.max(0, end - Date.now()) + this.grainMs + LATE_MS;
    await this.until('the session has ended', bound, async () => (await this.get(sid)) === null);
  }

  /**
   * Waits until this moment has passed, the grain included, without touching the store. Lifetimes may count from when
   * the server was reached: to be sure that a session has ended, count from when `set` answered.
   */
  async past(moment: number): Promise<void> {
    while (Date.now() <= moment + this.grainMs) await delay(moment + this.grainMs + 1 - Date.now());
  }

  /** Runs a step whose outcome, result or error, says something only when it came before `end`. */
  async before<T>(end: number, step: () => Promise<T>): Promise<T> {
    const [outcome] = await Promise.allSettled([step()]);
    const late = Date.now() - (end - this.grainMs);
    if (late >= 0) throw new Inconclusive(`a step ended ${late} ms too late to say anything`);
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }

  /** Releases what the requirement used. */
  async end(): Promise<void> {
    for (const release of this.#onEnd.reverse()) await release();
  }
}

/** How something that takes a callback answers: by it, or by throwing. Silence is a failed assertion. */
export function answerOf(what: string, call: (callback: Callback) => unknown): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const silent = new AssertionError({ message: `${what} did not call back within ${ANSWER_MS} ms` });
    const timer = setTimeout(reject, ANSWER_MS, silent);
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

/** When a session ends, in milliseconds since 1970. */
export function endOf({ cookie }: SessionData): number {
  assert.ok(cookie.expires, 'the cookie has no expires');
  return new Date(cookie.expires).getTime();
}

/** Asserts that a session was found and has these values, `undefined` for none; what else it holds is not judged. */
export function holds(found: object | null, expected: Readonly<Record<string, unknown>>, when = ''): void {
  assert.ok(found, `${when} the session is not there`.trim());
  const seen = Object.fromEntries(Object.keys(expected).map((key) => [key, Reflect.get(found, key)]));
  assert.deepEqual(seen, expected, `${when && `${when}: `}expected ${show(expected)}, got ${show(seen)}`);
}

/** Short, for evidence. */
export function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  const text =
    typeof value === 'string' ? value : inspect(value, { depth: 5, breakLength: Number.POSITIVE_INFINITY });
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function isSession(value: unknown): value is SessionData {
  return typeof value === 'object' && value !== null && 'cookie' in value && typeof value.cookie === 'object';
}
