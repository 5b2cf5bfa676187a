import type { Session, SessionData } from 'express-session';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import {
  MapBackend,
  newRequest,
  plain,
  requestFor,
  settled,
  type TestRequest,
  TestStore,
} from './helpers.js';

const MINUTE = 60_000;

/** What a session holds here: keys with numbers. */
type Keys = Record<string, number>;

interface ModelRequest {
  readonly id: string;
  /** What the request last saw, and how long the session then was to live; nothing while it has not stored what it made. */
  seen: { keys: Keys; maxAge: number } | undefined;
  keys: Keys;
  maxAge: number;
  /** Whether the session is still its request's. */
  held: boolean;
}

/** What the family promises, in the plainest words. */
interface Model {
  now: number;
  readonly sessions: Map<string, { keys: Keys; maxAge: number; deadline: number }>;
  readonly requests: ModelRequest[];
  ids: string[];
}

interface Real {
  readonly stores: readonly [TestStore, TestStore];
  readonly requests: { request: TestRequest; session: Session & SessionData }[];
}

type Step = fc.AsyncCommand<Model, Real>;

const live = (model: Model, id: string) => {
  const session = model.sessions.get(id);
  return session !== undefined && session.deadline > model.now ? session : undefined;
};

const keysOf = (session: object): Keys =>
  Object.fromEntries(Object.entries(session).filter(([key]) => key.startsWith('k')));

/** A step on one of the requests there are; which one is told by a number. */
function onRequest(
  label: string,
  which: number,
  work: (it: ModelRequest, model: Model, live: Real['requests'][number]) => unknown,
): Step {
  const pick = <T>(list: readonly T[]): T | undefined => list[which % Math.max(1, list.length)];
  return {
    check: (model) => model.requests.length > 0,
    async run(model, real) {
      const [it, session] = [pick(model.requests), pick(real.requests)];
      if (it !== undefined && session !== undefined) await work(it, model, session);
    },
    toString: () => `request ${which}: ${label}`,
  };
}

/** A step on one of the ids there have been. */
function onId(
  label: string,
  which: number,
  work: (id: string, model: Model, store: TestStore, real: Real) => unknown,
): Step {
  return {
    check: (model) => model.ids.length > 0,
    run: async (model, real) =>
      void (await work(
        model.ids[which % model.ids.length] ?? '',
        model,
        real.stores[which % 2 === 0 ? 0 : 1],
        real,
      )),
    toString: () => `id ${which}: ${label}`,
  };
}

/** What a save has to do. */
function saved(it: ModelRequest, model: Model): void {
  const { id, seen, keys, maxAge } = it;
  if (seen === undefined) {
    if (!it.held) return;
    model.sessions.set(id, { keys: { ...keys }, maxAge, deadline: model.now + maxAge });
  } else {
    const there = live(model, id);
    if (there === undefined) return;
    const changed = Object.keys({ ...keys, ...seen.keys }).filter((key) => keys[key] !== seen.keys[key]);
    for (const key of changed) {
      const value = keys[key];
      if (value === undefined) delete there.keys[key];
      else there.keys[key] = value;
    }
    if (maxAge !== seen.maxAge) there.maxAge = maxAge;
    if (changed.length > 0 || maxAge !== seen.maxAge) there.deadline = model.now + there.maxAge;
    // Who changes nothing takes nothing away: somebody else may have asked for more.
    else there.deadline = Math.max(there.deadline, model.now + seen.maxAge);
  }
  it.seen = { keys: { ...keys }, maxAge };
}

const number = fc.nat({ max: 5 });
const key = fc.constantFrom('k1', 'k2', 'k3');
const age = fc.constantFrom(MINUTE, 2 * MINUTE, 60 * MINUTE);

const steps: fc.Arbitrary<Step>[] = [
  fc.tuple(number, age).map(([which, maxAge]) => ({
    check: () => true,
    async run(model, real) {
      const request = newRequest(real.stores[which % 2 === 0 ? 0 : 1], { maxAge });
      real.requests.push({ request, session: request.session });
      model.requests.push({ id: request.sessionID, seen: undefined, keys: {}, maxAge, held: true });
      model.ids.push(request.sessionID);
    },
    toString: () => `a request without a cookie, for ${maxAge} ms`,
  })),
  number.map((which) =>
    onId('a request with its cookie', which, async (id, model, store, real) => {
      const there = live(model, id);
      if (there === undefined) return expect(await store.get(id)).toBeNull();
      const request = await requestFor(store, id);
      real.requests.push({ request, session: request.session });
      const { keys, maxAge } = there;
      model.requests.push({ id, seen: { keys: { ...keys }, maxAge }, keys: { ...keys }, maxAge, held: true });
    }),
  ),
  fc.tuple(number, key, number).map(([which, key, value]) =>
    onRequest(`${key} = ${value}`, which, (it, _model, { session }) => {
      it.keys[key] = value;
      Object.assign(session, { [key]: value });
    }),
  ),
  fc.tuple(number, key).map(([which, key]) =>
    onRequest(`delete ${key}`, which, (it, _model, { session }) => {
      delete it.keys[key];
      Reflect.deleteProperty(session, key);
    }),
  ),
  fc.tuple(number, age).map(([which, maxAge]) =>
    onRequest(`maxAge = ${maxAge}`, which, (it, _model, { session }) => {
      it.maxAge = maxAge;
      session.cookie.maxAge = maxAge;
    }),
  ),
  fc
    .tuple(number, fc.constantFrom('set' as const, 'touch' as const), fc.boolean())
    .map(([which, operation, atTheEnd]) =>
      onRequest(`${operation}, ${atTheEnd ? 'at its end' : 'explicitly'}`, which, async (it, model, on) => {
        // In the middle of a request the cookie's `expires` is as old as the request.
        if (atTheEnd || it.maxAge !== it.seen?.maxAge) on.session.touch();
        await on.request.sessionStore[operation]?.(it.id, on.session);
        if (operation === 'set' || it.seen !== undefined) saved(it, model);
      }),
    ),
  number.map((which) =>
    onRequest('reload', which, async (it, model, on) => {
      if (!it.held) return;
      const error = await new Promise((done) => void on.session.reload(done));
      const there = live(model, it.id);
      expect(error === undefined).toBe(there !== undefined);
      if (there === undefined) return;
      on.session = on.request.session;
      Object.assign(it, {
        seen: { keys: { ...there.keys }, maxAge: there.maxAge },
        keys: { ...there.keys },
        maxAge: there.maxAge,
      });
    }),
  ),
  number.map((which) =>
    onRequest('session.destroy()', which, async (it, model, { session }) => {
      await new Promise((done) => void session.destroy(done));
      model.sessions.delete(it.id);
      it.held = false;
    }),
  ),
  number.map((which) =>
    onRequest('session.regenerate()', which, async (it, model, { request, session }) => {
      if (!it.held) return;
      await new Promise((done) => void session.regenerate(done));
      model.sessions.delete(it.id);
      model.ids.push(request.sessionID);
      it.held = false;
    }),
  ),
  number.map((which) =>
    onId('store.destroy', which, async (id, model, store) => {
      await store.destroy(id);
      model.sessions.delete(id);
    }),
  ),
  fc.tuple(number, key, number, age).map(([which, key, value, maxAge]) =>
    onId(`store.set { ${key}: ${value} } for ${maxAge} ms`, which, async (id, model, store) => {
      await store.set(id, Object.assign(plain({}, maxAge), { [key]: value }));
      model.sessions.set(id, { keys: { [key]: value }, maxAge, deadline: model.now + maxAge });
    }),
  ),
  fc.tuple(number, age).map(([which, maxAge]) =>
    onId(`store.touch for ${maxAge} ms`, which, async (id, model, store) => {
      await store.touch(id, plain({}, maxAge));
      const there = live(model, id);
      if (there !== undefined) there.deadline = model.now + maxAge;
    }),
  ),
  fc.integer({ min: 1, max: 2 * MINUTE }).map((ms) => ({
    check: () => true,
    async run(model) {
      vi.advanceTimersByTime(ms);
      model.now += ms;
    },
    toString: () => `${ms} ms pass`,
  })),
];

/** After every step, from the process that did not do it as well. */
async function agree(model: Model, { stores }: Real): Promise<void> {
  const expected = model.ids.filter((id) => live(model, id) !== undefined);
  for (const store of stores) {
    const all = await store.all();
    expect(all.map(({ id }) => id).sort()).toEqual(expected.sort());
    expect(await store.length()).toBe(expected.length);
    for (const { id, cookie, ...data } of all) {
      const { keys, maxAge, deadline } = live(model, id) ?? {};
      expect({ ...keysOf(data), maxAge: cookie.originalMaxAge }).toEqual({ ...keys, maxAge });
      expect(new Date(cookie.expires ?? 0).getTime() - Date.now()).toBe((deadline ?? 0) - model.now);
    }
  }
}

test('any steps of requests and of users of the store, on two stores, do what the model says', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  try {
    await fc.assert(
      fc.asyncProperty(fc.commands(steps, { maxCommands: 40, size: 'max' }), async (commands) => {
        const backend = new MapBackend();
        const stores = [0, 1].map(() => new TestStore(backend, { touchAfter: 0 }));
        const model: Model = { now: 0, sessions: new Map(), requests: [], ids: ['a'] };
        const real: Real = { stores: stores as [TestStore, TestStore], requests: [] };
        // Two requests at once are what it is about; let not every run have to find its way there.
        await stores[0]?.set('a', plain({}, MINUTE));
        model.sessions.set('a', { keys: {}, maxAge: MINUTE, deadline: MINUTE });
        for (const store of real.stores) {
          // As the application's middleware does: from then on the store can make sessions.
          newRequest(store);
          const request = await requestFor(store, 'a');
          real.requests.push({ request, session: request.session });
          const seen = { keys: {}, maxAge: MINUTE };
          model.requests.push({ id: 'a', seen, keys: {}, maxAge: MINUTE, held: true });
        }
        const checked = [...commands].map((command) => ({
          check: (m: Model) => command.check(m),
          run: async (m: Model, r: Real) => {
            await command.run(m, r);
            await settled();
            await agree(m, r);
          },
          toString: () => command.toString(),
        }));
        await fc.asyncModelRun(() => ({ model, real }), checked);
      }),
      { numRuns: 300 },
    );
  } finally {
    vi.useRealTimers();
  }
});
