import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import session, { type Store } from 'express-session';
import type { LiveRequest } from './context.js';
import type { AnyStore } from './harness.js';

export type SessionOptions = Omit<session.SessionOptions, 'secret' | 'store'>;

/** What a route does with a request; what it returns is the JSON answer. The path is the name. */
export type Routes = Readonly<Record<string, (req: LiveRequest & IncomingMessage) => unknown>>;

/** A client that keeps cookies, as one person's browser does. */
export interface Browser {
  /** The cookie that is sent, name and value. */
  cookie: string | undefined;
  /** The `Set-Cookie` of the last answer, if it had one. */
  lastSetCookie: string | undefined;
  /** Gets a route's answer; any status but 200 is a failed assertion. */
  go(route: string): Promise<unknown>;
}

export interface App {
  browser(cookie?: string): Browser;
  /** What reached the application's error handler, in time for the answer or after it. */
  readonly errors: readonly unknown[];
  close(): Promise<void>;
}

type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/** Stock express-session on node:http, on a free port of this machine. */
export async function serve(store: AnyStore, options: SessionOptions, routes: Routes): Promise<App> {
  const sessions = session({
    resave: false,
    saveUninitialized: false,
    ...options,
    secret: 'conformance',
    store: store as Store,
  }) as Middleware;
  const errors: unknown[] = [];

  const answer = async (req: IncomingMessage, res: ServerResponse, error: unknown) => {
    if (error) throw error;
    const name = (req.url ?? '/').slice(1);
    const route = routes[name];
    assert.ok(route, `no route ${name}`);
    const body = await route(req as IncomingMessage & LiveRequest);
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
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const origin = `http://127.0.0.1:${address.port}`;

  return {
    errors,
    browser: (cookie) => new Client(origin, cookie),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

class Client implements Browser {
  cookie: string | undefined;
  lastSetCookie: string | undefined;
  readonly #origin: string;

  constructor(origin: string, cookie: string | undefined) {
    this.#origin = origin;
    this.cookie = cookie;
  }

  async go(route: string): Promise<unknown> {
    const headers: Record<string, string> = this.cookie ? { cookie: this.cookie } : {};
    const request = async () => {
      const response = await fetch(`${this.#origin}/${route}`, {
        headers,
        signal: AbortSignal.timeout(10_000),
      });
      return { response, text: await response.text() };
    };
    const { response, text } = await request().catch((error: unknown) =>
      assert.fail(`${route} got no answer: ${error}`),
    );
    assert.equal(response.status, 200, `${route} answered ${response.status}: ${text}`);
    this.lastSetCookie = response.headers.getSetCookie().at(-1);
    if (this.lastSetCookie) this.cookie = this.lastSetCookie.split(';')[0];
    return JSON.parse(text);
  }
}
