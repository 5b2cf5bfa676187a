import { STATUS_CODES } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type ListedSession, maskId, type SessionStore, StoreError } from '@session-stores/core';
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express';
import session, { type CookieOptions, type SessionData } from 'express-session';
import helmet from 'helmet';
import { authenticate } from './accounts.js';
import { field, given, refusal, refuseCrossSite, wantsJson, whole } from './http.js';
import {
  homePage,
  problemPage,
  racePage,
  type SessionRow,
  type SessionView,
  type Site,
  sessionsPage,
} from './page.js';
import { mostRounds, race, requestsAtOnce, type Standing } from './race.js';
import { destroy, regenerate, save } from './session.js';
import { type StoreName, stores } from './stores.js';

export interface AppOptions {
  readonly store: SessionStore;
  readonly storeName: StoreName;
  /** Opens another store like `store`, for the races: express-session ties a store to one app. */
  readonly openAnother: () => SessionStore;
  /** Where the sessions are, in a few words for people. */
  readonly where: string;
  /** Signs the cookies. */
  readonly secret: string;
  /** Cookies over HTTPS only, as told by one proxy in front; no sessions view, no races. Default false. */
  readonly production?: boolean;
  /** Milliseconds without a request after which a session ends. Default an hour. */
  readonly maxAge?: number;
  /** Accept a login only from the address that it came from. Default false. */
  readonly bindAddress?: boolean;
}

/** The longest pause, in milliseconds, that `POST /slow` can be asked for. */
export const longestPause = 10_000;

const usualPause = 3000;
/** A health check that takes longer than this many milliseconds has failed. */
const healthTimeout = 2000;
/** A session is read and written whole, so it is kept small. */
const fullCart = 1000;
const flashKept = 5;
const sessionsListed = 500;
const usualRounds = 5;

const publicFolder = fileURLToPath(new URL('../public', import.meta.url));

/** The demo as an Express app; the caller opens and closes the store. */
export function createApp(options: AppOptions): Express {
  const { store, storeName, production = false, bindAddress = false, maxAge = 3_600_000 } = options;
  const site: Site = { store: storeName, where: options.where, production, pause: usualPause };
  const cookie = {
    path: '/',
    httpOnly: true,
    sameSite: 'lax',
    secure: production,
  } as const satisfies CookieOptions;
  // Browsers take a __Host- cookie from this very host only: no neighbouring subdomain can plant one.
  const cookieName = production ? '__Host-session-stores-demo' : 'session-stores-demo';

  const app = express();
  if (production) app.set('trust proxy', 1);

  app.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          styleSrc: ["'self'"],
          imgSrc: ["'self'"],
          formAction: ["'self'"],
          baseUri: ["'none'"],
          frameAncestors: ["'none'"],
        },
      },
      // Under helmet's own choice, no-referrer, browsers send forms with `Origin: null`.
      referrerPolicy: { policy: 'same-origin' },
      strictTransportSecurity: production && { includeSubDomains: false },
    }),
    express.static(publicFolder, { index: false }),
  );

  app.use((_req, res, next) => {
    // After a logout, the back button must not bring back what was there before.
    res.set('Cache-Control', 'no-store');
    next();
  });

  // Stands before the session: a probe must not leave one behind each time.
  app.get('/health', async (_req, res) => {
    const late = sleep(healthTimeout, undefined, { ref: false }).then(() =>
      Promise.reject(new Error('late')),
    );
    try {
      await Promise.race([store.get('health-check'), late]);
      res.json({ status: 'ok', store: storeName });
    } catch (error) {
      const code = StoreError.isInstance(error) ? error.code : 'TIMEOUT';
      res.status(503).json({ status: 'unavailable', store: storeName, error: code });
    }
  });

  app.use(
    refuseCrossSite,
    express.urlencoded({ extended: false, limit: '10kb' }),
    express.json({ limit: '10kb' }),
    session({
      store,
      name: cookieName,
      secret: options.secret,
      cookie: { ...cookie, maxAge },
      resave: false,
      saveUninitialized: false,
    }),
  );

  if (bindAddress) {
    app.use((req, res, next) => {
      const { address } = req.session;
      if (address === undefined || address === req.ip) return next();
      // The session itself stays: who holds a copy of the cookie must not be able to log its owner out.
      res.clearCookie(cookieName, cookie);
      throw refusal(401, 'This session was opened from another address. Please log in again.');
    });
  }

  /** What the session holds; the messages stay for the next page unless others are given. */
  const show = ({ session }: Request, flash = session.flash ?? []): SessionView => ({
    store: storeName,
    views: session.views ?? 0,
    user: session.user ?? null,
    role: session.role ?? null,
    expiresAt: session.cookie.expires?.toISOString() ?? null,
    flash,
    cart: session.cart ?? [],
  });

  /** Counts a view and takes the messages, which are thereby shown once. */
  const visit = async (req: Request): Promise<SessionView> => {
    const { flash = [], views = 0 } = req.session;
    delete req.session.flash;
    req.session.views = views + 1;
    await save(req);
    return show(req, flash);
  };

  /** Ends a request that changed the session. */
  const done = async (req: Request, res: Response, message: string): Promise<void> => {
    req.session.flash = [...(req.session.flash ?? []), message].slice(-flashKept);
    await save(req);
    if (wantsJson(req)) res.json(show(req));
    else res.redirect(303, '/');
  };

  const addItem = async (req: Request, res: Response): Promise<void> => {
    const item = field(req, 'item', 'Teapot');
    const cart = req.session.cart ?? [];
    if (cart.length >= fullCart) throw refusal(409, `The cart is full: it holds ${fullCart} items.`);
    req.session.cart = [...cart, item];
    await done(req, res, `${item} is in your cart.`);
  };

  const raceBoth = async (rounds: number): Promise<Standing[]> => {
    const ours = options.openAnother();
    try {
      return [
        await race(`${stores[storeName].label}, session-stores`, ours, rounds),
        await race('MemoryStore, express-session', new session.MemoryStore(), rounds),
      ];
    } finally {
      await ours.close();
    }
  };

  app.get('/', async (req, res) => {
    res.send(homePage(site, await visit(req), { id: maskId(req.sessionID), secure: req.secure }));
  });

  app.get('/api/session', async (req, res) => {
    res.json(await visit(req));
  });

  app.post('/login', async (req, res) => {
    const account = await authenticate(field(req, 'username'), field(req, 'password'));
    if (account === undefined) {
      const refused = 'Wrong username or password.';
      if (wantsJson(req)) throw refusal(401, refused);
      res
        .status(401)
        .send(homePage(site, show(req, []), { id: maskId(req.sessionID), secure: req.secure, refused }));
      return;
    }
    // What a visitor gathered comes along; what another account gathered does not.
    const { views = 0, cart = [] } = req.session.user === undefined ? req.session : {};
    await regenerate(req);
    Object.assign(req.session, {
      views,
      cart,
      user: account.username,
      role: account.role,
    } satisfies Partial<SessionData>);
    if (bindAddress) req.session.address = req.ip;
    await done(req, res, `Welcome, ${account.username}. Your session has a new id.`);
  });

  app.post('/logout', async (req, res) => {
    await destroy(req);
    res.clearCookie(cookieName, cookie);
    if (wantsJson(req)) res.json({ store: storeName, user: null, role: null });
    else res.redirect(303, '/');
  });

  app.post('/cart', addItem);

  app.post('/slow', async (req, res) => {
    const pause = { min: 0, max: longestPause, unit: 'milliseconds' };
    await sleep(whole('ms', req.query['ms'] ?? usualPause, pause));
    await addItem(req, res);
  });

  if (!production) {
    app.get('/debug/sessions', async (req, res) => {
      if (req.session.user === undefined) throw refusal(401, 'Log in as an admin to see the sessions.');
      if (req.session.role !== 'admin') throw refusal(403, 'Only admins may see the sessions.');
      const count = await store.length();
      const sessions: SessionRow[] = [];
      for await (const each of store.entries()) {
        sessions.push(listed(each, req.sessionID));
        if (sessions.length === sessionsListed) break;
      }
      if (wantsJson(req)) res.json({ count, sessions });
      else res.send(sessionsPage(site, count, sessions));
    });

    app.get('/race', (_req, res) => {
      res.send(racePage(site, usualRounds));
    });

    let racing = false;
    app.post('/race', async (req, res) => {
      const rounds = whole('rounds', given(req, 'rounds') ?? usualRounds, { min: 1, max: mostRounds });
      // One run is a few hundred requests.
      if (racing) throw refusal(429, 'A race is being run at the moment. Please try again when it is over.');
      racing = true;
      try {
        const standings = await raceBoth(rounds);
        if (wantsJson(req)) res.json({ rounds, requestsAtOnce, standings });
        else res.send(racePage(site, rounds, standings));
      } finally {
        racing = false;
      }
    });
  }

  app.use(() => {
    throw refusal(404, 'There is no such page.');
  });

  // Where the session could not even be read, nobody can be logged out either, so these count as failed logouts as well.
  app.use('/logout', ((error, _req, _res, next) => {
    const failed = 'You may still be logged in: the session could not be ended. Please try again.';
    next(StoreError.isInstance(error) && error.code !== 'CORRUPT' ? refusal(500, failed, error) : error);
  }) satisfies ErrorRequestHandler);

  app.use(((error, req, res, _next) => {
    const { status, title, message } = problem(error);
    if (status >= 500) console.error(`${req.method} ${req.path}:`, error);
    if (res.headersSent) {
      // express-session reports what fails at the end of a request this way; the answer is complete then.
      if (!res.writableEnded) res.destroy();
      return;
    }
    // A session that cannot be read would stand in the way for as long as the browser has its cookie.
    if (StoreError.isInstance(error) && error.code === 'CORRUPT') res.clearCookie(cookieName, cookie);
    res.status(status);
    if (wantsJson(req)) res.json({ error: message });
    else res.send(problemPage(site, title, message));
  }) satisfies ErrorRequestHandler);

  return app;
}

function problem(error: unknown): { status: number; title: string; message: string } {
  if (StoreError.isInstance(error)) {
    if (error.code === 'TOO_LARGE') {
      return { status: 413, title: 'Your session is full', message: 'It holds what it held before.' };
    }
    if (error.code === 'CORRUPT') {
      return {
        status: 500,
        title: 'Your session is damaged',
        message: 'A new one begins with your next click.',
      };
    }
    return {
      status: 503,
      title: 'Your session is out of reach',
      message: 'The session store does not answer at the moment. Please try again in a little while.',
    };
  }
  if (error instanceof Error && 'expose' in error && error.expose === true) {
    const status = 'status' in error && typeof error.status === 'number' ? error.status : 500;
    return { status, title: STATUS_CODES[status] ?? 'Error', message: error.message };
  }
  return {
    status: 500,
    title: 'Something went wrong',
    message: 'That is our fault, not yours. Please try again.',
  };
}

/** What an admin sees of a session. */
function listed({ id, views = 0, user, role, cart = [], cookie }: ListedSession, ownId: string): SessionRow {
  return {
    id: maskId(id),
    user: user ?? null,
    role: role ?? null,
    views,
    cart: cart.length,
    expiresAt: cookie.expires ? new Date(cookie.expires).toISOString() : null,
    current: id === ownId,
  };
}
