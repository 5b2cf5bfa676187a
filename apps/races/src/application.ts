import { once } from 'node:events';
import { createServer } from 'node:http';
import { StoreError } from '@session-stores/core';
import { createBirpc } from 'birpc';
import express from 'express';
import session from 'express-session';
import { setClockAhead } from './clock.js';
import type { Answer, ApplicationCalls, DriverCalls, Outcome, Plan, Settings } from './protocol.js';
import { perform } from './steps.js';
import { inspect, open, read } from './stores.js';

declare module 'express-session' {
  interface SessionData {
    value?: string;
    cart?: string[];
  }
}

// An application process: stock express-session on a store, whose requests do as they are told and are held where they are told.

const { count, ahead, ...place }: Settings = JSON.parse(process.argv[2] ?? '{}');
setClockAhead(ahead);
const store = await open(place);
const inspector = await inspect(store, place);

type LoadedSession = session.Session & session.SessionData;

/** Sessions that were loaded by calls, until they are saved. */
const loaded = new Map<string, LoadedSession>();

/** The requests that are held. */
const held = new Map<string, (steps: number) => void>();

const calls: ApplicationCalls = {
  listen: () => Promise.all(Array.from({ length: count }, serve)),

  resume(name, steps) {
    held.get(name)?.(steps);
    held.delete(name);
  },

  async find(id) {
    // Copied as JSON, since the server's deadline is judged and not the Date in the session.
    const found = await read(store, id);
    return { session: JSON.parse(JSON.stringify(found)), left: await inspector.left(id) };
  },

  set: (id, value) => outcome((done) => store.set(id, sessionWith({ value }), done)),

  async get(id) {
    const found = await outcome<session.SessionData | null>((done) => store.get(id, done));
    return 'error' in found ? found : { saw: found.saw?.value ?? null };
  },

  destroy: (id) => outcome((done) => store.destroy(id, done)),

  begin: (id) => outcome((done) => store.set(id, sessionWith({ cart: [] }), done)),

  async load(id, request) {
    const found = await outcome<session.SessionData | undefined>((done) => store.load(id, done));
    if ('error' in found) return found;
    if (!found.saw) return { saw: null };
    // Its types call it plain data, but it has a session's methods.
    loaded.set(request, found.saw as LoadedSession);
    return { saw: found.saw.cart ?? [] };
  },

  async save(request, { add, remove }) {
    const session = loaded.get(request);
    if (session === undefined) throw new Error('nothing was loaded under this name');
    loaded.delete(request);
    const { cart = [] } = session;
    if (add !== undefined) cart.push(add);
    session.cart = cart.filter((item) => item !== remove);
    return await outcome((done) => session.save(done));
  },

  async drop() {
    await inspector.drop();
  },
};

const driver = createBirpc<DriverCalls, ApplicationCalls>(calls, {
  post: (message) => process.send?.(message),
  on: (listener) => process.on('message', listener),
  eventNames: ['held', 'trouble'],
});
process.on('disconnect', () => process.exit());
for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, (error) => driver.trouble(undefined, String(error)));

/** What a call on the store is answered with. */
async function outcome<T>(call: (done: (error?: unknown, result?: T) => void) => void): Promise<Outcome<T>> {
  const saw = new Promise<T>((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result as T)));
  });
  return await saw.then(
    (saw) => ({ saw }),
    (error: unknown) => ({
      error: String(error),
      mayHaveHappened: !(StoreError.isInstance(error) && !error.mayHaveHappened),
    }),
  );
}

function sessionWith(data: Partial<session.SessionData>): session.SessionData {
  const cookie = new session.Cookie();
  cookie.maxAge = 3_600_000;
  return { ...data, cookie };
}

async function serve(): Promise<number> {
  const app = express();
  app.use(session({ store, secret: 'races', resave: false, saveUninitialized: false }));

  app.get('/', async (req, res) => {
    const plan = planOf(req);
    let left = plan.go;
    const step = async () => {
      left -= 1;
      if (left === 0) left = await hold(plan.name, req.sessionID);
    };
    const shown: unknown[] = [];
    // Its session is loaded.
    await step();
    for (const each of plan.steps) {
      await perform(each, req, plan.session, shown);
      await step();
    }
    res.json({ id: req.sessionID, shown } satisfies Answer);
  });

  app.use(((error, req, res, next) => {
    if (!res.headersSent) res.status(500).send(String(error));
    else driver.trouble(planOf(req).round, `after the answer: ${error}`);
    void next;
  }) satisfies express.ErrorRequestHandler);

  // All connections of a run can come at once.
  const server = createServer(app).listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  // A connection that is closed while the next request is on its way looks like a failure of the store.
  server.keepAliveTimeout = 0;
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the application has no port');
  return address.port;
}

function planOf(req: express.Request): Plan {
  return JSON.parse(String(req.query['plan']));
}

function hold(name: string, id: string): Promise<number> {
  return new Promise((resume) => {
    held.set(name, resume);
    driver.held(name, { id });
  });
}
