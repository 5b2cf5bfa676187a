import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import express, { type ErrorRequestHandler, type Express } from 'express';
import session, { type Store } from 'express-session';
import { destroy } from './session.js';

/** The most rounds that one run may have. */
export const mostRounds = 20;
/** How many requests add an item at once. */
export const requestsAtOnce = 10;

/** Something that happened in a race, milliseconds after it began. */
export interface Step {
  readonly ms: number;
  readonly text: string;
}

/** How a store fared: figures of all rounds, and what happened in the first. */
export interface Standing {
  readonly store: string;
  readonly rounds: number;
  /** Sessions that were there again after their logout. */
  readonly cameBack: number;
  readonly added: number;
  /** Of the items added, those that are in no cart. */
  readonly lost: number;
  readonly logout: readonly Step[];
  readonly cart: readonly Step[];
}

/** Runs both races on a store, with sessions of their own that are gone afterwards. */
export async function race(label: string, store: Store, rounds: number): Promise<Standing> {
  const gate = new Gate();
  const failures: unknown[] = [];
  const server = createServer(raceApp(store, gate, failures));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;

  const visitor = async (): Promise<Ask> => {
    let cookie = '';
    const ask: Ask = async (path) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers: { cookie },
      });
      const body: Told = Object(await response.json());
      if (!response.ok) throw failures[0];
      const [set] = response.headers.getSetCookie();
      // What she logged out of is asked for once more, so the first cookie is kept.
      if (cookie === '' && set !== undefined) cookie = set.split(';', 1).join();
      return body;
    };
    await ask('/login');
    return ask;
  };

  try {
    const logouts: Outcome<{ cameBack: boolean }>[] = [];
    const carts: Outcome<{ lost: number }>[] = [];
    for (let round = 0; round < rounds; round += 1) {
      logouts.push(await logoutRace(await visitor(), gate));
      carts.push(await cartRace(await visitor(), gate));
    }
    // What fails at the end of a request comes too late for its answer.
    if (failures.length > 0) throw failures[0];
    return {
      store: label,
      rounds,
      cameBack: logouts.filter(({ cameBack }) => cameBack).length,
      added: rounds * requestsAtOnce,
      lost: carts.reduce((sum, { lost }) => sum + lost, 0),
      logout: logouts[0]?.steps ?? [],
      cart: carts[0]?.steps ?? [],
    };
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** What an app tells of a session. */
interface Told {
  readonly user?: string;
  readonly cart?: readonly string[];
}

/** Asks an app as the browser of one visitor. */
type Ask = (path: string) => Promise<Told>;

type Outcome<T> = T & { readonly steps: readonly Step[] };

async function logoutRace(ask: Ask, gate: Gate): Promise<Outcome<{ cameBack: boolean }>> {
  const { steps, note } = notes();
  const letGo = await gate.holds([ask('/add/teapot')]);
  note('Ada is logged in. A slow request of hers begins, and reads the session.');
  await ask('/logout');
  note('Ada logs out in another tab. The session is destroyed, and she is told so.');
  await letGo();
  note('The slow request adds to its copy of the session, saves it, and is answered.');
  const { user } = await ask('/');
  const cameBack = user !== undefined;
  note(
    `Ada’s old cookie is sent once more: ${cameBack ? `${user} is logged in again.` : 'nobody is logged in.'}`,
  );
  if (cameBack) await ask('/logout');
  return { cameBack, steps };
}

async function cartRace(ask: Ask, gate: Gate): Promise<Outcome<{ lost: number }>> {
  const { steps, note } = notes();
  const items = Array.from({ length: requestsAtOnce }, (_, index) => `item-${index + 1}`);
  const letGo = await gate.holds(items.map((item) => ask(`/add/${item}`)));
  note(`${requestsAtOnce} requests at once read the session. Its cart is empty.`);
  await letGo();
  note('Each adds an item to its copy of the session, saves it, and is answered.');
  const kept = (await ask('/')).cart?.length ?? 0;
  note(`The cart holds ${kept} of ${requestsAtOnce} items.`);
  await ask('/logout');
  return { lost: requestsAtOnce - kept, steps };
}

function notes(): { steps: Step[]; note(text: string): void } {
  const began = performance.now();
  const steps: Step[] = [];
  return {
    steps,
    note: (text) => steps.push({ ms: Math.round((performance.now() - began) * 10) / 10, text }),
  };
}

/** Where requests stop between reading their session and writing it. */
class Gate {
  #held: (() => void)[] = [];
  #arrived = () => {};

  /** A request's way through. */
  pass(): Promise<void> {
    return new Promise((resolve) => {
      this.#held.push(resolve);
      this.#arrived();
    });
  }

  /** Waits until these requests are held; what it gives lets them go, and waits for their answers. */
  async holds(requests: readonly Promise<unknown>[]): Promise<() => Promise<unknown>> {
    const answers = Promise.all(requests);
    const full = new Promise<void>((resolve) => {
      this.#arrived = () => this.#held.length === requests.length && resolve();
    });
    // One that fails never gets here.
    await Promise.race([full, answers]);
    return () => {
      for (const go of this.#held.splice(0)) go();
      return answers;
    };
  }
}

/** A small app on stock express-session. */
function raceApp(store: Store, gate: Gate, failures: unknown[]): Express {
  const app = express();
  app.use(
    session({
      store,
      name: 'race',
      secret: randomUUID(),
      genid: () => `race-${randomUUID()}`,
      // Should the demo end in the middle of a race, its sessions end soon after.
      cookie: { maxAge: 60_000 },
      resave: false,
      saveUninitialized: false,
    }),
  );
  app.post('/login', (req, res) => {
    req.session.user = 'Ada';
    res.json({});
  });
  app.post('/add/:item', async (req, res) => {
    await gate.pass();
    req.session.cart = [...(req.session.cart ?? []), req.params.item];
    res.json({});
  });
  app.post('/logout', async (req, res) => {
    await destroy(req);
    res.json({});
  });
  app.post('/', (req, res) => {
    const { user, cart } = req.session;
    res.json({ user, cart } satisfies { [name in keyof Told]: Told[name] | undefined });
  });
  app.use(((error, _req, res, _next) => {
    failures.push(error);
    if (!res.headersSent) res.status(500).json({});
  }) satisfies ErrorRequestHandler);
  return app;
}
