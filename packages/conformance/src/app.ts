import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { setImmediate as tick } from 'node:timers/promises';
import session, { type Store } from 'express-session';
import { type LiveRequest, Silence } from './calls.js';
import type { AnyStore } from './harness.js';

export type SessionOptions = Omit<session.SessionOptions, 'secret' | 'store'>;

/** A request as a route gets it. */
export type RoutedRequest = LiveRequest & IncomingMessage & { readonly query: URLSearchParams };

/** What a route does with a request; what it returns is the JSON answer. The path is the name. */
export type Routes = Readonly<Record<string, (req: RoutedRequest) => unknown>>;

/** A client that keeps cookies, as one person's browser does. */
export interface Browser {
  /** The cookie that is sent, name and value. */
  cookie: string | undefined;
  /** The `Set-Cookie` of the last answer, if it had one. */
  lastSetCookie: string | undefined;
  /** Gets a route's answer; any status but 200, and none within the time, is a failed assertion. */
  go(route: string, withinMs?: number): Promise<unknown>;
}

export interface App {
  readonly origin: string;
  browser(cookie?: string): Browser;
  /** What reached the application's error handler, in time for the answer or after it. */
  readonly errors: readonly unknown[];
  close(): Promise<void>;
}

type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/** The requests are many, and new connections are dear. */
const agent = new Agent({ keepAlive: true });

const SECRET = 'conformance';

/** The cookie that a browser has for this session. */
export function cookieOf(sid: string): string {
  const signature = createHmac('sha256', SECRET).update(sid).digest('base64').replace(/=+$/, '');
  return `connect.sid=${encodeURIComponent(`s:${sid}.${signature}`)}`;
}

/** Stock express-session on node:http, on a free port of this machine. */
export async function serve(store: AnyStore, options: SessionOptions, routes: Routes): Promise<App> {
  const sessions = session({
    resave: false,
    saveUninitialized: false,
    ...options,
    secret: SECRET,
    store: store as Store,
  }) as Middleware;
  const errors: unknown[] = [];

  const answer = async (req: IncomingMessage, res: ServerResponse, error: unknown) => {
    if (error) throw error;
    const { pathname, searchParams: query } = new URL(req.url ?? '/', 'http://localhost');
    const route = routes[pathname.slice(1)];
    assert.ok(route, `no route ${pathname}`);
    const body = await route(Object.assign(req as IncomingMessage & LiveRequest, { query }));
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify(body ?? null));
  };

  const server = createServer((req, res) => {
    sessions(req, res, (error) => {
      answer(req, res, error).catch((failure: unknown) => {
        errors.push(failure);
        if (res.headersSent) return;
        res.statusCode = 500;
        res.end(JSON.stringify(String(failure)));
        // The middleware ends an answer once: one that failed in that very moment gets no other end.
        if (!res.headersSent) res.destroy();
      });
    });
  });
  // A connection that is closed while the next request is on its way looks like a failure of the store.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const origin = `http://127.0.0.1:${address.port}`;

  return {
    origin,
    errors,
    browser: (cookie) => browse(origin, cookie),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A browser that has this cookie, if any. */
export function browse(origin: string, cookie?: string): Browser {
  return new Client(origin, cookie);
}

class Client implements Browser {
  cookie: string | undefined;
  lastSetCookie: string | undefined;
  readonly #origin: string;

  constructor(origin: string, cookie: string | undefined) {
    this.#origin = origin;
    this.cookie = cookie;
  }

  async go(route: string, withinMs = 30_000): Promise<unknown> {
    const headers = this.cookie ? { cookie: this.cookie } : {};
    const signal = AbortSignal.timeout(withinMs);
    const asked = get(`${this.#origin}/${route}`, { headers, agent, signal });
    const read = async () => {
      const [response]: IncomingMessage[] = await once(asked, 'response');
      assert.ok(response);
      return { response, body: await text(response) };
    };
    const { response, body } = await read().catch((error: unknown) => {
      if (signal.aborted) throw new Silence(`${route} got no answer within ${withinMs} ms`);
      assert.fail(`${route} got no answer: ${error}`);
    });
    assert.equal(response.statusCode, 200, `${route} answered ${response.statusCode}: ${body}`);
    this.lastSetCookie = response.headers['set-cookie']?.at(-1);
    if (this.lastSetCookie) this.cookie = this.lastSetCookie.split(';')[0];
    // An error that comes with the end of the answer reaches the application a moment later.
    await tick();
    return JSON.parse(body);
  }
}
