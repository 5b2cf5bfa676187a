import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import express, { type Request, type Response } from 'express';
import session, { type Session, type SessionData, type SessionOptions } from 'express-session';
import { onTestFinished } from 'vitest';
import {
  type Answer,
  type Backend,
  BackendError,
  type Caller,
  checkOptions,
  rule,
  SessionStore,
  type StoredSession,
  type StoreEvents,
  type StoreOptions,
  type SweepOptions,
  type WriteCondition,
} from '../src/index.js';

declare module 'express-session' {
  interface SessionData {
    n?: number;
    user?: string;
    note?: unknown;
  }
}

/** What stands between a call and its answer. */
type Between = <T>(call: string, act: () => T, caller: Caller) => Answer<T>;

/** The other side of the `Backend` interface on a Map, whose answers a test can hold, lose or turn into errors. */
export class MapBackend implements Backend {
  readonly name: string = 'map';
  readonly capabilities = { shared: false, nativeExpiry: true, grainMs: 1 };
  readonly rows = new Map<string, { data: string; deadline: number }>();
  /** What was asked, in order: `read a`, `write a exists`, `touch a extend 1000`, … */
  readonly calls: string[] = [];
  between: Between = (_call, act) => act();
  readonly #planned: { start: string; between: Between }[] = [];

  /** The next call that starts so, and only that one, is answered in another way. */
  next(start: string, between: Between): void {
    this.#planned.push({ start, between });
  }

  /** The calls since the last time that this was asked. */
  takeCalls(): string[] {
    return this.calls.splice(0);
  }

  text(id: string): string | undefined {
    return this.#live(id)?.data;
  }

  json(id: string): Record<string, unknown> | undefined {
    const data = this.text(id);
    return data === undefined ? undefined : JSON.parse(data);
  }

  /** Rounded: for comparing lifetimes, not instants. */
  ttl(id: string): number | undefined {
    const row = this.#live(id);
    return row && Math.round(row.deadline - performance.now());
  }

  put(id: string, data: string | object, ttl = 60_000): void {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    this.rows.set(id, { data: text, deadline: performance.now() + ttl });
  }

  read(id: string, caller: Caller): Answer<StoredSession | undefined> {
    return this.#ask(`read ${id}`, caller, () => {
      const row = this.#live(id);
      return row && { data: row.data, ttl: row.deadline - performance.now() };
    });
  }

  write(id: string, data: string, ttl: number, when: WriteCondition, caller: Caller): Answer<boolean> {
    return this.#ask(`write ${id} ${typeof when === 'string' ? when : 'equals'}`, caller, () => {
      const row = this.#live(id);
      if (when === 'exists' && row === undefined) return false;
      if (typeof when === 'object' && row?.data !== when.equals) return false;
      this.put(id, data, ttl);
      return true;
    });
  }

  touch(id: string, ttl: number, how: 'set' | 'extend', caller: Caller): Answer<boolean> {
    return this.#ask(`touch ${id} ${how} ${ttl}`, caller, () => {
      const row = this.#live(id);
      if (row === undefined) return false;
      const deadline = performance.now() + ttl;
      row.deadline = how === 'extend' ? Math.max(row.deadline, deadline) : deadline;
      return true;
    });
  }

  remove(id: string, caller: Caller): Answer<boolean> {
    return this.#ask(`remove ${id}`, caller, () => this.rows.delete(id));
  }

  async *entries(caller: Caller): AsyncGenerator<StoredSession & { id: string }> {
    for (const id of await this.#ask('entries', caller, () => [...this.rows.keys()])) {
      const row = this.#live(id);
      if (row !== undefined) yield { id, data: row.data, ttl: row.deadline - performance.now() };
    }
  }

  count(caller: Caller): Answer<number> {
    return this.#ask('count', caller, () => [...this.rows.keys()].filter((id) => this.#live(id)).length);
  }

  clear(caller: Caller): Answer<void> {
    return this.#ask('clear', caller, () => this.rows.clear());
  }

  close(): Answer<void> {
    return this.#ask(
      'close',
      { check() {}, progress() {}, timeLeft: () => 0, wait: (ready) => ready },
      () => undefined,
    );
  }

  #ask<T>(call: string, caller: Caller, act: () => T): Answer<T> {
    this.calls.push(call);
    const index = this.#planned.findIndex(({ start }) => call.startsWith(start));
    const [planned] = index < 0 ? [] : this.#planned.splice(index, 1);
    return (planned?.between ?? this.between)(call, act, caller);
  }

  #live(id: string) {
    const row = this.rows.get(id);
    return row !== undefined && row.deadline > performance.now() ? row : undefined;
  }
}

/** The server did it, and the answer was lost. */
export const lost: Between = (_call, act) => {
  act();
  throw new Error('the connection broke');
};

/** Nobody knows that the server did not do it. */
export const dropped: Between = () => {
  throw new Error('the connection broke');
};

/** The server certainly did not do it. */
export const refused: Between = () => {
  throw new BackendError('no connection', { code: 'UNAVAILABLE', mayHaveHappened: false });
};

/** The server never does it, and never answers. */
export const silent: Between = () => new Promise(() => {});

/** The server does it and answers when the test says so. */
export function held() {
  let release = () => {};
  const promise = new Promise<void>((resolve) => {
    release = resolve;
  });
  const between: Between = async (_call, act) => {
    await promise;
    return act();
  };
  return { between, promise, release };
}

export class TestStore extends SessionStore {
  /** What the store announced, in order. */
  readonly announced: { [E in keyof StoreEvents]: [E, ...StoreEvents[E]] }[keyof StoreEvents][] = [];

  constructor(backend: Backend, options: StoreOptions & SweepOptions = {}) {
    checkOptions({ name: 'TestStore', backend: 'map' }, options, { sweepInterval: rule.timerSeconds });
    super(backend, options);
    this.on('discarded', (event: StoreEvents['discarded'][0]) => this.announced.push(['discarded', event]));
    this.on('failed', (error: StoreEvents['failed'][0]) => this.announced.push(['failed', error]));
  }
}

export function setUp(options: StoreOptions & SweepOptions = {}) {
  const backend = new MapBackend();
  return { backend, store: new TestStore(backend, options) };
}

/** A plain session as a user of the store would write it. */
export function plain(data: Partial<SessionData> = {}, maxAge?: number): SessionData {
  const expires = maxAge === undefined ? null : new Date(Date.now() + maxAge);
  return { ...data, cookie: { originalMaxAge: maxAge ?? null, expires, path: '/', httpOnly: true } };
}

export type TestRequest = Request & { session: Session & SessionData };

/** A request with a new session, made by express-session. */
export function newRequest(store: SessionStore, cookie: NonNullable<SessionOptions['cookie']> = {}) {
  session({ store, secret: 'test', resave: false, saveUninitialized: false, cookie });
  const request: object = { sessionStore: store };
  store.generate(request as Request);
  return request as TestRequest;
}

/** A request that came with the cookie of a stored session. */
export async function requestFor(store: SessionStore, id: string) {
  const data = await store.get(id);
  if (data === null) throw new Error('there is no such session');
  const request: object = { sessionID: id, sessionStore: store };
  store.createSession(request as Request, data);
  return request as TestRequest;
}

/** After it, everything that can happen without time passing has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

type Handler = (req: Request, res: Response) => unknown;

/** A browser, and the application that it visits: stock express and express-session over a real socket. */
export async function browse(store: SessionStore, options: Partial<SessionOptions> = {}) {
  const handlers: Handler[] = [];
  const errors: unknown[] = [];
  const app = express();
  app.use(session({ secret: 'test', resave: false, saveUninitialized: false, ...options, store }));
  app.use(async (req, res) => {
    await handlers[Number(req.get('x-step'))]?.(req, res);
    if (!res.writableEnded) res.json(req.session ?? null);
  });
  app.use((error: unknown, _req: Request, res: Response, _next: () => void) => {
    errors.push(error);
    if (!res.headersSent) res.status(500).end();
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });

  let cookie = '';
  /** One request; what the handler does not answer is answered with the session. */
  async function visit(handler: Handler = () => {}) {
    const step = handlers.push(handler) - 1;
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { cookie, 'x-step': `${step}` } });
    const body = await response.text();
    const [setCookie] = response.headers.getSetCookie();
    if (setCookie !== undefined) cookie = setCookie.split(';', 1)[0] ?? '';
    return { status: response.status, body, setCookie };
  }
  return { visit, errors };
}

/** Runs a module in a process of its own, on the built package. */
export async function runModule(code: string, ...flags: string[]) {
  const child = spawn(process.execPath, [...flags, '--input-type=module', '--eval', code], {
    cwd: new URL('..', import.meta.url),
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { exitCode: exitCode as number | null, stdout, stderr };
}
