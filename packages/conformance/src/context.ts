import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import session from 'express-session';
import { type App, type Routes, type SessionOptions, serve } from './app.js';
import {
  ANSWER_MS,
  Calls,
  type LiveRequest,
  type Outcome,
  type SessionCookie,
  type SessionData,
  Silence,
  show,
} from './calls.js';
import { serveElsewhere } from './elsewhere.js';
import type { Answer, AnyStore, Capabilities, Interruptible, Subject } from './harness.js';
import { Inconclusive, Unsupported } from './requirement.js';
import { Site, serveVisits, type Visited } from './visits.js';

/** How much later than its end, beyond the grain, a session may still be seen: the time a loaded machine needs. */
const LATE_MS = 1_000;
export const HOUR = 3_600_000;

/** Where two requests of one session meet. */
export type Where = 'on one store' | 'over two connections' | 'in two processes';

/** What a requirement works with: a fresh store, its operations, and tools to make sessions and to watch time pass. */
export class Context extends Calls {
  /** What the store, or the harness for it, says that it can do. */
  readonly capabilities: Capabilities;
  /** How coarse the store's deadlines are, in milliseconds. */
  readonly grainMs: number;
  /** A lifetime that is short to wait for and long enough to act within, in milliseconds. */
  readonly short: number;
  readonly subject: Subject;
  readonly #onEnd: (() => Answer<unknown>)[] = [];
  readonly #newSubject: () => Promise<Subject>;

  /** @param patience Multiplies what `short` is beyond the grain, after a machine proved too slow for it. */
  constructor(subject: Subject, newSubject: () => Promise<Subject>, patience: number) {
    super(subject.store);
    this.subject = subject;
    this.#newSubject = newSubject;
    this.capabilities = { ...subject.capabilities, ...subject.store.capabilities };
    this.grainMs = this.capabilities.grainMs ?? 1_000;
    this.short = 150 * patience + 2 * this.grainMs;
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

  /** Stores a session, as a script would, and tells its id. */
  async stored(data: Record<string, unknown> = {}, maxAge: number | null = HOUR): Promise<string> {
    const sid = this.sid();
    await this.set(sid, this.session(data, maxAge));
    return sid;
  }

  /** A second store on the same data, over another connection. */
  async other(): Promise<Calls> {
    const { subject } = this;
    if (!subject.connect) throw new Unsupported('the harness has no second connection (`connect`)');
    const store = await subject.connect();
    this.#onEnd.push(() => subject.cleanUp?.(store));
    return new Calls(store);
  }

  /** A store whose server goes away and comes back. It is back when the requirement ends. */
  async interruptible(): Promise<Required<Interruptible>> {
    const { subject } = this;
    if (!subject.interruptible)
      throw new Unsupported('the harness has no connection that it could interrupt (`interruptible`)');
    const made = await subject.interruptible();
    const { store, withinMs = ANSWER_MS } = made;
    const restore = async () => void (await made.restore());
    this.#onEnd.push(() => subject.cleanUp?.(store));
    this.#onEnd.push(async () => {
      await restore();
      // The clean-up is spared a store that has not yet noticed; whether it does is judged where that is asked.
      const calls = new Calls(store);
      await this.untilWorking(() => calls.attempt('destroy', this.sid()), withinMs).catch(() => {});
    });
    return { store, interrupt: () => made.interrupt(), restore, withinMs };
  }

  /** Polls until a call to a store whose server is back is answered without an error. */
  untilWorking(call: () => Promise<Outcome>, boundMs: number): Promise<void> {
    return this.until('the server is back, and the store works', boundMs, async () => !(await call()).error);
  }

  /** A store that shares nothing with this one, made by the harness like this one. */
  async stranger(): Promise<Calls> {
    const subject = await this.#newSubject();
    this.#onEnd.push(() => subject.cleanUp?.(subject.store));
    return new Calls(subject.store);
  }

  /** Milliseconds until a session ends, as the server says; `undefined` when it has no such session. */
  async deadline(sid: string): Promise<number | undefined> {
    if (!this.subject.deadline)
      throw new Unsupported("the harness cannot read the server's deadlines (`deadline`)");
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

  /** Two applications on this data whose requests are led step by step. They end with the requirement. */
  async sites(where: Where, options: SessionOptions = {}): Promise<readonly [Site, Site]> {
    const here = this.#site(await serveVisits(this.store, options));
    if (where === 'on one store') return [here, here];
    if (where === 'over two connections') {
      const { store } = await this.other();
      return [here, this.#site(await serveVisits(store, options))];
    }
    if (this.capabilities.shared === false) {
      throw new Unsupported('the store says that it shares its sessions with no other process');
    }
    return [here, await this.elsewhere(options)];
  }

  /** An application on the store as another process opens it. */
  async elsewhere(options: SessionOptions = {}): Promise<Site> {
    const { elsewhere } = this.subject;
    if (!elsewhere)
      throw new Unsupported('the harness cannot open the store in another process (`elsewhere`)');
    return this.#site(await serveElsewhere({ ...elsewhere, session: options }));
  }

  #site(visited: Visited): Site {
    this.#onEnd.push(() => visited.close());
    return new Site(visited);
  }

  /** Polls until the condition holds; fails when it does not within `boundMs`. */
  async until(what: string, boundMs: number, condition: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + boundMs;
    while (!(await condition())) {
      if (Date.now() > end) assert.fail(`after ${boundMs} ms still not so: ${what}`);
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

  /** Runs a step whose outcome, result or error, says something only when it came before `end`; silence always does. */
  async before<T>(end: number, step: () => Promise<T>): Promise<T> {
    const [outcome] = await Promise.allSettled([step()]);
    if (outcome.status === 'rejected' && outcome.reason instanceof Silence) throw outcome.reason;
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
