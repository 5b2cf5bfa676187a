import assert from 'node:assert/strict';
import { setImmediate as tick } from 'node:timers/promises';
import { browse, cookieOf, type RoutedRequest, type SessionOptions, serve } from './app.js';
import { answerOf, type LiveRequest, show } from './calls.js';
import { type Gate, gate } from './gate.js';
import type { AnyStore } from './harness.js';

/** Keys from the session down to a value. */
type Path = readonly string[];

/** What the handler of a request is told to do with its session. */
export type Step =
  | { readonly op: 'get' | 'remove'; readonly path: Path }
  | { readonly op: 'put'; readonly path: Path; readonly value: unknown }
  | { readonly op: 'call'; readonly path: Path; readonly method: string; readonly args: readonly unknown[] }
  | { readonly op: 'save' | 'reload' | 'destroy' | 'regenerate' };

/** How long a request may wait for its next step: for a session to end, say, on a slow machine. */
const VISIT_MS = 120_000;

/** Leads the requests of an application, each by the name it came with. */
export interface Guide {
  /** Done when the request has its session. */
  entered(name: string): Promise<void>;
  /** Has its handler do something; the methods of `req.session` answer with an error's text, or `null`. */
  step(name: string, step: Step): Promise<unknown>;
  /** Lets its handler end. */
  leave(name: string): Promise<void>;
  /** What reached the application's error handler, in time for an answer or after it. */
  errors(): Promise<unknown>;
}

/** An application whose requests do nothing but what they are told, step by step, so that they can be interleaved at will. */
export interface Visited {
  readonly origin: string;
  readonly guide: Guide;
  close(): Promise<void>;
}

export async function serveVisits(store: AnyStore, options: SessionOptions): Promise<Visited> {
  const rooms = new Map<string, { readonly entered: Gate; readonly left: Gate; req?: LiveRequest }>();
  const roomOf = (name: string) => {
    const room = rooms.get(name) ?? { entered: gate(), left: gate() };
    rooms.set(name, room);
    return room;
  };
  const visit = async (req: RoutedRequest) => {
    const room = roomOf(String(req.query.get('name')));
    room.req = req;
    room.entered.open();
    await room.left.opened;
  };
  const { origin, errors, close } = await serve(store, options, { visit });
  const guide: Guide = {
    entered: (name) => roomOf(name).entered.opened,
    step: async (name, step) => {
      const { req } = roomOf(name);
      assert.ok(req, 'no request has entered');
      return take(req, step);
    },
    leave: async (name) => roomOf(name).left.open(),
    errors: async () => {
      await tick();
      return errors.map(show);
    },
  };
  return { origin, guide, close };
}

async function take({ session }: LiveRequest, step: Step): Promise<unknown> {
  if (!('path' in step)) {
    const { error } = await answerOf(step.op, (callback) => session[step.op](callback));
    return error ? show(error) : null;
  }
  const objectAt = (path: Path): object =>
    path.reduce<object>((value, key) => {
      const inner: unknown = Reflect.get(value, key);
      assert.ok(typeof inner === 'object' && inner !== null, `the session has no ${path.join('.')}`);
      return inner;
    }, session);
  if (step.op === 'call') {
    const target = objectAt(step.path);
    return Reflect.apply(Reflect.get(target, step.method), target, step.args);
  }
  const [holder, key] = [objectAt(step.path.slice(0, -1)), String(step.path.at(-1))];
  if (step.op === 'get') return Reflect.get(holder, key);
  return step.op === 'put' ? Reflect.set(holder, key, step.value) : Reflect.deleteProperty(holder, key);
}

/** Such an application seen by its visitors. */
export class Site {
  readonly #origin: string;
  readonly #guide: Guide;
  #visits = 0;

  constructor({ origin, guide }: Pick<Visited, 'origin' | 'guide'>) {
    this.#origin = origin;
    this.#guide = guide;
  }

  /** A request that has this session, or a new one, and waits to be told what to do. */
  async visit(sid?: string): Promise<Visit> {
    this.#visits += 1;
    const name = String(this.#visits);
    const answered = browse(this.#origin, sid && cookieOf(sid)).go(`visit?name=${name}`, VISIT_MS);
    // When it fails on the way, it never enters; later, whoever ends it hears of it.
    answered.catch(() => {});
    await Promise.race([this.#guide.entered(name), answered]);
    return new Visit(this.#guide, name, answered);
  }

  /** Asserts that nothing reached the application's error handler. */
  async hadNoErrors(): Promise<void> {
    assert.deepEqual(await this.#guide.errors(), []);
  }
}

/** A request that is led from outside. */
export class Visit {
  readonly #guide: Guide;
  readonly #name: string;
  readonly #answered: Promise<unknown>;

  constructor(guide: Guide, name: string, answered: Promise<unknown>) {
    this.#guide = guide;
    this.#name = name;
    this.#answered = answered;
  }

  get(...path: Path): Promise<unknown> {
    return this.#take({ op: 'get', path });
  }

  put(path: Path, value: unknown): Promise<unknown> {
    return this.#take({ op: 'put', path, value });
  }

  remove(...path: Path): Promise<unknown> {
    return this.#take({ op: 'remove', path });
  }

  /** Calls a method of what is there: `call(['cart'], 'push', 'pear')`. */
  call(path: Path, method: string, ...args: readonly unknown[]): Promise<unknown> {
    return this.#take({ op: 'call', path, method, args });
  }

  save(): Promise<unknown> {
    return this.#take({ op: 'save' });
  }

  reload(): Promise<unknown> {
    return this.#take({ op: 'reload' });
  }

  destroy(): Promise<unknown> {
    return this.#take({ op: 'destroy' });
  }

  regenerate(): Promise<unknown> {
    return this.#take({ op: 'regenerate' });
  }

  /** Lets the handler end; done when the answer is there. */
  async end(): Promise<void> {
    await this.#guide.leave(this.#name);
    await this.#answered;
  }

  #take(step: Step): Promise<unknown> {
    return this.#guide.step(this.#name, step);
  }
}
