import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import session from 'express-session';
import { onTestFinished } from 'vitest';
import './sessions.js';

/** A person's browser on an Express application. */
export interface Browser {
  cookie: string | undefined;
  /** The status and the text of a route's answer. */
  go(route: string): Promise<{ status: number; body: string }>;
}

export interface Application {
  browser(cookie?: string): Browser;
  /** How many requests of `/slow` wait, with a changed session, for `proceed`. */
  waiting(): number;
  proceed(): void;
}

const SECRET = 'the same in every application of these tests';

/** A stock Express application on `store`, with the routes `/login/:user`, `/` (counts and tells), `/size/:bytes` (tells
 * and changes the size), `/slow`, `/logout`. */
export async function serve(
  store: session.Store,
  options: Partial<session.SessionOptions> = {},
): Promise<Application> {
  const app = express();
  app.use(
    session({
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: 60_000 },
      ...options,
      secret: SECRET,
      store,
    }),
  );
  app.get('/login/:user', (req, res, next) => {
    req.session.regenerate((error) => {
      if (error) return next(error);
      req.session.user = req.params.user;
      return res.send('welcome');
    });
  });
  app.get('/', (req, res) => {
    if (req.session.user === undefined) return res.status(401).send('who are you?');
    req.session.n = (req.session.n ?? 0) + 1;
    return res.send(`${req.session.user} ${req.session.n}`);
  });
  app.get('/size/:bytes', (req, res) => {
    const before = req.session.text?.length ?? 0;
    req.session.text = 'x'.repeat(Number(req.params.bytes) - 1) + (before > 0 ? 1 : 0);
    res.send(`${before}`);
  });
  const held: (() => void)[] = [];
  app.get('/slow', (req, res) => {
    req.session.n = -1;
    held.push(() => res.send('done'));
  });
  app.get('/logout', (req, res, next) => {
    req.session.destroy((error) => (error ? next(error) : res.send('bye')));
  });
  app.use(((error, _req, res, next) => {
    if (res.headersSent) return next();
    return res.status(500).send(String(error));
  }) satisfies express.ErrorRequestHandler);

  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;

  return {
    waiting: () => held.length,
    proceed: () => held.splice(0).forEach((answer) => void answer()),
    browser: (cookie) => ({
      cookie,
      async go(route) {
        const headers: Record<string, string> = this.cookie ? { cookie: this.cookie } : {};
        const response = await fetch(`http://127.0.0.1:${port}${route}`, {
          headers,
          signal: AbortSignal.timeout(20_000),
        });
        this.cookie = response.headers.getSetCookie().at(-1)?.split(';')[0] ?? this.cookie;
        return { status: response.status, body: await response.text() };
      },
    }),
  };
}
