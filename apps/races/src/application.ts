import { once } from 'node:events';
import { createBirpc } from 'birpc';
import express from 'express';
import session from 'express-session';
import type { Answer, ApplicationCalls, DriverCalls, Plan, Settings } from './protocol.js';
import { perform } from './steps.js';
import { read, storeKind } from './stores.js';

// An application process: stock express-session on a store, whose requests do as they are told and are held where they are told.

const { store: name, url, namespace, count }: Settings = JSON.parse(process.argv[2] ?? '{}');
const kind = storeKind(name);
const store = await kind.open(url, namespace);
const inspector = kind.inspect(store, url, namespace);

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

  const server = app.listen(0, '127.0.0.1');
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
